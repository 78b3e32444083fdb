//! Programs of the Lab, written together with what they will have done.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    expected::Expected,
    plan::{Child, root_id},
    random::Random,
};

/// Where in which execution the next step is written.
#[derive(Clone)]
pub(crate) struct Place {
    /// The execution.
    who: String,
    /// It is certain that the steps are run to their end.
    must: bool,
    /// When all has been done it is cancelled, and with it the children that it has not waited for.
    pub(crate) cancelled: bool,
    /// How deep branches and children may still go.
    pub(crate) depth: u64,
    /// Lines behind which the next one stands.
    before: Vec<String>,
    /// Roots that notes may be sent to.
    receivers: Vec<usize>,
    /// The last note to each that was sent from here.
    sent: BTreeMap<usize, String>,
}

impl Place {
    pub(crate) fn new(who: &str, must: bool, receivers: Vec<usize>) -> Self {
        Self {
            who: who.to_owned(),
            must,
            cancelled: false,
            depth: 0,
            before: Vec::new(),
            receivers,
            sent: BTreeMap::new(),
        }
    }

    /// The last line, or those of the last branches.
    pub(crate) fn last(&self) -> &[String] {
        &self.before
    }

    fn branch(&self) -> Self {
        Self {
            depth: self.depth - 1,
            ..self.clone()
        }
    }
}

/// Writes programs.
pub(crate) struct Writer<'a> {
    pub(crate) random: &'a mut Random,
    tags: u64,
    pub(crate) expected: BTreeMap<String, Expected>,
    pub(crate) children: Vec<Child>,
    /// Notes that executions send to each root.
    pub(crate) notes: BTreeMap<usize, usize>,
}

pub(crate) fn of(steps: Vec<Value>) -> Value {
    json!({"steps": steps})
}

/// Continue as new.
pub(crate) fn go_on(program: Value) -> Value {
    json!({"op": "continue", "program": program})
}

impl<'a> Writer<'a> {
    pub(crate) fn new(random: &'a mut Random) -> Self {
        Self {
            random,
            tags: 0,
            expected: BTreeMap::new(),
            children: Vec::new(),
            notes: BTreeMap::new(),
        }
    }

    pub(crate) fn begin(&mut self, id: &str) {
        self.expected.entry(id.to_owned()).or_default();
    }

    pub(crate) fn expect(&mut self, id: impl AsRef<str>) -> &mut Expected {
        self.expected.entry(id.as_ref().to_owned()).or_default()
    }

    /// A word that is nowhere else.
    pub(crate) fn tag(&mut self) -> String {
        self.tags += 1;
        format!("t{}", self.tags)
    }

    /// A line of its own, behind those before.
    fn line(&mut self, place: &mut Place, line: String) {
        let before = std::mem::replace(&mut place.before, vec![line.clone()]);
        self.expect(&place.who).ordered(&line, place.must, &before);
    }

    /// A line like others.
    fn like(&mut self, place: &Place, line: &str) {
        self.expect(&place.who).line(line, place.must);
    }

    pub(crate) fn log(&mut self, place: &mut Place) -> Value {
        let tag = self.tag();
        self.line(place, tag.clone());
        json!({"op": "log", "text": tag})
    }

    pub(crate) fn wait(&mut self, place: &Place, notes: usize) -> Value {
        self.like(place, "waited");
        json!({"op": "wait", "notes": notes})
    }

    /// One step or some.
    pub(crate) fn steps(&mut self, place: &mut Place, most: u64) -> Vec<Value> {
        let count = 1 + self.random.below(most);
        (0..count).map(|_| self.step(place)).collect()
    }

    fn ms(&mut self) -> u64 {
        self.random.pick(&[1, 20, 20, 700, 3_000, 90_000])
    }

    fn step(&mut self, place: &mut Place) -> Value {
        match self.random.below(17) {
            0..=2 => self.activity(place),
            3 => {
                self.like(place, "slept");
                json!({"op": "sleep", "ms": self.ms()})
            }
            4 => self.failing(place),
            5 => {
                self.like(place, "waited");
                json!({"op": "wait", "notes": self.random.below(4), "timeout_ms": self.ms()})
            }
            6 => {
                let id = self.tag();
                let then = self.log(place);
                json!({"op": "patch", "id": id, "then": [then]})
            }
            7 | 8 => self.note(place),
            9 | 10 if place.depth > 0 => self.parallel(place),
            11 | 12 if place.depth > 0 => self.race(place),
            16 => self.side_effect(place),
            13..=15 if place.depth > 0 && place.must => self.child(place),
            _ => self.log(place),
        }
    }

