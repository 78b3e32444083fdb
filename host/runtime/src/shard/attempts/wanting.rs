//! Activities that want to start: in their run's next turn, or when there is a slot for them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

use longhaul_store::RunId;

use crate::shard::Place;

/// Those of all runs of a shard.
#[derive(Debug, Default)]
pub(super) struct Wanting {
    /// To be looked at in the next turn of their run.
    fresh: HashMap<RunId, BTreeSet<i64>>,
    /// Those that were looked at, and for which there was no slot.
    waiting: HashMap<RunId, Waiting>,
    /// The runs of those, in the order in which they came.
    line: Line<RunId>,
}

/// Those of one run.
#[derive(Debug)]
struct Waiting {
    place: Place,
    line: Line<i64>,
}

/// An order of arrival in which everything stands once.
#[derive(Debug)]
struct Line<T> {
    order: BTreeMap<u64, T>,
    numbers: HashMap<T, u64>,
    last: u64,
}

impl Wanting {
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.waiting.is_empty()
    }

    /// Whether an activity is about to start, or waits for a slot.
    pub(super) fn contains(&self, run_id: RunId, scheduled_event_id: i64) -> bool {
        let fresh = self.fresh.get(&run_id);
        let waiting = self.waiting.get(&run_id);
        fresh.is_some_and(|ids| ids.contains(&scheduled_event_id))
            || waiting.is_some_and(|waiting| waiting.line.contains(&scheduled_event_id))
    }

    /// It is to be looked at in its run's next turn. If it waits for a slot it keeps its place.
    pub(super) fn add(&mut self, run_id: RunId, scheduled_event_id: i64) {
        self.fresh.entry(run_id).or_default().insert(scheduled_event_id);
    }

    /// What is to be looked at in this turn of the run. What waits for a slot goes on waiting.
    pub(super) fn take_fresh(&mut self, run_id: RunId) -> BTreeSet<i64> {
        self.fresh.remove(&run_id).unwrap_or_default()
    }

    /// There is no slot for it.
    pub(super) fn line_up(&mut self, run_id: RunId, place: Place, scheduled_event_id: i64) {
        let waiting = self.waiting.entry(run_id).or_insert_with(|| Waiting {
            place,
            line: Line::default(),
        });
        waiting.line.push(scheduled_event_id);
        self.line.push(run_id);
    }

    /// It does not wait for a slot any more.
    pub(super) fn leave_line(&mut self, run_id: RunId, scheduled_event_id: i64) {
        if let Some(waiting) = self.waiting.get_mut(&run_id) {
            waiting.line.remove(&scheduled_event_id);
            if waiting.line.is_empty() {
                self.waiting.remove(&run_id);
                self.line.remove(&run_id);
            }
        }
    }

    /// It does not want to start any more.
    pub(super) fn remove(&mut self, run_id: RunId, scheduled_event_id: i64) {
        if let Some(ids) = self.fresh.get_mut(&run_id) {
            ids.remove(&scheduled_event_id);
            if ids.is_empty() {
                self.fresh.remove(&run_id);
            }
        }
        self.leave_line(run_id, scheduled_event_id);
    }

    /// None of a run's does.
    pub(super) fn remove_run(&mut self, run_id: RunId) {
        self.fresh.remove(&run_id);
        self.waiting.remove(&run_id);
        self.line.remove(&run_id);
    }

    /// Whether anybody waits for a slot.
    pub(super) fn has_line(&self) -> bool {
        !self.line.is_empty()
    }

    /// There is a slot: the first activity of the run that has waited longest. If more of the run wait it goes to the end of the line, so
    /// that runs take turns.
    pub(super) fn next(&mut self) -> Option<(RunId, Place, i64)> {
        let run_id = self.line.pop()?;
        let waiting = self.waiting.get_mut(&run_id)?;
        let first = waiting.line.pop()?;
        let place = waiting.place.clone();
        if waiting.line.is_empty() {
            self.waiting.remove(&run_id);
        } else {
            self.line.push(run_id);
        }
        Some((run_id, place, first))
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            order: BTreeMap::new(),
            numbers: HashMap::new(),
            last: 0,
        }
    }
}

impl<T: Copy + Eq + Hash> Line<T> {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn contains(&self, it: &T) -> bool {
        self.numbers.contains_key(it)
    }

    /// To the end, unless it stands in the line already.
    fn push(&mut self, it: T) {
        if !self.contains(&it) {
            self.last += 1;
            self.order.insert(self.last, it);
            self.numbers.insert(it, self.last);
        }
    }

    fn remove(&mut self, it: &T) {
        if let Some(number) = self.numbers.remove(it) {
            self.order.remove(&number);
        }
    }

    fn pop(&mut self) -> Option<T> {
        let (_, first) = self.order.pop_first()?;
        self.numbers.remove(&first);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use longhaul_store::NamespaceId;

    use super::*;

    fn place() -> Place {
        Place {
            namespace: NamespaceId::DEFAULT,
            workflow_id: "w".into(),
        }
    }

    fn next(wanting: &mut Wanting) -> Option<(u128, i64)> {
        wanting.next().map(|(run_id, _, id)| (run_id.0, id))
    }

    /// A turn of a run in which there is no slot.
    fn turn_without_a_slot(wanting: &mut Wanting, run: u128) {
        for id in wanting.take_fresh(RunId(run)) {
            wanting.line_up(RunId(run), place(), id);
        }
    }

    #[test]
    fn a_run_that_has_turns_while_it_waits_stands_in_the_line_once() {
        let mut wanting = Wanting::default();
        for _ in 0..1_000 {
            wanting.add(RunId(1), 5);
            turn_without_a_slot(&mut wanting, 1);
        }
        assert_eq!(
            (
                wanting.line.order.len(),
                wanting.waiting[&RunId(1)].line.order.len()
            ),
            (1, 1)
        );
        assert_eq!(next(&mut wanting), Some((1, 5)));
        assert_eq!(next(&mut wanting), None);
        assert!(wanting.is_empty());
    }

    #[test]
    fn runs_take_turns_and_nothing_is_left_of_what_has_gone() {
        let mut wanting = Wanting::default();
        for id in [7, 6, 5] {
            wanting.add(RunId(1), id);
            turn_without_a_slot(&mut wanting, 1);
        }
        wanting.add(RunId(2), 9);
        turn_without_a_slot(&mut wanting, 2);
        wanting.add(RunId(3), 11);
        turn_without_a_slot(&mut wanting, 3);
        wanting.remove(RunId(1), 7);
        wanting.remove(RunId(2), 9);
        assert!(!wanting.contains(RunId(1), 7) && wanting.contains(RunId(1), 6));
        assert_eq!(
            next(&mut wanting),
            Some((1, 6)),
            "in the order in which they came"
        );
        assert!(wanting.has_line());
        assert_eq!(next(&mut wanting), Some((3, 11)));
        assert_eq!(next(&mut wanting), Some((1, 5)));
        assert!(wanting.is_empty() && !wanting.has_line());
        assert!(wanting.line.numbers.is_empty());
    }

    #[test]
    fn what_waits_is_not_looked_at_again_and_again() {
        let mut wanting = Wanting::default();
        for id in 0..100 {
            wanting.add(RunId(1), id);
        }
        turn_without_a_slot(&mut wanting, 1);
        wanting.add(RunId(1), 7);
        assert_eq!(wanting.take_fresh(RunId(1)), [7].into(), "it alone is new");
        wanting.leave_line(RunId(1), 7);
        wanting.remove_run(RunId(1));
        assert!(wanting.is_empty() && !wanting.has_line());
    }
}
