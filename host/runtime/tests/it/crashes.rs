//! A client's script, played with a crash at every commit in turn: what the client sees and what the histories hold must be the same
//! as without.

use std::{future::Future, pin::Pin};

use longhaul_runtime::{Error, Runtime};
use longhaul_store::{Pending, Store, faults::Loss};
use serde_json::Value;

use crate::{common, world::*};

/// One request of the client; it is sent again after a crash that left it without an answer.
pub(crate) type Step = Pin<Box<dyn Future<Output = Result<Value, Error>>>>;

/// What a client does, and what is looked at in the end.
pub(crate) struct Script<'a> {
    /// Modules, each on the queue of its name.
    pub(crate) modules: &'a [&'a str],
    pub(crate) shards: usize,
    /// The steps, in order.
    pub(crate) steps: &'a dyn Fn(Runtime, usize) -> Option<Step>,
    /// Executions whose histories are compared.
    pub(crate) executions: &'a [&'a str],
}

/// The client's answers and the histories.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) answers: Vec<Value>,
    pub(crate) histories: Vec<String>,
}

/// Messages between executions that have no answer, as the disk has them.
pub(crate) fn unanswered(world: &World) -> usize {
    let disk = world.disk.crash(Loss::All);
    let store = Store::open_with_backend(common::options().store, disk).unwrap();
    store.read().unwrap().pending(Pending::Outbox).unwrap().count()
}

/// When the power goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crash {
    Never,
    /// Right after this commit: it is durable, and nobody has been told.
    AfterCommit(u64),
    /// At this sync: what it would have made durable is lost, or some of it.
    AtSync(u64),
}

impl Script<'_> {
    /// Play it with a crash, if it gets there.
    async fn play(&self, crash: Crash, loss: Loss) -> (Seen, bool) {
        let mut world = World::sharded(common::options(), self.shards);
        for module in self.modules {
            world.upload(module, module).await;
        }
        let first = world.commits();
        let syncs = world.disk.syncs();
        if let Crash::AtSync(number) = crash {
            world.disk.cut_power_at_sync(syncs + number);
        }
        let (mut crashed, mut answers) = (false, Vec::new());
        while let Some(request) = (self.steps)(world.rt(), answers.len()) {
            let commits = match crash {
                Crash::AfterCommit(number) if !crashed => first + number,
                _ => u64::MAX,
            };
            match world.drive_until_commit(request, commits).await {
                Some(Ok(answer)) => answers.push(answer),
                // Nothing but the power may refuse what the client asks.
                Some(Err(error)) if crashed || world.rt().write_failure().is_none() => {
                    panic!("{crash:?}: step {}: {error}", answers.len())
                }
                Some(Err(_)) | None => {
                    crashed = true;
                    world.crash(loss, SECOND);
                }
            }
        }
        world.sim.settle().await;
        if !crashed && world.rt().write_failure().is_some() {
            // The power went behind the client's last answer.
            crashed = true;
            world.crash(loss, SECOND);
            world.sim.settle().await;
        }
        let histories = self.executions.iter().map(|id| world.history(id)).collect();
        assert_eq!(
            unanswered(&world),
            0,
            "{crash:?}: all that was sent has its answer, and its row has gone"
        );
        (Seen { answers, histories }, crashed)
    }

    /// Play it without a crash, then with one at each point of a kind in turn. Answers what is seen, and how many crashes there were.
    pub(crate) async fn crash_everywhere(&self, crash_at: impl Fn(u64) -> Crash) -> (Seen, u64) {
        let (expected, _) = self.play(Crash::Never, Loss::All).await;
        for number in 1.. {
            // Everything unsynced is lost, or some of it by a seed.
            let loss = if number % 2 == 0 {
                Loss::All
            } else {
                Loss::Some { seed: number }
            };
            let crash = crash_at(number);
            let (seen, crashed) = self.play(crash, loss).await;
            if !crashed {
                return (expected, number - 1);
            }
            assert_eq!(seen.answers, expected.answers, "{crash:?}, {loss:?}");
            for (seen, expected) in seen.histories.iter().zip(&expected.histories) {
                assert!(
                    seen == expected,
                    "{crash:?}, {loss:?}: expected\n{expected}\nfound\n{seen}"
                );
            }
        }
        unreachable!("some number is behind the script's end")
    }
}
