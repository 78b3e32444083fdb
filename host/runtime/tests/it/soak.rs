//! Random families under random crashes: nothing that was sent is lost, and nothing happens twice.
//!
//! `LONGHAUL_TEST_CYCLES` sets how many seeds are played, `LONGHAUL_TEST_SEED` with which one it begins; a failure names its seed.

use longhaul_runtime::{Error, Runtime};
use longhaul_store::faults::Loss;
use serde_json::{Value, json};

use crate::{common, crashes::unanswered, programs::random::Random, world::*};

/// Programs, with what they will have told the hub when all have ended.
struct Family {
    random: Random,
    notes: Vec<String>,
    executions: Vec<String>,
}

impl Family {
    fn note(&mut self) -> Value {
        let text = format!("n{}", self.notes.len());
        self.notes.push(format!("note:{text}"));
        json!({"op": "signal", "id": "hub", "name": "note", "args": [text]})
    }

    fn steps(&mut self, depth: u64) -> Vec<Value> {
        let count = 1 + self.random.below(3);
        let mut steps: Vec<Value> = (0..count).map(|_| self.step(depth)).collect();
        match self.random.below(6) {
            0 if depth > 0 => {
                let rest = self.steps(depth - 1);
                steps.push(json!({"op": "continue", "carry": false, "program": {"steps": rest}}));
            }
            1 if depth > 0 => steps.push(json!({"op": "fail", "message": "m", "type": "T"})),
            _ => {}
        }
        steps
    }

    fn step(&mut self, depth: u64) -> Value {
        match self.random.below(if depth > 0 { 6 } else { 3 }) {
            0 | 1 => self.note(),
            2 => json!({"op": "signal", "id": "nobody", "name": "note", "args": ["x"]}),
            3 => {
                let branches = (0..1 + self.random.below(3))
                    .map(|_| vec![self.step(depth - 1), self.note()])
                    .collect::<Vec<_>>();
                json!({"op": "parallel", "branches": branches})
            }
            _ => {
                let id = format!("e{}", self.executions.len());
                self.executions.push(id.clone());
                let policy = ["terminate", "abandon", "request_cancel"][self.random.below(3) as usize];
                let steps = self.steps(depth - 1);
                json!({"op": "child", "id": id, "policy": policy, "program": {"steps": steps}})
            }
        }
    }
}

async fn request(rt: Runtime, number: usize, roots: &[Value], hub: &Value) -> Result<Value, Error> {
    let id = format!("root{number}");
    match roots.get(number) {
        Some(program) => common::start(rt, &id, "Lab", "lab", std::slice::from_ref(program))
            .await
            .map(|_| Value::Null),
        None if number == roots.len() => common::start(rt, "hub", "Lab", "lab", std::slice::from_ref(hub))
            .await
            .map(|_| Value::Null),
        None if number <= 2 * roots.len() => {
            common::result(rt, &format!("root{}", number - roots.len() - 1)).await
        }
        None => common::result(rt, "hub").await,
    }
}

/// Play the family of a seed.
async fn play(seed: u64) {
    let mut family = Family {
        random: Random::new(seed),
        notes: Vec::new(),
        executions: Vec::new(),
    };
    let roots: Vec<Value> = (0..3)
        .map(|number| {
            let child = family.step(3);
            let last = family.note();
            json!({"steps": [child, last, {"op": "return", "value": number}]})
        })
        .collect();
    let hub = json!({"steps": [{"op": "wait", "notes": family.notes.len()}]});
    let mut options = common::options();
    options.sandbox.arena_slots = 512;
    let shards = 1 + family.random.below(4) as usize;
    let mut world = World::sharded(options, shards);
    world.upload("lab", "lab").await;
    // The hub is there first: what is sent to nobody is not lost but refused.
    let order: Vec<usize> = std::iter::once(3).chain(0..3).chain(4..8).collect();
    let mut crashes = family.random.below(5);
    let mut next = world.commits() + 1 + family.random.below(12);
    let mut answers = Vec::new();
    while let Some(number) = order.get(answers.len()) {
        let commits = if crashes > 0 { next } else { u64::MAX };
        let request = request(world.rt(), *number, &roots, &hub);
        match world.drive_until_commit(request, commits).await {
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(error)) => panic!("seed {seed}: {error}"),
            None => {
                crashes -= 1;
                let loss = match family.random.below(2) {
                    0 => Loss::All,
                    _ => Loss::Some { seed },
                };
                world.crash(loss, SECOND);
                next = world.commits() + 1 + family.random.below(12);
            }
        }
    }
    world.sim.settle().await;
    assert_eq!(answers[4..7], [json!(0), json!(1), json!(2)], "seed {seed}");
    let mut got: Vec<String> = serde_json::from_value(answers[7].clone()).unwrap();
    let mut expected = family.notes.clone();
    // Its own last entry, and the notes of branches that a failure has cut off: what came is there once, and all that had to come.
    got.retain(|entry| entry != "waited");
    got.sort();
    expected.sort();
    assert_eq!(got, expected, "seed {seed}");
    assert_eq!(unanswered(&world), 0, "seed {seed}");
}

#[tokio::test]
async fn random_families_survive_random_crashes() {
    // E5, E6, E3, S9, S1, S2
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("LONGHAUL_TEST_SEED").unwrap_or(1);
    let cycles = number("LONGHAUL_TEST_CYCLES").unwrap_or(30);
    for seed in first..first + cycles {
        play(seed).await;
    }
}
