//! One seed: its plan is played, power is lost now and then, and in the end everything is as it must be.

use std::{collections::VecDeque, task::Poll, time::Duration};

use longhaul_store::faults::{FaultyDisk, Loss};

use super::{
    check,
    client::{Asked, Before, Then, Told, ask},
    plan::{Action, Ending, Op, Plan},
    random::Random,
};
use crate::{common, world::*};
use longhaul_runtime::Warm;

/// Rounds in a row without a commit after which time passes: an attempt of an activity takes some of them to come to its end.
const QUIET_ROUNDS: usize = 12;
/// How often time may pass without any answer or commit.
const STANDSTILL: usize = 60;
/// How often time may pass at all: what fails again and again never stands still.
const PASSES: usize = 2_000;
/// The first stretch of time that passes; each further one is twice as long until something happens.
const STRETCH: Duration = Duration::from_millis(8);
const LONGEST_STRETCH: Duration = Duration::from_secs(60);

/// What many seeds share: a sandbox with the Lab in it, and disks that hold it.
pub(crate) struct Bench {
    warm: Warm,
    /// With the Lab as it is, and with a Lab that no fork can carry.
    disks: [Vec<u8>; 2],
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let mut options = common::options();
        options.sandbox.arena_slots = 1_024;
        let sandbox = longhaul_sandbox::Sandbox::new(options.sandbox.clone()).unwrap();
        let lab = common::component("lab");
        let unforkable = [&lab[..], &UNUSED_MODULE].concat();
        let components = [lab, unforkable, common::component("lab-activities")];
        let modules = components.iter().map(|bytes| sandbox.compile(bytes).unwrap());
        let warm = Warm::new(sandbox.clone(), modules.collect());
        let disks = [Self::disk(false).await, Self::disk(true).await];
        Self { warm, disks }
    }

    async fn disk(unforkable: bool) -> Vec<u8> {
        let mut world = World::new();
        if unforkable {
            world.upload_unforkable("lab", "lab").await;
        } else {
            world.upload("lab", "lab").await;
        }
        world.upload("lab-activities", "lab").await;
        world.disk.crash(Loss::All).contents()
    }
}

/// When the power goes next.
#[derive(Debug, Clone, Copy)]
enum Crash {
    Never,
    /// Right after this commit: it is durable, and nobody has been told.
    AfterCommit(u64),
    /// At a sync: what it would have made durable is lost, or some of it.
    AtSync,
}

pub(crate) struct Play<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) world: World,
    pub(crate) told: Told,
    random: Random,
    crash: Crash,
    crashes: u64,
    stretch: Duration,
    standstill: usize,
    passes: usize,
}

/// What a client still has to do, and what it waits for.
struct Client {
    ops: VecDeque<Op>,
    asked: Option<(Asked, Before)>,
    resting: bool,
}

/// Play the plan of a seed.
pub(crate) async fn play(bench: &Bench, seed: u64) {
    let mut random = Random::new(seed);
    let plan = Plan::of(&mut random);
    let mut options = common::options();
    options.instances = plan.instances;
    let disk = FaultyDisk::holding(bench.disks[usize::from(plan.unforkable)].clone());
    let world = World::on(disk, options, plan.shards, Some(bench.warm.clone()));
    let mut play = Play {
        plan: &plan,
        world,
        told: Told::default(),
        crashes: plan.crashes,
        random,
        crash: Crash::Never,
        stretch: STRETCH,
        standstill: 0,
        passes: 0,
    };
    play.draw_crash();
    play.clients(vec![plan.starts.clone()]).await;
    play.clients(plan.clients.clone()).await;
    play.clients(vec![plan.endings.clone()]).await;
    play.clients(plan.children.iter().map(|child| vec![ends(&child.id)]).collect())
        .await;
    play.rest().await;
    check::all(&mut play).await;
}

/// Wait until a child has closed.
fn ends(id: &str) -> Op {
    Op {
        id: format!("end of {id}"),
        to: id.to_owned(),
        root: 0,
        action: Action::Closed,
        lines: Vec::new(),
    }
}

