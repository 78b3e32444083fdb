//! A seed's plan: what the executions do, what the clients ask for, and what must come of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    expected::Expected,
    program::{Place, Writer},
    random::Random,
};

/// How a root's execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It returns its log when a last note has come.
    Complete,
    /// It fails when a last note has come.
    Fail,
    /// A client cancels it when it has done everything else.
    Cancel,
    Terminate,
    /// A client terminates it in the middle of whatever it does.
    Cut,
    /// It stays open.
    Stay,
}

/// An execution that clients start and talk to.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) id: String,
    pub(crate) ending: Ending,
    /// It goes on as new now and then.
    pub(crate) continues: bool,
    /// Numbers that were added by updates, together.
    pub(crate) sum: i64,
}

/// An execution that another one starts.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) id: String,
    /// It does all that it has to do.
    pub(crate) must: bool,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Start,
    /// With this note.
    SignalWithStart(String),
    /// With this number to add.
    UpdateWithStart(i64),
    Note(String),
    /// A signal whose handler runs steps.
    Run(Vec<Value>),
    Add(i64),
    /// An update that its validator rejects.
    Reject,
    /// An update that fails.
    Fail(String),
    /// An update whose handler runs steps; the client may first wait for its acceptance only, and then poll.
    RunUpdate {
        steps: Vec<Value>,
        poll: bool,
    },
    QueryLog,
    QuerySum,
    /// A signal to nobody.
    Nobody,
    /// Ask until all that must come has come.
    Await,
    Cancel,
    Terminate,
    /// Wait until the execution has closed.
    Closed,
}

/// One request of a client.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    /// What the request is known by: sent again, it is the same.
    pub(crate) id: String,
    /// The execution that it goes to.
    pub(crate) to: String,
    /// The root that this is, or that it belongs to.
    pub(crate) root: usize,
    pub(crate) action: Action,
    /// Lines that it leads to.
    pub(crate) lines: Vec<String>,
}

/// What one seed plays.
pub(crate) struct Plan {
    pub(crate) shards: usize,
    /// Executions that may be in memory.
    pub(crate) instances: usize,
    /// The component's state cannot be forked, so that validators and queries are asked on replays.
    pub(crate) unforkable: bool,
    pub(crate) roots: Vec<Root>,
    pub(crate) programs: Vec<Value>,
    pub(crate) children: Vec<Child>,
    /// By execution.
    pub(crate) expected: BTreeMap<String, Expected>,
    /// What is asked for first, one after the other.
    pub(crate) starts: Vec<Op>,
    /// What is asked for then, by clients that do not wait for each other.
    pub(crate) clients: Vec<Vec<Op>>,
    /// What is asked for in the end.
    pub(crate) endings: Vec<Op>,
    /// How often power is lost.
    pub(crate) crashes: u64,
}

impl Plan {
    pub(crate) fn of(random: &mut Random) -> Self {
        let shards = 1 + random.below(4) as usize;
        let instances = random.pick(&[1, 2, 4, 1_000]);
        let unforkable = random.chance(15);
        let crashes = random.below(5);
        let roots = (0..1 + random.below(3))
            .map(|number| root(random, number))
            .collect();
        let planner = Planner {
            // In a third of the plans everybody sends to everybody, once all are there; otherwise only to those that are there before.
            go: random.chance(33),
            requests: 0,
            bits: 0,
            notes: Vec::new(),
            roots,
            writer: Writer::new(random),
        };
        let (planner, programs, starts, clients, endings) = planner.plan();
        Self {
            shards,
            instances,
            unforkable,
            programs,
            children: planner.writer.children,
            expected: planner.writer.expected,
            roots: planner.roots,
            starts,
            clients,
            endings,
            crashes,
        }
    }
}

fn root(random: &mut Random, number: u64) -> Root {
    use Ending::{Cancel, Complete, Cut, Fail, Stay, Terminate};
    let continues = random.chance(30);
    let ending = if continues {
        // How many notes its last run gets depends on time: it cannot know when it has them all.
        random.pick(&[Cancel, Terminate, Stay])
    } else {
        random.pick(&[Complete, Complete, Complete, Fail, Cancel, Terminate, Cut, Stay])
    };
    Root {
        id: format!("r{number}"),
        ending,
        continues,
        sum: 0,
    }
}

/// Draws a plan.
struct Planner<'a> {
    go: bool,
    requests: u64,
    bits: u32,
    /// Notes that clients send to each root before the endings.
    notes: Vec<usize>,
    roots: Vec<Root>,
    writer: Writer<'a>,
}

