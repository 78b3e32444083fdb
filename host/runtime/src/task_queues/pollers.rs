//! Who has polled a queue.

use std::collections::HashMap;

/// So many are remembered, as Temporal's server does; then the one that polled least lately is forgotten.
const POLLERS_MAX: usize = 1_000;

/// When each poller, by its identity, was last seen, in nanoseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Pollers(HashMap<String, u64>);

impl Pollers {
    pub(super) fn polled(&mut self, identity: &str, now_ns: u64) {
        if let Some(last_ns) = self.0.get_mut(identity) {
            *last_ns = now_ns;
            return;
        }
        if self.0.len() >= POLLERS_MAX
            && let Some(oldest) = self.0.iter().min_by_key(|(_, last_ns)| **last_ns)
        {
            let oldest = oldest.0.clone();
            self.0.remove(&oldest);
        }
        self.0.insert(identity.to_owned(), now_ns);
    }

    pub(super) fn any_since(&self, since_ns: u64) -> bool {
        self.0.values().any(|last_ns| *last_ns >= since_ns)
    }

    /// Those since then, the last one first. The others are forgotten.
    pub(super) fn since(&mut self, since_ns: u64) -> Vec<(String, u64)> {
        self.0.retain(|_, last_ns| *last_ns >= since_ns);
        let mut pollers: Vec<_> = self
            .0
            .iter()
            .map(|(who, last_ns)| (who.clone(), *last_ns))
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
        assert_eq!(pollers.0.len(), POLLERS_MAX);
        assert!(pollers.any_since(5_000) && !pollers.any_since(5_001));
        let last = POLLERS_MAX as u64 + 1;
        assert_eq!(
            pollers.since(last),
            [("2".to_owned(), 5_000), (last.to_string(), last)]
        );
    }
}
