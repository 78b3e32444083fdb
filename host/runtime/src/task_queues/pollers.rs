//! Who has polled a queue.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// So many are remembered, as Temporal's server does; then the one that polled least lately is forgotten.
const POLLERS_MAX: usize = 1_000;

/// When each poller, by its identity, was last seen, in nanoseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Pollers {
    last: HashMap<Arc<str>, u64>,
    by_time: BTreeSet<(u64, Arc<str>)>,
}

impl Pollers {
    pub(super) fn polled(&mut self, identity: &str, now_ns: u64) {
        let identity = match self.last.remove_entry(identity) {
            Some((identity, last_ns)) => {
                self.by_time.remove(&(last_ns, identity.clone()));
                identity
            }
            None => identity.into(),
        };
        if self.last.len() >= POLLERS_MAX
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.last.remove(&oldest);
        }
        self.last.insert(identity.clone(), now_ns);
        self.by_time.insert((now_ns, identity));
    }

    pub(super) fn any_since(&self, since_ns: u64) -> bool {
        self.by_time
            .last()
            .is_some_and(|(last_ns, _)| *last_ns >= since_ns)
    }

    /// Those since then, the last one first. The others are forgotten.
    pub(super) fn since(&mut self, since_ns: u64) -> Vec<(String, u64)> {
        while let Some((last_ns, identity)) = self.by_time.first()
            && *last_ns < since_ns
        {
            self.last.remove(identity);
            self.by_time.pop_first();
        }
        let mut pollers: Vec<_> = self
            .by_time
            .iter()
            .map(|(last_ns, who)| (who.to_string(), *last_ns))
            .collect();
        pollers.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        pollers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered() {
        let mut pollers = Pollers::default();
        for number in 0..POLLERS_MAX as u64 + 2 {
            pollers.polled(&number.to_string(), number);
        }
        pollers.polled("2", 5_000);
        assert_eq!(
            (pollers.last.len(), pollers.by_time.len()),
            (POLLERS_MAX, POLLERS_MAX)
        );
        assert!(pollers.any_since(5_000) && !pollers.any_since(5_001));
        let last = POLLERS_MAX as u64 + 1;
        assert_eq!(
            pollers.since(last),
            [("2".to_owned(), 5_000), (last.to_string(), last)]
        );
        assert_eq!((pollers.last.len(), pollers.by_time.len()), (2, 2));
    }
}
