//! How many attempts of one module run at once, over all shards.
//!
//! A shard that finds a gate full stands in the gate's line, once, however many of its activities want in. Each attempt that leaves wakes
//! the first shard of the line, which takes in as many of its own as there is room for, and stands in line again for the rest.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longhaul_store::NamespaceId;

/// A namespace, and the name of a module in it: its versions share a gate.
pub(crate) type Key = (NamespaceId, String);

/// Someone who is told that there may be room.
pub(crate) trait Wake: Send + Sync {
    /// There may be room in this gate.
    fn wake(&self, key: Key);
}

/// The gates of all modules.
#[derive(Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<Key, Gate>>>);

#[derive(Default)]
struct Gate {
    inside: u32,
    /// Shards, each at most once.
    line: VecDeque<(usize, Arc<dyn Wake>)>,
}

/// The right of one attempt to run. Whoever drops it leaves the gate.
pub(crate) struct Permit {
    key: Key,
    gates: Arc<Mutex<HashMap<Key, Gate>>>,
}

impl Gates {
    /// Go in, or, where the gate is full, stand in line.
    pub(crate) fn enter(
        &self,
        key: &Key,
        limit: NonZeroU32,
        shard: usize,
        wake: &Arc<dyn Wake>,
    ) -> Option<Permit> {
        let mut gates = lock(&self.0);
        let gate = gates.entry(key.clone()).or_default();
        if gate.inside >= limit.get() {
            if !gate.line.iter().any(|(waiting, _)| *waiting == shard) {
                gate.line.push_back((shard, wake.clone()));
            }
            return None;
        }
        gate.inside += 1;
        Some(Permit {
            key: key.clone(),
            gates: self.0.clone(),
        })
    }
}

impl Gates {
    /// A shard that was woken has nobody left to take in: perhaps the next one has.
    pub(crate) fn pass_on(&self, key: &Key) {
        wake_next(&self.0, key, 0);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        wake_next(&self.gates, &self.key, 1);
    }
}

/// So many leave; the first of the line is woken, and stands in it no more.
fn wake_next(gates: &Mutex<HashMap<Key, Gate>>, key: &Key, leave: u32) {
    let mut gates = lock(gates);
    let Some(gate) = gates.get_mut(key) else {
        return;
    };
    gate.inside = gate.inside.saturating_sub(leave);
    let next = gate.line.pop_front();
    if gate.inside == 0 && gate.line.is_empty() {
        gates.remove(key);
    }
    drop(gates);
    if let Some((_, next)) = next {
        next.wake(key.clone());
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.key).finish()
    }
}

fn lock(gates: &Mutex<HashMap<Key, Gate>>) -> MutexGuard<'_, HashMap<Key, Gate>> {
    // Nothing panics while the lock is held but an allocation that fails, and that ends the process.
    gates.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Woken(Mutex<Vec<Key>>);

    impl Wake for Woken {
        fn wake(&self, key: Key) {
            self.0.lock().unwrap().push(key);
        }
    }

    fn shard() -> (Arc<Woken>, Arc<dyn Wake>) {
        let woken = Arc::new(Woken::default());
        (woken.clone(), woken)
    }

    fn count(woken: &Woken) -> usize {
        woken.0.lock().unwrap().len()
    }

    // C5
    #[test]
    fn as_many_are_inside_as_the_limit_says_and_each_that_leaves_wakes_the_next_shard() {
        let (gates, key) = (Gates::default(), (NamespaceId(1), "m".to_owned()));
        let limit = NonZeroU32::new(2).unwrap();
        let ((woken_a, a), (woken_b, b)) = (shard(), shard());
        let first = gates.enter(&key, limit, 0, &a).unwrap();
        let second = gates.enter(&key, limit, 1, &b).unwrap();
        assert!(gates.enter(&key, limit, 0, &a).is_none());
        assert!(
            gates.enter(&key, limit, 0, &a).is_none(),
            "it stands in line once"
        );
        assert!(gates.enter(&key, limit, 1, &b).is_none());
        // Another module is not held up, and neither is the same name in another namespace.
        let other = (NamespaceId(2), "m".to_owned());
        assert!(gates.enter(&other, limit, 0, &a).is_some());
        drop(first);
        assert_eq!((count(&woken_a), count(&woken_b)), (1, 0));
        drop(second);
        assert_eq!((count(&woken_a), count(&woken_b)), (1, 1));
        assert_eq!(woken_a.0.lock().unwrap().as_slice(), std::slice::from_ref(&key));
        // A shard whose activities have given up passes the news on.
        let inside = gates.enter(&key, limit, 0, &a).unwrap();
        let also = gates.enter(&key, limit, 0, &a).unwrap();
        assert!(gates.enter(&key, limit, 0, &a).is_none());
        assert!(gates.enter(&key, limit, 1, &b).is_none());
        drop(inside);
        assert_eq!((count(&woken_a), count(&woken_b)), (2, 1));
        gates.pass_on(&key);
        assert_eq!((count(&woken_a), count(&woken_b)), (2, 2));
        gates.pass_on(&key);
        drop(also);
        // Nothing is kept of a gate that nobody uses.
        assert!(lock(&gates.0).is_empty());
    }
}