    fn side_effect(&mut self, place: &mut Place) -> Value {
        let tag = self.tag();
        self.line(place, format!("side=\"{tag}\""));
        json!({"op": "side_effect", "value": tag})
    }

    fn activity(&mut self, place: &mut Place) -> Value {
        let tag = self.tag();
        self.line(place, format!("echo=\"{tag}\""));
        json!({"op": self.activity_op(), "type": "echo", "args": [tag]})
    }

    /// Where an activity runs makes no difference to what comes of it.
    fn activity_op(&mut self) -> &'static str {
        self.random.pick(&["activity", "activity", "local_activity"])
    }

    fn failing(&mut self, place: &mut Place) -> Value {
        if self.random.chance(50) {
            self.like(place, "flaky=");
            return json!({"op": self.activity_op(), "type": "flaky", "args": [self.random.below(3)]});
        }
        let tag = self.tag();
        self.line(place, format!("fatal failed: Fatal: {tag}"));
        json!({"op": "activity", "type": "fatal", "args": [tag]})
    }

    /// A note to another execution, or to nobody.
    fn note(&mut self, place: &mut Place) -> Value {
        if place.receivers.is_empty() || self.random.chance(15) {
            let op = self.random.pick(&["signal", "cancel"]);
            self.like(place, &format!("{op} failed"));
            return json!({"op": op, "id": "nobody", "name": "note", "args": ["x"]});
        }
        let receiver = self.random.pick(&place.receivers);
        let tag = self.tag();
        let line = format!("note:{tag}");
        let before: Vec<String> = place.sent.insert(receiver, line.clone()).into_iter().collect();
        self.expect(root_id(receiver)).ordered(&line, true, &before);
        *self.notes.entry(receiver).or_default() += 1;
        self.like(place, "signalled");
        json!({"op": "signal", "id": root_id(receiver), "name": "note", "args": [tag]})
    }

    fn parallel(&mut self, place: &mut Place) -> Value {
        let count = 1 + self.random.below(3);
        let (mut branches, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut branch = place.branch();
            branches.push(self.steps(&mut branch, 2));
            ends.extend(branch.before);
        }
        ends.sort();
        ends.dedup();
        place.before = ends;
        json!({"op": "parallel", "branches": branches})
    }

    /// Who wins depends on time. Nothing that a loser might leave undone concerns others.
    fn race(&mut self, place: &mut Place) -> Value {
        let count = 2 + self.random.below(2);
        let (mut branches, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut branch = Place {
                must: false,
                receivers: Vec::new(),
                ..place.branch()
            };
            let mut steps = self.steps(&mut branch, 2);
            steps.push(self.log(&mut branch));
            ends.extend(branch.before);
            branches.push(steps);
        }
        if place.must {
            self.expect(&place.who).race(ends);
        }
        self.like(place, "won=");
        json!({"op": "race", "branches": branches})
    }

    fn child(&mut self, place: &mut Place) -> Value {
        let id = format!("c{}", self.children.len());
        let wait = self.random.chance(70);
        let policy = self.random.pick(&["terminate", "abandon", "request_cancel"]);
        // One that nobody waits for may be ended with its parent at any time.
        let must = wait || (policy == "abandon" && !place.cancelled);
        let receivers = if must { place.receivers.clone() } else { Vec::new() };
        let mut inner = Place {
            depth: place.depth - 1,
            ..Place::new(&id, must, receivers)
        };
        self.begin(&id);
        self.children.push(Child { id: id.clone(), must });
        let first = self.steps(&mut inner, 2);
        let mut steps = self.steps(&mut inner, 2);
        let tag = self.tag();
        let end = if self.random.chance(20) {
            steps.push(json!({"op": "fail", "message": tag, "type": "T"}));
            format!("child failed: T: {tag}")
        } else {
            steps.push(json!({"op": "return", "value": tag}));
            format!("child=\"{tag}\"")
        };
        let program = if self.random.chance(25) {
            let mut all = first;
            all.push(go_on(of(steps)));
            of(all)
        } else {
            of([first, steps].concat())
        };
        self.like(place, "child started");
        if wait {
            self.line(place, end);
        }
        json!({"op": "child", "id": id, "policy": policy, "wait": wait, "program": program})
    }
}
