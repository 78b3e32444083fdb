//! Several executions, and the messages between them.

use std::collections::{BTreeMap, HashMap};

use longhaul_engine::{
    Answer, Command, Effect, Execution, Failed, Identity, Outgoing, Turn,
    execution::{Start, Successor},
    outgoing::Message,
};
use longhaul_history::{builder::START_NS, time};

use crate::{
    guest::{Script, Scripted},
    world::{World, start},
};

/// Executions by their workflow id, and the messages that are stored and not answered.
pub(crate) struct Town {
    worlds: HashMap<String, World<Scripted>>,
    /// Runs that were followed by others, oldest first.
    pub(crate) past: Vec<World<Scripted>>,
    /// By the sender's run and the order.
    rows: BTreeMap<(String, i64), Outgoing>,
    seen: HashMap<(String, String, i64), Answer>,
    runs: u32,
}

impl Town {
    pub(crate) fn new() -> Self {
        Self {
            worlds: HashMap::new(),
            past: Vec::new(),
            rows: BTreeMap::new(),
            seen: HashMap::new(),
            runs: 0,
        }
    }

    /// Start an execution for a client.
    pub(crate) fn start(&mut self, workflow_id: &str) {
        self.start_with(workflow_id, START_NS, start());
    }

    pub(crate) fn start_with(&mut self, workflow_id: &str, now_ns: u64, start: Start) -> String {
        let run_id = self.run_id();
        let identity = Identity {
            namespace: "default".into(),
            workflow_id: workflow_id.into(),
            run_id: run_id.as_str().into(),
        };
        let mut turn = Turn::new(now_ns, "");
        let execution = Execution::begin(identity, start, &mut turn);
        let world = World::of_execution(execution, turn, Scripted::default());
        if let Some(past) = self.worlds.insert(workflow_id.into(), world) {
            self.past.push(past);
        }
        run_id
    }

    pub(crate) fn run_id(&mut self) -> String {
        self.runs += 1;
        format!("0191a5d0-0000-7000-8000-{:012x}", self.runs)
    }

    #[track_caller]
    pub(crate) fn world(&self, workflow_id: &str) -> &World<Scripted> {
        &self.worlds[workflow_id]
    }

    /// The newest run of a workflow id, if there is one.
    pub(crate) fn find(&self, workflow_id: &str) -> Option<&World<Scripted>> {
        self.worlds.get(workflow_id)
    }

    /// Every run.
    pub(crate) fn all(&self) -> impl Iterator<Item = &World<Scripted>> {
        self.worlds.values().chain(&self.past)
    }

    /// Do something to an execution; its messages are stored, and what follows on it begins.
    pub(crate) fn with<T>(&mut self, workflow_id: &str, act: impl FnOnce(&mut World<Scripted>) -> T) -> T {
        let next_run_id = self.run_id();
        let world = self.worlds.get_mut(workflow_id).unwrap();
        world.next_run_id = next_run_id;
        world.effects.clear();
        let answer = act(world);
        self.collect(workflow_id);
        answer
    }

    fn collect(&mut self, workflow_id: &str) {
        let world = self.worlds.get_mut(workflow_id).unwrap();
        let run_id = world.execution.identity().run_id.to_string();
        for effect in &world.effects {
            match effect {
                Effect::OutboxPut { order } => {
                    let outgoing = world.execution.outgoing(*order).expect("it was just put");
                    assert_eq!(outgoing.sender_run_id(), run_id);
                    let before = self.rows.insert((run_id.clone(), *order), outgoing);
                    assert_eq!(before, None, "orders are unique");
                }
                Effect::OutboxGone { order } => {
                    self.rows.remove(&(run_id.clone(), *order));
                }
                _ => {}
            }
        }
        if let Some(successor) = world.successor.take() {
            let now_ns = world.now_ns;
            self.follow(workflow_id, now_ns, *successor);
        }
    }

    fn follow(&mut self, workflow_id: &str, now_ns: u64, successor: Successor) {
        let identity = Identity {
            namespace: "default".into(),
            workflow_id: workflow_id.into(),
            run_id: successor.run_id.as_str().into(),
        };
        let mut turn = Turn::new(now_ns, "");
        let execution = Execution::begin(identity, successor.start, &mut turn);
        let mut world = World::of_execution(execution, turn, Scripted::default());
        for signal in successor.signals {
            world
                .step(|execution, turn, limits| execution.signal(turn, signal, limits))
                .unwrap();
        }
        for request in successor.updates {
            world
                .step(|execution, turn, limits| execution.admit_update(turn, request, limits))
                .unwrap();
        }
        self.past
            .push(self.worlds.insert(workflow_id.into(), world).unwrap());
    }

