//! Batches, failures and notices.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    Notice, Transition, WriteError,
    disk::Fault,
    open::panic_text,
    store::Inner,
    writer::{
        Message, Notify,
        apply::{Refusal, apply},
        tables::{self, Tables},
    },
};

/// What the writer knows, and does; threads and queues are outside.
pub(crate) struct Core {
    store: Arc<Inner>,
    submitters: BTreeMap<usize, Registered>,
    stopped: bool,
}

struct Registered {
    notify: Notify,
    epoch: u64,
    /// Set from a failure until the submitter resumes: what it has queued builds on what was lost.
    failed: bool,
}

struct Submission {
    submitter: usize,
    ticket: u64,
    transition: Transition,
}

/// How a batch ended.
enum Outcome {
    Committed,
    /// One submitter's transition cannot be written; the others' can.
    Refused {
        submitter: usize,
        error: WriteError,
    },
    /// Nothing can be written any more.
    Lost(Fault),
}

impl Core {
    pub(crate) fn new(store: Arc<Inner>) -> Self {
        Self {
            store,
            submitters: BTreeMap::new(),
            stopped: false,
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Handles one message; if it is a transition, and `next` gives more of them, together with those. Returns whether it committed.
    pub(crate) fn take(&mut self, message: Message, mut next: impl FnMut() -> Option<Message>) -> bool {
        let mut committed = false;
        let mut message = Some(message);
        while let Some(current) = message.take() {
            match current {
                Message::Submit {
                    submitter,
                    ticket,
                    transition,
                } => {
                    let first = Submission {
                        submitter,
                        ticket,
                        transition,
                    };
                    let (batch, behind) = self.gather(first, &mut next);
                    committed |= self.write(batch);
                    // What ended the batch stands behind it in the queue, and is handled after it.
                    message = behind;
                }
                Message::Register { submitter, notify } => {
                    self.submitters.insert(
                        submitter,
                        Registered {
                            notify,
                            epoch: 0,
                            failed: false,
                        },
                    );
                }
                Message::Resume { submitter, epoch } => {
                    if let Some(registered) = self.submitters.get_mut(&submitter) {
                        registered.epoch = epoch;
                        registered.failed = false;
                    }
                }
                Message::Leave { submitter } => {
                    self.submitters.remove(&submitter);
                }
                Message::Recover { reply } => {
                    let result = self.recover();
                    // Whoever asked may have gone.
                    let _ = reply.send(result);
                }
                Message::Stop => {
                    self.stopped = true;
                    let all: Vec<usize> = self.submitters.keys().copied().collect();
                    for submitter in all {
                        self.fail(submitter, &WriteError::Stopped);
                    }
                }
            }
        }
        committed
    }

    fn gather(
        &self,
        first: Submission,
        next: &mut impl FnMut() -> Option<Message>,
    ) -> (Vec<Submission>, Option<Message>) {
        let options = &self.store.options;
        let mut bytes = first.transition.size_bytes();
        let mut batch = vec![first];
        while batch.len() < options.batch_max_transitions && bytes < options.batch_max_bytes {
            match next() {
                Some(Message::Submit {
                    submitter,
                    ticket,
                    transition,
                }) => {
                    bytes += transition.size_bytes();
                    batch.push(Submission {
                        submitter,
                        ticket,
                        transition,
                    });
                }
                behind => return (batch, behind),
            }
        }
        (batch, None)
    }

    /// Writes a batch, less what belongs to submitters that failed; returns whether anything was committed.
    fn write(&mut self, mut batch: Vec<Submission>) -> bool {
        loop {
            self.drop_failed(&mut batch);
            if batch.is_empty() {
                return false;
            }
            if let Some(error) = self.store.health().error() {
                self.fail_all(&batch, error);
                return false;
            }
            match self.commit(&batch) {
                Outcome::Committed => {
                    self.count_commit(batch.len());
                    self.acknowledge(&batch);
                    return true;
                }
                Outcome::Refused { submitter, error } => {
                    tracing::error!(%error, "a transition cannot be written");
                    self.fail(submitter, &error);
                    // The rest is tried again without it.
                    let before = batch.len();
                    batch.retain(|submission| submission.submitter != submitter);
                    self.count_rejected(before - batch.len());
                }
                Outcome::Lost(fault) => {
                    let error = self.store.fail(fault);
                    self.fail_all(&batch, &error);
                    return false;
                }
            }
        }
    }

    fn commit(&self, batch: &[Submission]) -> Outcome {
        // A panic in the database library must not leave requests waiting for ever: it counts as a failed disk.
        match catch_unwind(AssertUnwindSafe(|| self.try_commit(batch))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                let text = panic_text(panic.as_ref());
                Outcome::Lost(Fault::Failed(format!("the database library panicked: {text}")))
            }
        }
    }

    fn try_commit(&self, batch: &[Submission]) -> Outcome {
        let transaction = match self.store.begin_write() {
            Ok(transaction) => transaction,
            Err(error) => return self.lost(&error),
        };
        let applied = Tables::open(&transaction)
            .map_err(|refusal| (batch[0].submitter, refusal))
            .and_then(|mut tables| {
                for submission in batch {
                    for change in &submission.transition.changes {
                        apply(&mut tables, change).map_err(|refusal| (submission.submitter, refusal))?;
                    }
                }
                tables.finish().map_err(|refusal| (batch[0].submitter, refusal))
            });
        match applied {
            Ok(()) => {}
            Err((submitter, refusal)) => {
                return match (refusal, transaction.abort()) {
                    (Refusal::Storage(error), _) => self.lost(&error),
                    (_, Err(error)) => self.lost(&error.into()),
                    (Refusal::Change(error), Ok(())) => Outcome::Refused { submitter, error },
                };
            }
        }
        match (transaction.commit(), self.store.fault()) {
            (Ok(()), None) => Outcome::Committed,
            // A sync failed that the library took for harmless. We do not.
            (Ok(()), Some(fault)) => Outcome::Lost(fault),
            (Err(error), _) => self.lost(&error.into()),
        }
    }

    /// What the disk said first counts; what the library makes of it later says less.
    fn lost(&self, error: &redb::Error) -> Outcome {
        Outcome::Lost(
            self.store
                .fault()
                .unwrap_or_else(|| Fault::Failed(error.to_string())),
        )
    }

    /// Tries to write again after the disk was full.
    pub(crate) fn recover(&mut self) -> Result<(), WriteError> {
        match self.store.health() {
            crate::Health::Ok => return Ok(()),
            crate::Health::ReadOnly(error) => return Err(error),
            crate::Health::NoSpace(_) => {}
        }
        let reopened = self.store.reopen_for_writing().map_err(|error| match error {
            crate::OpenError::NoSpace { source, .. } => Fault::NoSpace(source.to_string()),
            error => self
                .store
                .fault()
                .unwrap_or_else(|| Fault::Failed(error.to_string())),
        });
        let proved = reopened.and_then(|()| {
            let probe = self.store.begin_write().and_then(|transaction| {
                tables::touch(&transaction)?;
                Ok(transaction.commit()?)
            });
            match (probe, self.store.fault()) {
                (Ok(()), None) => Ok(()),
                (_, Some(fault)) => Err(fault),
                (Err(error), None) => Err(Fault::Failed(error.to_string())),
            }
        });
        match proved {
            Ok(()) => {
                self.store.healed();
                Ok(())
            }
            Err(fault) => Err(self.store.fail(fault)),
        }
    }

    fn drop_failed(&self, batch: &mut Vec<Submission>) {
        let before = batch.len();
        // A submitter that has left still wants what it submitted to be written.
        batch.retain(|submission| {
            self.submitters
                .get(&submission.submitter)
                .is_none_or(|s| !s.failed)
        });
        self.count_rejected(before - batch.len());
    }

    fn fail_all(&mut self, batch: &[Submission], error: &WriteError) {
        self.count_rejected(batch.len());
        for submission in batch {
            self.fail(submission.submitter, error);
        }
    }

    /// Tells a submitter, once an epoch, that what it queued is lost.
    fn fail(&mut self, submitter: usize, error: &WriteError) {
        if let Some(registered) = self.submitters.get_mut(&submitter)
            && !registered.failed
        {
            registered.failed = true;
            (registered.notify)(Notice::Failed {
                epoch: registered.epoch,
                error: error.clone(),
            });
        }
    }

    fn acknowledge(&mut self, batch: &[Submission]) {
        // The queue keeps each submitter's order, so the last entry of each has its highest ticket.
        let mut highest = BTreeMap::new();
        for submission in batch {
            highest.insert(submission.submitter, submission.ticket);
        }
        for (submitter, up_to) in highest {
            if let Some(registered) = self.submitters.get_mut(&submitter) {
                (registered.notify)(Notice::Durable {
                    epoch: registered.epoch,
                    up_to,
                });
            }
        }
    }

    fn count_commit(&self, transitions: usize) {
        let counters = &self.store.counters;
        let transitions = transitions as u64;
        counters.commits.fetch_add(1, Ordering::Relaxed);
        counters.transitions.fetch_add(transitions, Ordering::Relaxed);
        counters.largest_commit.fetch_max(transitions, Ordering::Relaxed);
    }

    fn count_rejected(&self, transitions: usize) {
        self.store
            .counters
            .rejected
            .fetch_add(transitions as u64, Ordering::Relaxed);
    }
}
