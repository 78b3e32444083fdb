//! The executor: one run's tasks, operations and waits, and the order in which they go on.
//!
//! The order is the contract's and does not depend on how often or why a future is polled:
//!
//! 1. `advance` first lets a requested cancellation reach the operations, in the order in which they started.
//! 2. Every wait whose operation has ended is woken, in the order in which the waits began; tasks run first in, first out.
//! 3. When no task is ready, conditions are tried in the order in which they began. A condition is tried by polling its
//!    task with [`Runtime::probing`] set to the wait's number: only that condition evaluates its predicate then, so the
//!    task goes on at once and with the predicate still true.

mod operation;
mod task;
mod wait;

pub(crate) use operation::{Awaited, Kind, Operation};
pub(crate) use task::{HandlerKind, TaskName};
pub(crate) use wait::{Awaits, Parked, Place};

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Context;

use futures_util::future::LocalBoxFuture;

use crate::cancellation::WorkflowCancellationToken;
use crate::host::{ExecutionInfo, Host, Outcome, WaitingTask};
use task::{Handler, ReadyQueue, Task};
use wait::Wait;

thread_local! {
    static CURRENT: RefCell<Weak<Runtime>> = const { RefCell::new(Weak::new()) };
}

/// The state of one run.
pub(crate) struct Runtime {
    pub(crate) host: Box<dyn Host>,
    pub(crate) info: Rc<ExecutionInfo>,
    /// Cancelled when the execution is.
    pub(crate) root: WorkflowCancellationToken,
    /// The last `seq` given out.
    seq: Cell<u32>,
    /// The last wait's number.
    wait: Cell<u64>,
    /// The last task's or handler's number.
    id: Cell<u64>,
    /// The workflow task that is being worked on, by the length of history when it began. Asked for when needed.
    workflow_task: Cell<Option<u64>>,
    ready: Arc<ReadyQueue>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    /// The task that is being polled.
    current: Cell<u64>,
    /// The condition that is being tried.
    probing: Cell<Option<u64>>,
    operations: RefCell<BTreeMap<u32, Rc<Operation>>>,
    waits: RefCell<BTreeMap<u64, Wait>>,
    conditions: RefCell<BTreeSet<u64>>,
    /// Waits whose operation has ended since the last `advance`.
    ended: RefCell<Vec<u64>>,
    cancel_requested: RefCell<Option<String>>,
    /// Counts what may have made a condition true.
    changes: Cell<u64>,
    handlers: RefCell<BTreeMap<u64, Handler>>,
    closed: Cell<bool>,
}

impl Runtime {
    pub(crate) fn new(host: Box<dyn Host>, info: ExecutionInfo) -> Rc<Self> {
        Rc::new(Self {
            host,
            info: Rc::new(info),
            root: WorkflowCancellationToken::new(),
            seq: Cell::new(0),
            wait: Cell::new(0),
            id: Cell::new(0),
            workflow_task: Cell::new(None),
            ready: Arc::default(),
            tasks: RefCell::default(),
            current: Cell::new(0),
            probing: Cell::new(None),
            operations: RefCell::default(),
            waits: RefCell::default(),
            conditions: RefCell::default(),
            ended: RefCell::default(),
            cancel_requested: RefCell::default(),
            changes: Cell::new(0),
            handlers: RefCell::default(),
            closed: Cell::new(false),
        })
    }

    /// Make this the run that locks, queues and tokens belong to, on this thread.
    pub(crate) fn enter(self: &Rc<Self>) {
        CURRENT.with(|current| *current.borrow_mut() = Rc::downgrade(self));
    }