impl Play<'_> {
    fn draw_crash(&mut self) {
        self.crash = match (self.crashes, self.random.below(2)) {
            (0, _) => Crash::Never,
            (_, 0) => Crash::AfterCommit(self.world.commits() + 1 + self.random.below(20)),
            _ => {
                let sync = self.world.disk.syncs() + 1 + self.random.below(40);
                self.world.disk.cut_power_at_sync(sync);
                Crash::AtSync
            }
        };
    }

    /// Clients do what they have to do, one request after the other, each for itself.
    async fn clients(&mut self, ops: Vec<Vec<Op>>) {
        let mut clients: Vec<Client> = ops
            .into_iter()
            .map(|ops| Client {
                ops: ops.into(),
                asked: None,
                resting: false,
            })
            .collect();
        let mut quiet = 0;
        loop {
            let heard = self.ask_all(&mut clients).await;
            if clients.iter().all(|client| client.ops.is_empty()) {
                return;
            }
            let commits = self.world.sim.round();
            if self.world.rt().write_failure().is_some() {
                // Whoever is told something now is told it rightly, although what was to be written is lost.
                self.ask_all(&mut clients).await;
            }
            if self.lose_power() {
                for client in &mut clients {
                    client.asked = None;
                }
                quiet = 0;
                continue;
            }
            tokio::task::yield_now().await;
            if heard || commits > 0 {
                (quiet, self.stretch, self.standstill) = (0, STRETCH, 0);
                continue;
            }
            quiet += 1;
            if quiet > QUIET_ROUNDS {
                quiet = 0;
                self.pass_time();
                for client in &mut clients {
                    client.resting = false;
                }
                assert!(
                    self.standstill < STANDSTILL && self.passes < PASSES,
                    "it comes to no end; asked for, and not answered: {:#?}\n{}",
                    clients
                        .iter()
                        .filter_map(|client| client.ops.front())
                        .collect::<Vec<_>>(),
                    self.histories()
                );
            }
        }
    }

    /// Time passes: little at first, so that what is near comes before what is far.
    fn pass_time(&mut self) {
        self.world.pass(self.stretch);
        self.stretch = (self.stretch * 2).min(LONGEST_STRETCH);
        self.standstill += 1;
        self.passes += 1;
    }

    /// Send what is to be sent, and take in what has been answered. True if anything was.
    async fn ask_all(&mut self, clients: &mut [Client]) -> bool {
        let mut heard = false;
        for client in clients {
            while !client.resting
                && let Some(op) = client.ops.front()
            {
                let (asked, _) = client.asked.get_or_insert_with(|| {
                    *self.told.sends.entry(op.id.clone()).or_default() += 1;
                    (ask(self.world.rt(), self.plan, op), self.told.before(op))
                });
                let polled = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
                let Poll::Ready(answer) = polled else { break };
                if answer.is_err() && self.world.rt().write_failure().is_some() {
                    // Without power nothing is answered; it is asked again when that is back.
                    client.asked = None;
                    break;
                }
                let Some((_, before)) = client.asked.take() else {
                    break;
                };
                match self.told.hear(self.plan, op, &before, answer) {
                    Then::Next => {
                        heard = true;
                        client.ops.pop_front();
                    }
                    Then::Wait => client.resting = true,
                }
            }
        }
        heard
    }

    /// Lose power if it is time.
    fn lose_power(&mut self) -> bool {
        let due = match self.crash {
            Crash::Never => false,
            Crash::AfterCommit(commits) => self.world.commits() >= commits,
            Crash::AtSync => self.world.rt().write_failure().is_some(),
        };
        if !due {
            return false;
        }
        let loss = match self.random.below(2) {
            0 => Loss::All,
            _ => Loss::Some {
                seed: self.random.next(),
            },
        };
        let down = self.random.pick(&[0, 1, 3_600]);
        self.world.crash(loss, Duration::from_secs(down));
        self.crashes -= 1;
        self.draw_crash();
        true
    }

    /// Let everything happen that still can.
    async fn rest(&mut self) {
        self.settle().await;
        if self.plan.roots.iter().any(|root| root.ending == Ending::Stay) {
            // A race that is cancelled as a whole leaves behind what its branches have begun: their activities come to their end.
            self.stretch = STRETCH;
            while self.stretch < LONGEST_STRETCH {
                self.pass_time();
                self.settle().await;
            }
        }
        // From here on power stays: what is looked at now is what there is.
        if let Crash::AtSync = self.crash {
            self.world.disk.cut_power_at_sync(u64::MAX);
        }
        self.crash = Crash::Never;
    }

    /// Let everything happen that can without time passing.
    async fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            quiet = if self.world.sim.round() == 0 { quiet + 1 } else { 0 };
            if self.lose_power() {
                quiet = 0;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The executions that there are.
    pub(crate) fn executions(&self) -> impl Iterator<Item = (&str, bool)> {
        let roots = self.plan.roots.iter();
        let roots = roots.map(|root| (root.id.as_str(), root.ending != Ending::Cut));
        roots.chain(
            self.plan
                .children
                .iter()
                .map(|child| (child.id.as_str(), child.must)),
        )
    }

    /// All histories as text, for a failure.
    pub(crate) fn histories(&self) -> String {
        let mut text = String::new();
        for (id, _) in self.executions() {
            let history = self.world.rt().whole_history("default", id, "");
            let history = history.map_or_else(
                |error| error.to_string(),
                |history| longhaul_history::text::history(&history.events),
            );
            text.push_str(&format!("--- {id}\n{history}\n"));
        }
        text
    }
}