type Drawn<'a> = (Planner<'a>, Vec<Value>, Vec<Op>, Vec<Vec<Op>>, Vec<Op>);

impl<'a> Planner<'a> {
    fn plan(mut self) -> Drawn<'a> {
        self.notes = vec![0; self.roots.len()];
        for root in &self.roots {
            self.writer.begin(&root.id);
        }
        let roots = 0..self.roots.len();
        let starts: Vec<Op> = roots.clone().map(|root| self.start(root)).collect();
        let count = 1 + self.writer.random.below(3) as usize;
        let mut clients: Vec<Vec<Op>> = (0..count).map(|_| self.client()).collect();
        if self.go {
            let go: Vec<Op> = roots.clone().map(|root| self.note(root, &mut None)).collect();
            clients[0].splice(0..0, go);
        }
        let bodies: Vec<Vec<Vec<Value>>> = roots.clone().map(|root| self.body(root)).collect();
        let mut endings = Vec::new();
        let mut programs = Vec::new();
        for (root, body) in bodies.into_iter().enumerate() {
            let last = self.last(root);
            programs.push(self.program(body, last));
            self.ending(root, &mut endings);
        }
        (self, programs, starts, clients, endings)
    }

    fn op(&mut self, root: usize, action: Action, lines: Vec<String>) -> Op {
        self.requests += 1;
        Op {
            id: format!("q{}", self.requests),
            to: root_id(root),
            root,
            action,
            lines,
        }
    }

    /// Everything that this root does may be cut off.
    fn must(&self, root: usize) -> bool {
        self.roots[root].ending != Ending::Cut
    }

    fn start(&mut self, root: usize) -> Op {
        match self.writer.random.below(6) {
            0 => {
                let mut op = self.note(root, &mut None);
                if let Action::Note(text) = op.action {
                    op.action = Action::SignalWithStart(text);
                }
                op
            }
            1 if !self.roots[root].continues => {
                let bit = self.bit(root);
                self.op(root, Action::UpdateWithStart(bit), Vec::new())
            }
            _ => self.op(root, Action::Start, Vec::new()),
        }
    }

    /// A number that no other update adds: a sum of such tells which are in it.
    fn bit(&mut self, root: usize) -> i64 {
        let bit = 1 << self.bits;
        self.bits += 1;
        self.roots[root].sum += bit;
        bit
    }

    /// A note, behind the last one of the same client.
    fn note(&mut self, root: usize, last: &mut Option<String>) -> Op {
        self.notes[root] += 1;
        let must = self.must(root);
        let text = self.writer.tag();
        let line = format!("note:{text}");
        let before: Vec<String> = last.replace(line.clone()).into_iter().collect();
        self.writer.expect(root_id(root)).ordered(&line, must, &before);
        self.op(root, Action::Note(text), vec![line])
    }

    fn client(&mut self) -> Vec<Op> {
        let mut last = vec![None; self.roots.len()];
        let mut ops: Vec<Op> = Vec::new();
        for _ in 0..self.writer.random.below(7) {
            let root = self.writer.random.below(self.roots.len() as u64) as usize;
            let op = match self.writer.random.below(12) {
                0..=3 => self.note(root, &mut last[root]),
                4 => self.run(root, false),
                5 => self.run(root, true),
                6 | 7 if !self.roots[root].continues => {
                    let bit = self.bit(root);
                    self.op(root, Action::Add(bit), Vec::new())
                }
                8 => {
                    let action = match self.writer.random.below(3) {
                        0 => Action::Reject,
                        1 => Action::Fail(self.writer.tag()),
                        _ => Action::Nobody,
                    };
                    self.op(root, action, Vec::new())
                }
                9 if !self.roots[root].continues => self.op(root, Action::QuerySum, Vec::new()),
                10 if !ops.is_empty() => {
                    // The same request once more, though it was answered: it must change nothing. A chain's next run would take it anew.
                    let op = self.writer.random.pick(&ops);
                    if self.roots[op.root].continues {
                        continue;
                    }
                    op
                }
                _ => self.op(root, Action::QueryLog, Vec::new()),
            };
            ops.push(op);
        }
        ops
    }

    /// A handler that runs steps. Where the run may end under it, it does all at once.
    fn run(&mut self, root: usize, update: bool) -> Op {
        let id = root_id(root);
        let (receivers, must) = (self.receivers(root), self.must(root));
        let mut place = Place::new(&id, must, receivers);
        place.cancelled = self.roots[root].ending == Ending::Cancel;
        let first = self.writer.log(&mut place);
        let mut lines = place.last().to_vec();
        let mut steps = vec![first];
        if !self.roots[root].continues {
            place.depth = 1;
            steps.extend(self.writer.steps(&mut place, 2));
            steps.push(self.writer.log(&mut place));
            lines.extend(place.last().to_vec());
        }
        let poll = self.writer.random.chance(50);
        let action = if update {
            Action::RunUpdate { steps, poll }
        } else {
            Action::Run(steps)
        };
        self.op(root, action, lines)
    }

    /// Whom a root sends notes to.
    fn receivers(&self, root: usize) -> Vec<usize> {
        if !self.must(root) {
            // Whether it comes to it depends on time, and the receivers count.
            return Vec::new();
        }
        let all = 0..self.roots.len();
        all.filter(|other| *other != root && self.must(*other) && (self.go || *other < root))
            .collect()
    }

    /// What a root does before its end, in its runs.
    fn body(&mut self, root: usize) -> Vec<Vec<Value>> {
        let runs = if self.roots[root].continues {
            2 + self.writer.random.below(2)
        } else {
            1
        };
        let mut place = Place::new(&root_id(root), self.must(root), self.receivers(root));
        place.cancelled = self.roots[root].ending == Ending::Cancel;
        let mut body = Vec::new();
        for run in 0..runs {
            let mut steps = Vec::new();
            if run == 0 && self.go {
                // The note that says go comes when all are there, and may be the second after the one that has started it. Whoever else
                // sends a note has got it.
                steps.push(self.writer.wait(&place, 2.min(self.notes[root])));
            }
            place.depth = 2;
            steps.extend(self.writer.steps(&mut place, 3));
            if run == 0
                && self.notes[root] > 0
                && self.writer.random.chance(30)
                && !self.roots[root].continues
            {
                let some = 1 + self.writer.random.below(self.notes[root] as u64) as usize;
                steps.push(self.writer.wait(&place, some));
                steps.extend(self.writer.steps(&mut place, 1));
            }
            steps.push(self.writer.log(&mut place));
            body.push(steps);
        }
        body
    }

    /// How a root's last run ends, now that it is known what it is sent.
    fn last(&mut self, root: usize) -> Vec<Value> {
        use serde_json::json;
        let place = Place::new(&root_id(root), true, Vec::new());
        match self.roots[root].ending {
            Ending::Complete | Ending::Fail => {
                let sent = self.writer.notes.get(&root).copied().unwrap_or(0);
                let all = self.notes[root] + sent + 1;
                let mut steps = vec![self.writer.wait(&place, all), json!({"op": "handlers"})];
                if self.roots[root].ending == Ending::Fail {
                    steps.push(json!({"op": "fail", "message": "planned", "type": "Planned"}));
                }
                steps
            }
            // For ever.
            _ => vec![json!({"op": "wait", "notes": 1_000_000})],
        }
    }

    fn program(&mut self, body: Vec<Vec<Value>>, last: Vec<Value>) -> Value {
        let mut runs = body.into_iter().rev();
        let mut steps = runs.next().unwrap_or_default();
        steps.extend(last);
        let mut program = super::program::of(steps);
        for mut steps in runs {
            steps.push(super::program::go_on(program));
            program = super::program::of(steps);
        }
        program
    }

    fn ending(&mut self, root: usize, endings: &mut Vec<Op>) {
        let action = match self.roots[root].ending {
            Ending::Complete | Ending::Fail => {
                let text = self.writer.tag();
                let line = format!("note:{text}");
                self.writer.expect(root_id(root)).line(&line, true);
                let op = self.op(root, Action::Note(text), vec![line]);
                endings.push(op);
                Action::Closed
            }
            Ending::Cancel => {
                let asked = [Action::Await, Action::Cancel].map(|action| self.op(root, action, Vec::new()));
                endings.extend(asked);
                Action::Closed
            }
            Ending::Terminate => {
                let asked =
                    [Action::Await, Action::Terminate].map(|action| self.op(root, action, Vec::new()));
                endings.extend(asked);
                Action::Closed
            }
            Ending::Cut => {
                let op = self.op(root, Action::Terminate, Vec::new());
                endings.push(op);
                Action::Closed
            }
            Ending::Stay => Action::Await,
        };
        let op = self.op(root, action, Vec::new());
        endings.push(op);
    }
}

pub(crate) fn root_id(root: usize) -> String {
    format!("r{root}")
}