    /// Run a task. Answers what the code was told.
    pub(crate) fn task(
        &mut self,
        workflow_id: &str,
        commands: impl IntoIterator<Item = Command>,
    ) -> Vec<String> {
        let script = Script::last(commands);
        self.with(workflow_id, |world| world.script(script))
    }

    /// What is stored and not answered, as `receiver message`, in order.
    pub(crate) fn rows(&self) -> Vec<String> {
        let text = |outgoing: &Outgoing| {
            let message = match outgoing.message.as_ref().unwrap() {
                Message::StartChild(_) => "start".into(),
                Message::Signal(signal) => format!("signal {}", signal.name),
                Message::Cancel(cancel) => format!("cancel {}", cancel.reason),
                Message::Terminate(_) => "terminate".into(),
                Message::ChildClosed(closed) => format!("closed {}", closed.initiated_event_id),
            };
            format!("{} {message}", outgoing.workflow_id)
        };
        self.rows.values().map(text).collect()
    }

    /// Deliver one message, once or again, and give the answer to its sender.
    pub(crate) fn deliver(&mut self, key: &(String, i64)) {
        let answer = self.receive(key);
        self.answer(key, &answer);
    }

    /// Deliver everything until nothing is left.
    pub(crate) fn settle(&mut self) {
        while let Some(key) = self.rows.keys().next().cloned() {
            self.deliver(&key);
        }
    }

    /// Every message that is stored now.
    pub(crate) fn keys(&self) -> Vec<(String, i64)> {
        self.rows.keys().cloned().collect()
    }

    /// The receiver's half: a second delivery gives the same answer.
    pub(crate) fn receive(&mut self, key: &(String, i64)) -> Answer {
        let outgoing = self.rows[key].clone();
        let receiver = outgoing.workflow_id.clone();
        let seen = (receiver.clone(), key.0.clone(), key.1);
        if let Some(answer) = self.seen.get(&seen) {
            return answer.clone();
        }
        let answer = match &outgoing.message {
            Some(Message::StartChild(_)) => self.start_child(&receiver, &outgoing),
            _ => match self.worlds.get(&receiver) {
                Some(world) if self.is_for(&outgoing, world) => self.with(&receiver, |world| {
                    world.step(|execution, turn, limits| execution.receive(turn, &outgoing, limits))
                }),
                _ => Answer::refused(Failed::NotFound),
            },
        };
        self.seen.insert(seen, answer.clone());
        answer
    }

    fn is_for(&self, outgoing: &Outgoing, world: &World<Scripted>) -> bool {
        outgoing.run_id.is_empty()
            || *outgoing.run_id == *world.execution.identity().run_id
            || world.execution.is_reset_of(&outgoing.run_id)
    }

    fn start_child(&mut self, receiver: &str, outgoing: &Outgoing) -> Answer {
        let (mut now_ns, mut replaces) = (START_NS, false);
        if let Some(world) = self.worlds.get(receiver) {
            now_ns = world.now_ns;
            let running = world.execution.is_open().then(|| world.execution.parent());
            match running {
                Some(Some(parent)) if outgoing.sender_bases.contains(&parent.run_id) => {
                    let Some(Message::StartChild(start)) = &outgoing.message else {
                        unreachable!("the caller has looked")
                    };
                    if start.initiated_event_id == parent.initiated_event_id {
                        return Answer::started(world.execution.first_run_id());
                    }
                    replaces = true;
                }
                Some(_) => return Answer::refused(Failed::AlreadyExists),
                None => {}
            }
        }
        if replaces {
            self.with(receiver, |world| world.terminate("reset")).unwrap();
        }
        let start = outgoing.child_start(10 * time::NS_PER_SECOND).unwrap();
        Answer::started(self.start_with(receiver, now_ns, start))
    }

    /// The sender's half. A sender that has closed just forgets the message.
    pub(crate) fn answer(&mut self, key: &(String, i64), answer: &Answer) {
        let sender = self.rows[key].sender.clone().unwrap();
        let newest = &self.worlds[&sender.workflow_id];
        if *newest.execution.identity().run_id == *key.0 && newest.execution.is_open() {
            self.with(&sender.workflow_id, |world| {
                world.step(|execution, turn, _| execution.answered(turn, key.1, answer))
            });
        }
        self.rows.remove(key);
    }

    /// What must hold of every history.
    #[track_caller]
    pub(crate) fn check(&self) {
        for world in self.all() {
            world.check();
        }
    }
}
