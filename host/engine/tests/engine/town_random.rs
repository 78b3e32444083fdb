//! Several executions at random: whatever is delivered in whatever order, and whoever restarts or closes, nobody is forgotten.

use std::collections::HashMap;

use longhaul_engine::{
    Answer, Command,
    proto::{enums::v1::ParentClosePolicy, history::v1::history_event::Attributes},
};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    guest::{Scripted, cancel_child, cancel_external, child_with, complete, fail, signal_external},
    properties::cases,
    town::Town,
    world::World,
};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone)]
enum Step {
    Start(usize),
    Task(usize, u8, usize),
    /// The receiver gets a message; its answer is lost, and comes with a later delivery.
    Receive(u8),
    Deliver(u8),
    Restart(usize),
    Terminate(usize),
    Signal(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..IDS.len();
    prop_oneof![
        3 => id.clone().prop_map(Step::Start),
        12 => (id.clone(), 0..12u8, id.clone()).prop_map(|(who, what, whom)| Step::Task(who, what, whom)),
        3 => any::<u8>().prop_map(Step::Receive),
        8 => any::<u8>().prop_map(Step::Deliver),
        2 => id.clone().prop_map(Step::Restart),
        1 => id.clone().prop_map(Step::Terminate),
        2 => id.prop_map(Step::Signal),
    ]
}

/// The town, and what its guests need to know to do something at random.
struct Random {
    town: Town,
    /// By run: the numbers of its children, and the last number used.
    seqs: HashMap<String, (Vec<u32>, u32)>,
}

impl Random {
    fn is_open(&self, id: &str) -> bool {
        self.town.find(id).is_some_and(|world| world.execution.is_open())
    }

    fn command(&mut self, who: &str, what: u8, whom: &str) -> Command {
        let run_id = self.town.world(who).execution.identity().run_id.to_string();
        let (children, last) = self.seqs.entry(run_id).or_default();
        *last += 1;
        let seq = *last;
        match what {
            0..=3 => {
                children.push(seq);
                let policy = [
                    ParentClosePolicy::Terminate,
                    ParentClosePolicy::RequestCancel,
                    ParentClosePolicy::Abandon,
                    ParentClosePolicy::Terminate,
                ][usize::from(what)];
                child_with(seq, whom, |options| options.parent_close_policy = policy)
            }
            4 | 5 => signal_external(seq, whom, "note"),
            6 => cancel_external(seq, whom),
            7 if !children.is_empty() => cancel_child(children[children.len() / 2]),
            8 => Command::ContinueAsNew(Box::default()),
            9 => fail("broken"),
            10 => complete(json!(seq)),
            _ => Command::UpsertMemo(Vec::new()),
        }
    }

    fn take(&mut self, step: &Step) {
        let pick = |town: &Town, which: u8| {
            let keys = town.keys();
            keys.get(usize::from(which) % keys.len().max(1)).cloned()
        };
        match *step {
            Step::Start(id) => {
                if !self.is_open(IDS[id]) {
                    self.town.start(IDS[id]);
                }
            }
            Step::Task(who, what, whom) => {
                let who = IDS[who];
                if self.is_open(who) && self.town.world(who).execution.needs_task() {
                    let command = self.command(who, what, IDS[whom]);
                    // A child that has ended is no number any more, which is for the code to know.
                    self.town.with(who, |world| {
                        drop(world.try_script(crate::guest::Script::last([command])))
                    });
                }
            }
            Step::Receive(which) => {
                if let Some(key) = pick(&self.town, which) {
                    let first: Answer = self.town.receive(&key);
                    assert_eq!(self.town.receive(&key), first);
                }
            }
            Step::Deliver(which) => {
                if let Some(key) = pick(&self.town, which) {
                    self.town.deliver(&key);
                }
            }
            Step::Restart(id) => {
                if self.town.find(IDS[id]).is_some() {
                    self.town.with(IDS[id], World::restart);
                }
            }
            Step::Terminate(id) => {
                if self.is_open(IDS[id]) {
                    self.town
                        .with(IDS[id], |world| world.terminate("enough"))
                        .unwrap();
                }
            }
            Step::Signal(id) => {
                if self.is_open(IDS[id]) {
                    self.town.with(IDS[id], |world| world.signal("go", "")).unwrap();
                }
            }
        }
    }

    /// Everything was delivered: parents and children know of each other.
    fn check(&self) {
        self.town.check();
        let runs: HashMap<String, &World<Scripted>> = self
            .town
            .all()
            .map(|world| (world.execution.identity().run_id.to_string(), world))
            .collect();
        for world in runs.values().filter(|world| world.execution.is_open()) {
            self.check_child(world, &runs);
            for child in world.execution.children().values() {
                let (_, first_run_id) = child.started.as_ref().expect("every start has its answer");
                let running = self.town.world(child.workflow_id());
                assert!(running.execution.is_open(), "its parent has not heard of its end");
                assert_eq!(running.execution.first_run_id(), first_run_id);
            }
            assert!(world.execution.pending_orders().is_empty());
        }
    }

    /// A child outlives its parent only where its policy says so.
    fn check_child(&self, child: &World<Scripted>, runs: &HashMap<String, &World<Scripted>>) {
        let Some(parent) = child.execution.parent() else {
            return;
        };
        let by = runs[&parent.run_id];
        if by.execution.is_open() {
            return;
        }
        let at = usize::try_from(parent.initiated_event_id).unwrap() - 1;
        let Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated)) =
            &by.history[at].attributes
        else {
            panic!("{:?}", by.history[at])
        };
        match initiated.parent_close_policy() {
            ParentClosePolicy::Abandon => {}
            // The run that got the request may have continued as new all the same.
            ParentClosePolicy::RequestCancel => {
                let chain = child.execution.first_run_id();
                let mut of_chain = runs.values().filter(|run| run.execution.first_run_id() == chain);
                assert!(of_chain.any(|run| run.execution.cancel_requested()));
            }
            policy => panic!("a child of a closed parent still runs, and its policy is {policy:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_forgotten(steps in prop::collection::vec(step(), 1..80)) {
        // E3, E5, E6
        let mut random = Random { town: Town::new(), seqs: HashMap::new() };
        for step in &steps {
            random.take(step);
        }
        random.town.settle();
        random.check();
    }
}
