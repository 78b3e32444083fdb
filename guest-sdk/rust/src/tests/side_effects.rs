//! Side effects: made once, and read from history in a replay.

use std::cell::Cell;

use super::host::Driver;
use crate::{
    SideEffectOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

thread_local! {
    /// How often the functions have run.
    static MADE: Cell<u32> = const { Cell::new(0) };
}

fn made() -> u32 {
    MADE.set(MADE.get() + 1);
    MADE.get()
}

#[workflow]
#[derive(Default)]
struct Sides {
    signalled: u32,
}

#[workflow_methods]
impl Sides {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<(u32, Option<String>)> {
        let first = ctx.side_effect(made);
        ctx.wait_condition(|state| state.signalled > 0).await?;
        let options = SideEffectOptions::builder().summary("a name").build();
        let name = ctx.side_effect_with_options(options, || Some(format!("n{}", made())));
        Ok((first + ctx.state(|state| state.signalled), name))
    }

    #[signal]
    fn note(&mut self, ctx: &mut SyncWorkflowContext<Self>) {
        self.signalled = ctx.side_effect(|| made() * 100);
    }
}

// W7
#[test]
fn a_function_runs_once_and_its_value_is_recorded() {
    MADE.set(0);
    let run = Driver::start::<Sides>(&[]);
    assert_eq!(run.advance(), ["side-effect 1", "record 1 [1] -"]);
    run.signal("note", &[]);
    assert_eq!(
        run.advance(),
        [
            "side-effect 2",
            "record 2 [200] -",
            "side-effect 3",
            "record 3 [\"n3\"] a name",
            "complete [[201,\"n3\"]]",
        ]
    );
}

// W7
#[test]
fn a_replay_takes_the_values_of_history_and_runs_nothing() {
    MADE.set(0);
    let run = Driver::start::<Sides>(&[]);
    run.recorded(1, "7").recorded(2, "5").recorded(3, "null");
    assert_eq!(run.advance(), ["side-effect 1 [7]"]);
    run.signal("note", &[]);
    assert_eq!(
        run.advance(),
        [
            "side-effect 2 [5]",
            "side-effect 3 [null]",
            "complete [[12,null]]"
        ]
    );
    assert_eq!(MADE.get(), 0);
}

// W7
#[test]
#[should_panic(expected = "the value of side effect 1 in history is no u32")]
fn a_value_of_another_type_is_told() {
    let run = Driver::start::<Sides>(&[]);
    run.recorded(1, "\"text\"");
    run.advance();
}
