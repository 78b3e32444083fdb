//! The one writer: what is submitted becomes durable in its order, many transitions a commit.
//!
//! The writer takes one transition, drains what else is queued, writes all of it in one transaction with one durable commit, and tells
//! each submitter once how far it got. There is no timer in this: while one commit runs the next batch gathers, so a lone transition
//! waits for nothing and a busy store commits in large groups.

mod apply;
mod core;
mod tables;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
};

use crate::{SubmitError, Transition, WriteError, store::Inner, sync::lock, writer::core::Core};

pub(crate) use tables::pending_table;

/// What a submitter is told.
#[derive(Debug, Clone)]
pub enum Notice {
    /// All transitions of the submitter up to this ticket are durable.
    Durable {
        /// The submitter's epoch at the time of their submission.
        epoch: u64,
        /// The highest ticket.
        up_to: u64,
    },
    /// None of the submitter's transitions that were not durable before will be, nor any that follows, until it calls
    /// [`Submitter::resume`]: what it computes ahead builds on what is lost. Comes once an epoch.
    ///
    /// The transitions of the commit that failed may in rare cases be found durable after a restart; they never are in part.
    Failed {
        /// The submitter's epoch.
        epoch: u64,
        /// Why.
        error: WriteError,
    },
}

/// Called by the writer, on its thread. It must only hand the notice on: it must not block, and must not call the writer.
type Notify = Box<dyn FnMut(Notice) + Send>;

pub(crate) enum Message {
    Register {
        submitter: usize,
        notify: Notify,
    },
    Submit {
        submitter: usize,
        ticket: u64,
        transition: Transition,
    },
    Resume {
        submitter: usize,
        epoch: u64,
    },
    Leave {
        submitter: usize,
    },
    Recover {
        reply: SyncSender<Result<(), WriteError>>,
    },
    Stop,
}

/// The handle to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Shared>);

struct Shared {
    queue: Queue,
    next_submitter: AtomicUsize,
    transition_max_bytes: usize,
}

enum Queue {
    Thread {
        sender: SyncSender<Message>,
        thread: Mutex<Option<JoinHandle<()>>>,
    },
    Inline {
        state: Mutex<Inline>,
        capacity: usize,
    },
}

struct Inline {
    core: Core,
    waiting: VecDeque<Message>,
    stopped: bool,
}

impl Writer {
    pub(crate) fn threaded(store: Arc<Inner>) -> Self {
        let (sender, receiver) = mpsc::sync_channel(store.options.queue_capacity.max(1));
        let transition_max_bytes = store.options.transition_max_bytes;
        let core = Core::new(store);
        let thread = thread::Builder::new()
            .name("longhaul-writer".to_owned())
            .spawn(move || run(core, &receiver));
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(error) => {
                // The receiver is gone with the closure, so every submission is refused as stopped.
                tracing::error!(%error, "cannot start the writer's thread: nothing can be written");
                None
            }
        };
        Self(Arc::new(Shared {
            queue: Queue::Thread {
                sender,
                thread: Mutex::new(thread),
            },
            next_submitter: AtomicUsize::new(0),
            transition_max_bytes,
        }))
    }

    pub(crate) fn inline(store: Arc<Inner>) -> Self {
        let capacity = store.options.queue_capacity.max(1);
        let transition_max_bytes = store.options.transition_max_bytes;
        let state = Mutex::new(Inline {
            core: Core::new(store),
            waiting: VecDeque::new(),
            stopped: false,
        });
        Self(Arc::new(Shared {
            queue: Queue::Inline { state, capacity },
            next_submitter: AtomicUsize::new(0),
            transition_max_bytes,
        }))
    }

    /// A new submitter: one for each loop that computes transitions. `notify` is called on the writer's thread (inline: in `pump`),
    /// once a commit that held transitions of the submitter; it must only hand the notice on, and must neither block nor call the
    /// writer.
    pub fn register(&self, notify: impl FnMut(Notice) + Send + 'static) -> Submitter {
        let submitter = self.0.next_submitter.fetch_add(1, Ordering::Relaxed);
        // If the writer has stopped, the submitter finds out when it submits.
        let _ = self.0.send(Message::Register {
            submitter,
            notify: Box::new(notify),
        });
        Submitter {
            shared: Arc::clone(&self.0),
            submitter,
            epoch: 0,
            next_ticket: 1,
        }
    }

    /// Tries to write again after [`WriteError::NoSpace`]: opens the file anew and commits once. `Ok` if the store takes writes now (or
    /// did before); then submitters that had failed may resume. Blocks for the queue and a commit; call it now and then while the disk
    /// is full, from where blocking does no harm.
    pub fn recover(&self) -> Result<(), WriteError> {
        match &self.0.queue {
            Queue::Thread { sender, .. } => {
                let (reply, answer) = mpsc::sync_channel(1);
                sender
                    .send(Message::Recover { reply })
                    .map_err(|_| WriteError::Stopped)?;
                answer.recv().map_err(|_| WriteError::Stopped)?
            }
            Queue::Inline { state, .. } => {
                self.pump();
                lock(state).core.recover()
            }
        }
    }

    /// Inline writer: writes all that is queued, in groups, and gives notice; returns the number of commits. With a thread it does
    /// nothing.
    pub fn pump(&self) -> usize {
        let Queue::Inline { state, .. } = &self.0.queue else {
            return 0;
        };
        let state = &mut *lock(state);
        let mut commits = 0;
        while let Some(message) = state.waiting.pop_front() {
            commits += usize::from(state.core.take(message, || state.waiting.pop_front()));
        }
        commits
    }

    /// How many messages wait in an inline writer's queue; 0 with a thread, which takes them itself.
    pub fn waiting(&self) -> usize {
        match &self.0.queue {
            Queue::Inline { state, .. } => lock(state).waiting.len(),
            Queue::Thread { .. } => 0,
        }
    }

    /// Writes what was submitted before, then stops: later submissions are refused, and every submitter gets [`WriteError::Stopped`].
    /// Blocks until it is done. Must not be called from a notification.
    pub fn stop(&self) {
        match &self.0.queue {
            Queue::Thread { sender, thread } => {
                // An error means that it has stopped already.
                let _ = sender.send(Message::Stop);
                if let Some(thread) = lock(thread).take()
                    && thread.join().is_err()
                {
                    tracing::error!("the writer's thread ended by a panic");
                }
            }
            Queue::Inline { state, .. } => {
                self.pump();
                let state = &mut *lock(state);
                state.core.take(Message::Stop, || None);
                state.stopped = true;
            }
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &self.0.queue {
            Queue::Thread { .. } => "thread",
            Queue::Inline { .. } => "inline",
        };
        f.debug_tuple("Writer").field(&mode).finish()
    }
}

