//! What the code of an attempt calls: its heartbeats, and whether it should stop (A3, A4).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use longhaul_engine::{activity::Activity, execution::AttemptEnd};
use longhaul_history::{proto::common::v1::Payloads, time};
use longhaul_sandbox::{ActivityHost, CancellationReason, wit::types};
use tokio::sync::{Notify, watch};

use super::AttemptKey;
use crate::{
    activities::size,
    core::Core,
    guest,
    shard::{Place, ShardMailbox, message::Notice, run::Run},
};

/// Whether, and why, an attempt should stop.
#[derive(Debug, Default)]
pub(in crate::shard) struct Cancellation(watch::Sender<Option<CancellationReason>>);

impl Cancellation {
    pub(in crate::shard) fn request(&self, reason: CancellationReason) {
        self.0.send_replace(Some(reason));
    }

    /// None: it should go on.
    pub(in crate::shard) fn reason(&self) -> Option<CancellationReason> {
        *self.0.borrow()
    }

    /// Wait until it should stop.
    pub(in crate::shard) async fn requested(&self) {
        // That there is no sender any more cannot be: it is borrowed.
        let _ = self.subscribe().wait_for(Option::is_some).await;
    }

    /// Follow it.
    pub(in crate::shard) fn subscribe(&self) -> watch::Receiver<Option<CancellationReason>> {
        self.0.subscribe()
    }
}

/// What the guest of an attempt calls.
pub(super) struct Host {
    core: Arc<Core>,
    key: AttemptKey,
    place: Place,
    mailbox: Arc<ShardMailbox>,
    pub(super) cancel: Arc<Cancellation>,
    beat: Mutex<Beat>,
    /// Details are kept now, or were refused.
    news: Notify,
}

/// Heartbeats, not more often than they are of use: each that is passed on is a commit.
#[derive(Default)]
struct Beat {
    every: Duration,
    sent: Option<Instant>,
    /// The newest details, while they are not passed on.
    kept: Option<Payloads>,
    /// Details were too large, which ends the attempt.
    refused: bool,
}

/// As Temporal's SDKs: at four fifths of the heartbeat timeout, at most every 30 s; the details of the last one are passed on when
/// that time is over, also if no other follows.
fn beat_every(activity: &Activity) -> Duration {
    const LONGEST: Duration = Duration::from_secs(30);
    let limit_ns = activity.heartbeat().and_then(time::ns_from_duration).unwrap_or(0);
    if limit_ns == 0 {
        LONGEST
    } else {
        Duration::from_nanos(limit_ns / 5 * 4).min(LONGEST)
    }
}

impl Host {
    /// For the current attempt of an activity.
    pub(super) fn new(core: Arc<Core>, mailbox: Arc<ShardMailbox>, run: &Run, activity: &Activity) -> Self {
        Self {
            core,
            key: AttemptKey {
                run_id: run.run_id,
                scheduled_event_id: activity.scheduled_event_id,
                nonce: activity.attempt.nonce,
            },
            place: run.place(),
            mailbox,
            cancel: Arc::default(),
            beat: Mutex::new(Beat {
                every: beat_every(activity),
                ..Beat::default()
            }),
            news: Notify::new(),
        }
    }

    pub(super) fn key(&self) -> AttemptKey {
        self.key
    }

    /// Whoever asks the attempt to stop.
    pub(super) fn cancellations(&self) -> watch::Receiver<Option<CancellationReason>> {
        self.cancel.subscribe()
    }

    /// Pass on what was kept.
    pub(super) fn flush(&self) {
        let mut beat = self.beat();
        let Some(details) = beat.kept.take() else { return };
        beat.sent = Some(Instant::now());
        drop(beat);
        self.send(details);
    }

    /// Pass on what is kept as soon as it is of use: the code's next heartbeat may come after the timeout. Returns when details are
    /// [refused](Self::refused).
    pub(super) async fn pass_on(&self) -> AttemptEnd {
        loop {
            if let Some(end) = self.refused() {
                return end;
            }
            let rest = {
                let beat = self.beat();
                let rest = |sent: Instant| beat.every.saturating_sub(sent.elapsed());
                beat.kept
                    .is_some()
                    .then(|| beat.sent.map_or(Duration::ZERO, rest))
            };
            let over = async {
                match rest {
                    Some(rest) => tokio::time::sleep(rest).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => self.flush(),
                () = self.news.notified() => {}
            }
        }
    }

    /// The end of the attempt if it has sent a heartbeat that was too large.
    pub(super) fn refused(&self) -> Option<AttemptEnd> {
        self.beat().refused.then(size::heartbeat_too_large)
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, details: Payloads) {
        self.mailbox.notice(Notice::Heartbeat {
            key: self.key,
            place: self.place.clone(),
            details,
        });
    }
}

#[async_trait]
impl ActivityHost for Host {
    fn heartbeat(&self, details: types::Payloads) {
        let details = guest::payloads_out(details);
        let limits = &self.core.options.limits.history;
        let fits = size::heartbeat(limits, Some(&details)).is_ok();
        let mut beat = self.beat();
        if beat.refused {
            return;
        }
        if !fits {
            beat.refused = true;
            drop(beat);
            return self.news.notify_one();
        }
        if beat.sent.is_some_and(|sent| sent.elapsed() < beat.every) {
            let first = beat.kept.replace(details).is_none();
            drop(beat);
            if first {
                self.news.notify_one();
            }
            return;
        }
        beat.sent = Some(Instant::now());
        beat.kept = None;
        drop(beat);
        self.send(details);
    }

    fn cancellation(&self) -> Option<CancellationReason> {
        self.cancel.reason()
    }

    async fn cancelled(&self) {
        self.cancel.requested().await;
    }
}
