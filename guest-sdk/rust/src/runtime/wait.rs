//! Where tasks wait.

use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use super::Runtime;
use crate::cancellation::WorkflowCancellationToken;

/// The line of the user's code that waits.
pub(crate) type Place = &'static Location<'static>;

/// What a task awaits, in words.
#[derive(Clone)]
pub(crate) enum Awaits {
    Timer(Duration),
    Activity(Rc<str>),
    LocalActivity(Rc<str>),
    ChildStart(Rc<str>),
    Child(Rc<str>),
    SendSignal(Rc<str>),
    CancelExternal(Rc<str>),
    Condition,
    Cancellation,
    Signal(Rc<str>),
    Lock,
    Semaphore,
    Queue,
}

impl fmt::Display for Awaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer(duration) => write!(f, "timer {}", Human(*duration)),
            Self::Activity(name) => write!(f, "activity {name}"),
            Self::LocalActivity(name) => write!(f, "local activity {name}"),
            Self::ChildStart(name) => write!(f, "start of child {name}"),
            Self::Child(name) => write!(f, "child {name}"),
            Self::SendSignal(name) => write!(f, "delivery of signal {name}"),
            Self::CancelExternal(id) => write!(f, "cancel request to {id}"),
            Self::Condition => f.write_str("condition"),
            Self::Cancellation => f.write_str("cancellation"),
            Self::Signal(name) => write!(f, "signal {name}"),
            Self::Lock => f.write_str("lock"),
            Self::Semaphore => f.write_str("semaphore"),
            Self::Queue => f.write_str("queue"),
        }
    }
}

/// A duration as people write it: `7d`, `1h30m`, `250ms`.
struct Human(Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3_600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (u64::from(self.0.subsec_millis()), "ms"),
            (u64::from(self.0.subsec_nanos() % 1_000_000), "ns"),
        ];
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        parts
            .iter()
            .filter(|(amount, _)| *amount > 0)
            .try_for_each(|(amount, unit)| write!(f, "{amount}{unit}"))
    }
}

/// A wait of a task.
pub(super) struct Wait {
    pub(super) task: u64,
    pub(super) waker: Waker,
    pub(super) awaits: Awaits,
    pub(super) seq: Option<u32>,
    pub(super) place: Place,
}

/// A future's entry among the waits; it ends when this is dropped.
#[derive(Default)]
pub(crate) struct Parked {
    entry: Option<Entry>,
}

struct Entry {
    runtime: Weak<Runtime>,
    number: u64,
    token: Option<WorkflowCancellationToken>,
}

impl Parked {
    /// The wait's number, once it has begun.
    pub(crate) fn number(&self) -> Option<u64> {
        self.entry.as_ref().map(|entry| entry.number)
    }

    /// Begin the wait, or go on with it. True if it begins.
    pub(crate) fn park(
        &mut self,
        runtime: &Rc<Runtime>,
        context: &Context<'_>,
        awaits: impl FnOnce() -> Awaits,
        seq: Option<u32>,
        place: Place,
    ) -> bool {
        if let Some(entry) = &self.entry {
            if let Some(wait) = runtime.waits.borrow_mut().get_mut(&entry.number) {
                wait.waker.clone_from(context.waker());
                wait.task = runtime.current.get();
            }
            return false;
        }
        let number = runtime.wait.get() + 1;
        runtime.wait.set(number);
        let wait = Wait {
            task: runtime.current.get(),
            waker: context.waker().clone(),
            awaits: awaits(),
            seq,
            place,
        };
        runtime.waits.borrow_mut().insert(number, wait);
        self.entry = Some(Entry {
            runtime: Rc::downgrade(runtime),
            number,
            token: None,
        });
        true
    }

    /// Also wake the wait when the token is cancelled.
    pub(crate) fn watch(&mut self, token: &WorkflowCancellationToken) {
        if let Some(entry) = &mut self.entry {
            token.add_wait(entry.number, entry.runtime.clone());
            entry.token = Some(token.clone());
        }
    }

    /// Try the wait as a condition whenever no task is ready.
    pub(crate) fn make_condition(&self) {
        if let Some(entry) = &self.entry
            && let Some(runtime) = entry.runtime.upgrade()
        {
            runtime.conditions.borrow_mut().insert(entry.number);
        }
    }

    /// Is this the condition that is being tried?
    pub(crate) fn is_probed(&self, runtime: &Runtime) -> bool {
        self.number().is_some() && runtime.probing.get() == self.number()
    }

    /// End the wait.
    pub(crate) fn leave(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        if let Some(token) = entry.token {
            token.remove_wait(entry.number);
        }
        if let Some(runtime) = entry.runtime.upgrade() {
            runtime.waits.borrow_mut().remove(&entry.number);
            runtime.conditions.borrow_mut().remove(&entry.number);
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let cases = [
            (0, "0s"),
            (7 * 86_400_000, "7d"),
            (5_400_000, "1h30m"),
            (250, "250ms"),
            (61_001, "1m1s1ms"),
        ];
        for (millis, text) in cases {
            assert_eq!(Human(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