impl Shared {
    fn send(&self, message: Message) -> Result<(), Refused> {
        match &self.queue {
            Queue::Thread { sender, .. } => sender.send(message).map_err(|_| Refused::Stopped),
            Queue::Inline { .. } => self.try_send(message),
        }
    }

    fn try_send(&self, message: Message) -> Result<(), Refused> {
        match &self.queue {
            Queue::Thread { sender, .. } => sender.try_send(message).map_err(|error| match error {
                TrySendError::Full(message) => Refused::Full(message),
                TrySendError::Disconnected(_) => Refused::Stopped,
            }),
            Queue::Inline { state, capacity } => {
                let state = &mut *lock(state);
                // Only transitions count: the others are few, and must not be lost.
                let bounded = matches!(message, Message::Submit { .. });
                if state.stopped {
                    return Err(Refused::Stopped);
                }
                if bounded && state.waiting.len() >= *capacity {
                    return Err(Refused::Full(message));
                }
                state.waiting.push_back(message);
                Ok(())
            }
        }
    }
}

enum Refused {
    Stopped,
    Full(Message),
}

/// One source of transitions. Its transitions become durable in the order in which they were submitted.
pub struct Submitter {
    shared: Arc<Shared>,
    submitter: usize,
    epoch: u64,
    next_ticket: u64,
}

impl Submitter {
    /// Queues a transition, and returns its ticket: tickets count from 1, without gaps, across epochs. It becomes durable together
    /// with others; a [`Notice`] tells. Blocks while the queue is full (inline: fails with [`SubmitError::Full`]).
    pub fn submit(&mut self, transition: Transition) -> Result<u64, SubmitError> {
        self.queue(transition, Shared::send)
    }

    /// As [`submit`](Self::submit), but hands the transition back while the queue is full.
    pub fn try_submit(&mut self, transition: Transition) -> Result<u64, SubmitError> {
        self.queue(transition, Shared::try_send)
    }

    fn queue(
        &mut self,
        transition: Transition,
        send: impl FnOnce(&Shared, Message) -> Result<(), Refused>,
    ) -> Result<u64, SubmitError> {
        let (found, limit) = (transition.size_bytes(), self.shared.transition_max_bytes);
        if found > limit {
            return Err(SubmitError::TooLarge { found, limit });
        }
        let ticket = self.next_ticket;
        match send(
            &self.shared,
            Message::Submit {
                submitter: self.submitter,
                ticket,
                transition,
            },
        ) {
            Ok(()) => {
                self.next_ticket += 1;
                Ok(ticket)
            }
            Err(Refused::Full(Message::Submit { transition, .. })) => {
                Err(SubmitError::Full(Box::new(transition)))
            }
            Err(Refused::Full(_) | Refused::Stopped) => Err(SubmitError::Stopped),
        }
    }

    /// After [`Notice::Failed`], once all that builds on the lost transitions is gone and rebuilt from what is durable: what is
    /// submitted from here on is taken again. Returns the new epoch; notices of older epochs may still come and mean nothing.
    ///
    /// While the store cannot write, the new epoch fails as the old one did.
    pub fn resume(&mut self) -> u64 {
        self.epoch += 1;
        // If the writer has stopped, the next submission says so.
        let _ = self.shared.send(Message::Resume {
            submitter: self.submitter,
            epoch: self.epoch,
        });
        self.epoch
    }

    /// The epoch of what is submitted now; counts from 0, one more with each resume.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("submitter", &self.submitter)
            .field("epoch", &self.epoch)
            .field("next_ticket", &self.next_ticket)
            .finish_non_exhaustive()
    }
}

impl Drop for Submitter {
    fn drop(&mut self) {
        let _ = self.shared.send(Message::Leave {
            submitter: self.submitter,
        });
    }
}

/// The writer's thread.
fn run(mut core: Core, receiver: &Receiver<Message>) {
    while let Ok(message) = receiver.recv() {
        core.take(message, || receiver.try_recv().ok());
        if core.stopped() {
            return;
        }
    }
}
