//! Which numbers the code has used for its operations.

use std::collections::BTreeSet;

use crate::Violation;

/// Numbers that may be left out for the time being. A guest that counts as the contract says leaves none out.
const LEFT_OUT_MAX: u32 = 10_000;

/// Every `seq` that a run has used. Operations are numbered 1, 2, 3, ..., so this is one number however long the run lives; only what
/// was left out is listed.
#[derive(Debug, Default)]
pub(crate) struct Seqs {
    highest: u32,
    left_out: BTreeSet<u32>,
}

impl Seqs {
    /// Whether an operation has had this number.
    pub(crate) fn contains(&self, seq: u32) -> bool {
        (1..=self.highest).contains(&seq) && !self.left_out.contains(&seq)
    }

    /// Use a number.
    ///
    /// # Errors
    ///
    /// It was used before, or leaves too many out.
    pub(crate) fn take(&mut self, seq: u32) -> Result<(), Violation> {
        if seq > self.highest {
            let known = u32::try_from(self.left_out.len()).unwrap_or(u32::MAX);
            let left_out = (seq - self.highest - 1).saturating_add(known);
            if left_out > LEFT_OUT_MAX {
                return Err(Violation::SeqsLeftOut { seq, left_out });
            }
            self.left_out.extend(self.highest + 1..seq);
            self.highest = seq;
            return Ok(());
        }
        if self.left_out.remove(&seq) {
            Ok(())
        } else {
            Err(Violation::SeqReused(seq))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order_take_no_memory() {
        let mut seqs = Seqs::default();
        for seq in 1..=100_000 {
            assert!(!seqs.contains(seq));
            assert_eq!(seqs.take(seq), Ok(()));
            assert!(seqs.contains(seq));
        }
        assert!(seqs.left_out.is_empty());
        assert_eq!(seqs.take(7), Err(Violation::SeqReused(7)));
    }

    #[test]
    fn what_was_left_out_can_still_be_used_once() {
        let mut seqs = Seqs::default();
        assert_eq!(seqs.take(3), Ok(()));
        assert!(!seqs.contains(2));
        assert_eq!(seqs.take(2), Ok(()));
        assert!(seqs.contains(2));
        assert_eq!(seqs.take(2), Err(Violation::SeqReused(2)));
        assert_eq!(seqs.take(0), Err(Violation::SeqReused(0)), "they count from 1");
        assert!(!seqs.contains(0));
    }

    #[test]
    fn leaving_out_is_bounded() {
        let mut seqs = Seqs::default();
        assert_eq!(seqs.take(LEFT_OUT_MAX + 1), Ok(()));
        let far = u32::MAX;
        assert!(matches!(seqs.take(far), Err(Violation::SeqsLeftOut { seq, .. }) if seq == far));
        assert_eq!(seqs.left_out.len(), LEFT_OUT_MAX as usize);
        assert_eq!(seqs.take(LEFT_OUT_MAX + 2), Ok(()), "none is left out by it");
    }
}