    /// The run that is being worked on.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with(|current| current.borrow().upgrade())
    }

    /// Give the numbers of operations out: 1, 2, 3, ...
    pub(crate) fn next_seq(&self) -> u32 {
        self.seq.set(self.seq.get() + 1);
        self.seq.get()
    }

    fn next_id(&self) -> u64 {
        self.id.set(self.id.get() + 1);
        self.id.get()
    }

    /// Names the current workflow task: history is longer at the next one.
    fn workflow_task(&self) -> u64 {
        if let Some(task) = self.workflow_task.get() {
            return task;
        }
        let task = self.host.task_info().history_length;
        self.workflow_task.set(Some(task));
        task
    }

    /// Something changed that a condition may look at.
    pub(crate) fn changed(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
    }

    /// The run has its terminal command.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Add a task that `advance` will poll, behind those that are ready.
    pub(crate) fn spawn(&self, name: TaskName, future: LocalBoxFuture<'static, ()>) -> u64 {
        let id = self.next_id();
        let task = Task::new(id, name, future, &self.ready);
        task.waker.wake_by_ref();
        self.tasks.borrow_mut().insert(id, task);
        id
    }

    /// Add a task and run it up to its first wait. No other task runs.
    pub(crate) fn run_handler(&self, name: TaskName, future: LocalBoxFuture<'static, ()>) {
        let id = self.next_id();
        let task = Task::new(id, name, future, &self.ready);
        self.tasks.borrow_mut().insert(id, task);
        self.poll_task(id);
    }

    /// Cancellation of the execution was requested. Marks it only.
    pub(crate) fn request_cancel(&self, reason: String) {
        self.cancel_requested.borrow_mut().get_or_insert(reason);
    }

    /// An operation has ended, or a child has started. Marks it only. An outcome that is not awaited any more, because
    /// the operation was cancelled here, is dropped.
    pub(crate) fn resolve(&self, seq: u32, outcome: Outcome) {
        let Some(operation) = self.operations.borrow().get(&seq).cloned() else {
            return;
        };
        let wait = operation.resolve(outcome);
        if operation.has_ended() {
            self.forget(&operation);
        }
        self.ended.borrow_mut().extend(wait);
    }

    /// Run every task until all of them wait. Whenever no task is ready, and before conditions are tried, `deliver` may
    /// begin the handlers of signals that the run has sent to itself; it says whether it has.
    pub(crate) fn advance(self: &Rc<Self>, mut deliver: impl FnMut() -> bool) {
        let mut woken = std::mem::take(&mut *self.ended.borrow_mut());
        let reason = self.cancel_requested.borrow_mut().take();
        if let Some(reason) = reason {
            woken.extend(self.root.cancel_collecting(Some(reason)));
        }
        self.wake_in_order(woken);
        loop {
            self.run_ready();
            if !deliver() && !self.try_conditions() && self.ready.is_empty() {
                break;
            }
        }
        self.workflow_task.set(None);
    }

    /// The children that have started and not ended, in the order in which they were started: the operation's number and
    /// the workflow id.
    pub(crate) fn running_children(&self) -> Vec<(u32, Rc<str>)> {
        let operations = self.operations.borrow();
        let children = operations.values().filter_map(|operation| {
            let id = operation.running_child()?;
            Some((operation.seq, id))
        });
        children.collect()
    }

    /// Wake waits in the order in which they began.
    pub(crate) fn wake_in_order(&self, mut waits: Vec<u64>) {
        waits.sort_unstable();
        waits.dedup();
        for wait in waits {
            self.wake(wait);
        }
    }

    /// Wake one wait.
    pub(crate) fn wake(&self, wait: u64) {
        let waker = self.waits.borrow().get(&wait).map(|wait| wait.waker.clone());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn run_ready(&self) {
        while let Some(id) = self.ready.pop() {
            self.poll_task(id);
        }
    }

    /// Try the conditions in order. True if one of them was true, or if trying them changed something.
    fn try_conditions(&self) -> bool {
        let before = self.progress();
        let mut tried = 0;
        loop {
            let next = self.conditions.borrow().range(tried + 1..).next().copied();
            let Some(condition) = next else {
                self.run_ready();
                return self.progress() != before;
            };
            tried = condition;
            self.probing.set(Some(condition));
            self.wake(condition);
            if let Some(id) = self.ready.pop() {
                self.poll_task(id);
            }
            self.probing.set(None);
            if !self.conditions.borrow().contains(&condition) {
                return true;
            }
        }
    }

    /// A value that differs whenever something has happened that may make a condition true.
    fn progress(&self) -> (u64, u64, usize, usize) {
        (
            self.changes.get(),
            self.wait.get(),
            self.waits.borrow().len(),
            self.tasks.borrow().len(),
        )
    }

    fn poll_task(&self, id: u64) {
        let Some((mut future, waker)) = self.tasks.borrow_mut().get_mut(&id).and_then(Task::take) else {
            return;
        };
        let before = self.current.replace(id);
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        self.current.set(before);
        if poll.is_pending() {
            if let Some(task) = self.tasks.borrow_mut().get_mut(&id) {
                task.future = Some(future);
            }
        } else {
            self.tasks.borrow_mut().remove(&id);
            drop(future);
        }
    }

    /// Where every task waits.
    pub(crate) fn waiting(&self) -> Vec<WaitingTask> {
        let waits = self.waits.borrow();
        let mut waiting = Vec::new();
        for (id, task) in self.tasks.borrow().iter() {
            let before = waiting.len();
            waiting.extend(
                waits
                    .values()
                    .filter(|wait| wait.task == *id)
                    .map(|wait| WaitingTask {
                        task: task.name.to_string(),
                        seq: wait.seq,
                        awaits: wait.awaits.to_string(),
                        place: wait.place.to_string(),
                    }),
            );
            if waiting.len() == before {
                waiting.push(WaitingTask {
                    task: task.name.to_string(),
                    seq: None,
                    awaits: if task.started {
                        "a future that is not of this SDK"
                    } else {
                        "its start"
                    }
                    .to_owned(),
                    place: String::new(),
                });
            }
        }
        waiting
    }
}
