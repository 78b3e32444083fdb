//! Activities that nobody in the server serves: they wait in their task queues for a worker.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use longhaul_store::RunId;

use crate::{registry::Service, shard::Place};

/// Those of a shard, found by themselves and by what would serve them.
#[derive(Debug, Default)]
pub(super) struct Unserved {
    waiting: BTreeMap<(RunId, i64), (Service, Place)>,
    by_service: HashMap<Service, BTreeSet<(RunId, i64)>>,
}

impl Unserved {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn insert(&mut self, run_id: RunId, scheduled_event_id: i64, service: Service, place: Place) {
        let key = (run_id, scheduled_event_id);
        // It may have waited in another queue.
        self.remove(run_id, scheduled_event_id);
        self.by_service.entry(service.clone()).or_default().insert(key);
        self.waiting.insert(key, (service, place));
    }

    /// False: it did not wait here.
    pub(super) fn remove(&mut self, run_id: RunId, scheduled_event_id: i64) -> bool {
        let key = (run_id, scheduled_event_id);
        let Some((service, _)) = self.waiting.remove(&key) else {
            return false;
        };
        if let Some(others) = self.by_service.get_mut(&service) {
            others.remove(&key);
            if others.is_empty() {
                self.by_service.remove(&service);
            }
        }
        true
    }

    /// Those that wait for one of these.
    pub(super) fn of_services(&self, services: &[Service]) -> Vec<(RunId, Place, i64)> {
        let keys = services
            .iter()
            .filter_map(|service| self.by_service.get(service))
            .flatten();
        keys.filter_map(|key| {
            let (_, place) = self.waiting.get(key)?;
            Some((key.0, place.clone(), key.1))
        })
        .collect()
    }

    pub(super) fn of_run(&self, run_id: RunId) -> Vec<i64> {
        let of_run = (run_id, i64::MIN)..=(run_id, i64::MAX);
        self.waiting.range(of_run).map(|((_, id), _)| *id).collect()
    }

    /// All of them; none is left.
    pub(super) fn take_all(&mut self) -> Vec<(RunId, i64)> {
        self.by_service.clear();
        std::mem::take(&mut self.waiting).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use longhaul_store::NamespaceId;

    use super::*;

    fn service(queue: &str, activity_type: &str) -> Service {
        (NamespaceId::DEFAULT, queue.to_owned(), activity_type.to_owned())
    }

    fn waits(unserved: &mut Unserved, run: u128, id: i64, service: Service) {
        let place = Place {
            namespace: NamespaceId::DEFAULT,
            workflow_id: "w".into(),
        };
        unserved.insert(RunId(run), id, service, place);
    }

    fn found(unserved: &Unserved, services: &[Service]) -> Vec<(u128, i64)> {
        let found = unserved.of_services(services);
        found.into_iter().map(|(run_id, _, id)| (run_id.0, id)).collect()
    }

    #[test]
    fn what_is_served_now_is_found_without_the_others() {
        let mut unserved = Unserved::default();
        waits(&mut unserved, 1, 5, service("q", "a"));
        waits(&mut unserved, 1, 6, service("q", "b"));
        waits(&mut unserved, 2, 5, service("q", "a"));
        waits(&mut unserved, 3, 5, service("r", "a"));
        assert_eq!(found(&unserved, &[service("q", "a")]), [(1, 5), (2, 5)]);
        assert_eq!(
            found(&unserved, &[service("q", "c"), service("r", "a")]),
            [(3, 5)]
        );
        // An operator has moved it to another queue.
        waits(&mut unserved, 1, 5, service("r", "a"));
        assert_eq!(found(&unserved, &[service("q", "a")]), [(2, 5)]);
        assert_eq!(unserved.of_run(RunId(1)), [5, 6]);
        assert!(unserved.remove(RunId(2), 5) && !unserved.remove(RunId(2), 5));
        assert_eq!(
            unserved.by_service.len(),
            2,
            "nothing is kept of what nobody waits for"
        );
        assert_eq!(unserved.take_all().len(), 3);
        assert!(unserved.is_empty() && found(&unserved, &[service("r", "a")]).is_empty());
    }
}
