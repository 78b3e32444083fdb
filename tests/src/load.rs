//! What a load has sent, and whether all of it arrived once and in order.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// A counter that orders what happens in one test: of two moments, the later one has the larger number.
#[derive(Debug, Default)]
pub struct Moments(AtomicU64);

impl Moments {
    /// The present moment.
    pub fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A message that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// What it carried; no two messages carry the same.
    pub value: i64,
    /// When it was first sent.
    pub sent_at: u64,
    /// When its acknowledgement came.
    pub acknowledged_at: u64,
}

/// How what arrived differs from what was acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// A message was acknowledged and is not there.
    Lost(i64),
    /// A message is there more than once.
    Twice(i64),
    /// Something is there that nobody sent.
    Unknown(i64),
    /// The second message was acknowledged before the first was sent, and yet the first stands before it.
    OutOfOrder(i64, i64),
}

/// Compares what arrived, in its order, with all that was acknowledged.
///
/// Two messages that were under way at the same time may arrive in either order; of two that were not, the earlier one must
/// stand first.
///
/// # Errors
/// The first [`Difference`].
pub fn compare(arrived: &[i64], acknowledged: &[Sent]) -> Result<(), Difference> {
    let mut missing: HashMap<i64, Sent> = acknowledged.iter().map(|sent| (sent.value, *sent)).collect();
    let mut latest: Option<Sent> = None;
    for value in arrived {
        let Some(sent) = missing.remove(value) else {
            let known = acknowledged.iter().any(|sent| sent.value == *value);
            return Err(if known {
                Difference::Twice(*value)
            } else {
                Difference::Unknown(*value)
            });
        };
        match latest {
            Some(before) if sent.acknowledged_at < before.sent_at => {
                return Err(Difference::OutOfOrder(before.value, sent.value));
            }
            Some(before) if before.sent_at >= sent.sent_at => {}
            _ => latest = Some(sent),
        }
    }
    match missing.into_keys().min() {
        Some(lost) => Err(Difference::Lost(lost)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: i64, sent_at: u64, acknowledged_at: u64) -> Sent {
        Sent {
            value,
            sent_at,
            acknowledged_at,
        }
    }

    #[test]
    fn messages_under_way_at_once_may_arrive_in_either_order() {
        let acknowledged = [sent(1, 0, 3), sent(2, 1, 2), sent(3, 4, 5)];
        assert_eq!(compare(&[1, 2, 3], &acknowledged), Ok(()));
        assert_eq!(compare(&[2, 1, 3], &acknowledged), Ok(()));
    }

    #[test]
    fn every_difference_is_found() {
        let acknowledged = [sent(1, 0, 1), sent(2, 2, 5), sent(3, 3, 4)];
        assert_eq!(compare(&[1, 2], &acknowledged), Err(Difference::Lost(3)));
        assert_eq!(compare(&[1, 2, 3, 1], &acknowledged), Err(Difference::Twice(1)));
        assert_eq!(compare(&[1, 2, 3, 4], &acknowledged), Err(Difference::Unknown(4)));
        assert_eq!(
            compare(&[2, 1, 3], &acknowledged),
            Err(Difference::OutOfOrder(2, 1))
        );
        assert_eq!(
            compare(&[2, 3, 1], &acknowledged),
            Err(Difference::OutOfOrder(3, 1))
        );
    }
}
