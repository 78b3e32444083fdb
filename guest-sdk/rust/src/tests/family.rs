//! Signals to the family.

use super::host::{Driver, json};
use crate::data_converters::RawValue;
use crate::failure::Failure;
use crate::host::{Header, Outcome};
use crate::{
    ChildWorkflowOptions, FamilySignalOptions, MessageSender, SyncWorkflowContext, UntypedWorkflow,
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

/// The first id that the fake host's random numbers make.
const FIRST_ID: &str = "01020304-0506-4708-890a-0b0c0d0e0f10";

/// Has children, and sends what it is told to.
#[workflow(signals("news"))]
#[derive(Default)]
struct Member {
    log: Vec<String>,
    done: bool,
}

#[workflow_methods]
impl Member {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, children: u32) -> WorkflowResult<Vec<String>> {
        for number in 1..=children {
            let options = ChildWorkflowOptions::workflow_id(format!("child-{number}"));
            let child = UntypedWorkflow::new("Member");
            drop(ctx.start_child_workflow(child, RawValue::empty(), options));
        }
        ctx.wait_condition(|s| s.done).await?;
        Ok(ctx.state(|s| s.log.clone()))
    }

    /// Tell the family.
    #[signal]
    async fn tell(
        ctx: &mut WorkflowContext<Self>,
        name: String,
        to_self: bool,
        to_parent: bool,
        to_children: bool,
        propagate: bool,
    ) {
        let options = FamilySignalOptions::builder()
            .to_self(to_self)
            .to_parent(to_parent)
            .to_children(to_children)
            .propagate(propagate)
            .build();
        let told = ctx.signal_family(name, "hello".to_owned(), options).await;
        let line = told.map_or_else(|error| error.to_string(), |()| "told".to_owned());
        ctx.state_mut(|s| s.log.push(line));
    }

    /// A handler of one's own takes it.
    #[signal]
    fn greeting(&mut self, ctx: &mut SyncWorkflowContext<Self>, text: String) {
        let message = ctx.current_message_info();
        let family = message.and_then(|message| message.family.as_ref());
        let origin = family.map(|family| family.origin.workflow_id().to_owned());
        let sender = match message.map(|message| &message.sender) {
            Some(MessageSender::Workflow { workflow_id, .. }) => workflow_id.as_str(),
            _ => "a client",
        };
        self.log.push(format!(
            "{text} from {sender}, origin {}",
            origin.unwrap_or_default()
        ));
    }

    /// Takes `news` as they come.
    #[signal]
    async fn listen(ctx: &mut WorkflowContext<Self>) -> Result<(), crate::WaitSignalError> {
        let first = ctx.wait_signal::<String>("news").await?;
        ctx.state_mut(|s| s.log.push(format!("{} at {}", first.value, first.event_id)));
        let second = ctx.wait_signal::<String>("news").after(&first).await?;
        ctx.state_mut(|s| s.log.push(format!("{} at {}", second.value, second.event_id)));
        Ok(())
    }

    /// A plain handler tells itself: its own state is borrowed meanwhile.
    #[signal]
    fn tell_plainly(&mut self, ctx: &mut SyncWorkflowContext<Self>) {
        drop(ctx.signal_family("greeting", "hello".to_owned(), FamilySignalOptions::default()));
        self.log.push("told myself".to_owned());
    }

    #[query]
    fn log(&self, _: &WorkflowContextView) -> String {
        self.log.join(", ")
    }
}

/// Does not pass signals on to its parent.
#[workflow(propagate_signals_to_parent = false)]
#[derive(Default)]
struct Quiet;

#[workflow_methods]
impl Quiet {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let child = UntypedWorkflow::new("Member");
        let options = ChildWorkflowOptions::workflow_id("child-1".to_owned());
        drop(ctx.start_child_workflow(child, RawValue::empty(), options));
        ctx.cancelled().await;
        Ok(())
    }

    #[signal]
    async fn tell(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let options = FamilySignalOptions::builder().to_self(false).build();
        ctx.signal_family("greeting", "hello".to_owned(), options).await?;
        Ok(())
    }

    #[signal]
    fn greeting(&mut self, _: &mut SyncWorkflowContext<Self>, _text: String) {}
}

/// A member with a parent and so many children that have started.
fn member(children: u32) -> Driver {
    let driver = Driver::start_child_of::<Member>("parent", &[&children.to_string()]);
    driver.advance();
    for seq in 1..=children {
        driver.resolve(seq, Outcome::ChildStarted(format!("run-{seq}")));
    }
    driver.advance();
    driver
}

/// The header of a signal to the family.
fn header(id: &str, to_parent: bool, to_children: bool) -> Header {
    let carried = format!(
        r#"{{"id":"{id}","workflowId":"origin","runId":"origin-run","toParent":{to_parent},"toChildren":{to_children}}}"#
    );
    vec![("longhaul-family".to_owned(), json(&carried))]
}

/// How the fake host shows the header of what this member sends itself.
fn own_header(to_parent: bool, to_children: bool) -> String {
    format!(
        r#"longhaul-family={{"id":"{FIRST_ID}","workflowId":"id","runId":"run","toParent":{to_parent},"toChildren":{to_children}}}"#
    )
}

fn log(driver: &Driver) -> String {
    driver.query("log", &[]).unwrap()
}

// E7
#[test]
fn one_call_reaches_oneself_the_parent_and_the_children() {
    let driver = member(2);
    driver.signal("tell", &["\"greeting\"", "true", "true", "true", "false"]);
    let header = own_header(false, false);
    assert_eq!(
        driver.advance(),
        [
            format!("signal-external 3 parent greeting [\"hello\"] {header}"),
            format!("signal-child 4 1 greeting [\"hello\"] {header}"),
            format!("signal-child 5 2 greeting [\"hello\"] {header}"),
        ]
    );
    assert_eq!(log(&driver), "\"told, hello from id, origin id\"");
    // What becomes of the others does not matter any more.
    let failed = Failure::application("Other", "no").into_wit();
    assert!(driver.resolve(3, Outcome::Failed(failed)).advance().is_empty());
}

// E7
#[test]
fn propagation_says_in_which_directions() {
    for (to_parent, to_children) in [(true, true), (false, true), (true, false)] {
        let driver = member(1);
        let flags = [to_parent, to_children].map(|flag| flag.to_string());
        driver.signal("tell", &["\"greeting\"", "false", &flags[0], &flags[1], "true"]);
        let commands = driver.advance();
        assert_eq!(commands.len(), usize::from(to_parent) + usize::from(to_children));
        let header = own_header(to_parent, to_children);
        assert!(
            commands.iter().all(|command| command.ends_with(&header)),
            "{commands:?}"
        );
    }
}

// E7
#[test]
fn it_is_done_once_one_of_the_others_has_it() {
    let driver = member(1);
    driver
        .signal("tell", &["\"greeting\"", "false", "true", "true", "false"])
        .advance();
    assert_eq!(log(&driver), "\"\"");
    let closed = || Failure::application("ExternalWorkflowExecutionNotFound", "it has closed").into_wit();
    driver.resolve(2, Outcome::Failed(closed())).advance();
    assert_eq!(log(&driver), "\"\"");
    driver.complete(3, &[]).advance();
    assert_eq!(log(&driver), "\"told\"");

    let driver = member(1);
    driver
        .signal("tell", &["\"greeting\"", "false", "true", "true", "false"])
        .advance();
    driver.complete(3, &[]).advance();
    assert_eq!(log(&driver), "\"told\"", "the other one is still on its way");

    let driver = member(1);
    driver
        .signal("tell", &["\"greeting\"", "false", "true", "true", "false"])
        .advance();
    driver
        .resolve(2, Outcome::Failed(closed()))
        .resolve(3, Outcome::Failed(closed()))
        .advance();
    assert_eq!(
        log(&driver),
        "\"signal greeting to the family has reached nobody: Workflow not found: it has closed; Workflow not found: it \
         has closed\""
    );
}

// E7
#[test]
fn a_family_without_members_is_an_error() {
    let driver = Driver::start::<Member>(&["0"]);
    driver.signal("tell", &["\"greeting\"", "false", "true", "true", "false"]);
    assert!(driver.advance().is_empty());
    assert!(log(&driver).contains("there is no parent and no running child"));
}

// E7
#[test]
fn only_children_that_have_started_and_not_ended_get_it() {
    let driver = Driver::start::<Member>(&["3"]);
    driver.advance();
    driver
        .resolve(1, Outcome::ChildStarted("run-1".to_owned()))
        .resolve(2, Outcome::ChildStarted("run-2".to_owned()))
        .complete(1, &["null"])
        .signal("tell", &["\"greeting\"", "false", "true", "true", "false"]);
    let commands = driver.advance();
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].starts_with("signal-child 4 2 "), "{commands:?}");
}

// E7
#[test]
fn a_receiver_passes_it_on_once_and_never_back() {
    let driver = member(2);
    let from_child = header("call", true, true);
    driver.signal_from("child-1", from_child.clone(), "greeting", &["\"hello\""]);
    let commands = driver.commands();
    let shown = String::from_utf8(from_child[0].1.data.clone()).unwrap();
    assert_eq!(
        commands,
        [
            format!("signal-external 3 parent greeting [\"hello\"] longhaul-family={shown}"),
            format!("signal-child 4 2 greeting [\"hello\"] longhaul-family={shown}"),
        ]
    );
    driver.advance();
    assert_eq!(log(&driver), "\"hello from child-1, origin origin\"");
    // The same call on another way.
    driver.signal_from("parent", from_child, "greeting", &["\"hello\""]);
    assert!(driver.advance().is_empty());
    assert_eq!(log(&driver), "\"hello from child-1, origin origin\"");
    // What the parent sends goes to the children only; what is not to be passed on, to nobody.
    driver.signal_from("parent", header("second", true, true), "greeting", &["\"hello\""]);
    let commands = driver.commands();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(commands.iter().all(|command| command.starts_with("signal-child")));
    driver.signal_from(
        "parent",
        header("third", false, false),
        "greeting",
        &["\"hello\""],
    );
    assert!(driver.advance().is_empty());
}

// E7
#[test]
fn ones_own_call_that_comes_back_is_dropped() {
    let driver = member(0);
    driver
        .signal("tell", &["\"greeting\"", "false", "true", "false", "true"])
        .advance();
    driver.signal_from("parent", header(FIRST_ID, true, true), "greeting", &["\"hello\""]);
    assert!(driver.advance().is_empty());
    assert_eq!(log(&driver), "\"\"");
}

// E7
#[test]
fn a_type_may_opt_out_of_passing_signals_to_its_parent() {
    let driver = Driver::start_child_of::<Quiet>("parent", &[]);
    driver.advance();
    driver
        .resolve(1, Outcome::ChildStarted("run-1".to_owned()))
        .advance();
    driver.signal("tell", &[]);
    let commands = driver.advance();
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].starts_with("signal-child 2 1 "), "{commands:?}");
    driver.signal_from("child-1", header("call", true, true), "greeting", &["\"hello\""]);
    assert!(driver.advance().is_empty());
}

// E7, E8
#[test]
fn a_signal_to_oneself_is_waited_for_like_any_other() {
    let driver = Driver::start::<Member>(&["0"]);
    driver.advance();
    driver
        .signal("listen", &[])
        .signal("tell", &["\"news\"", "true", "false", "false", "false"]);
    assert!(driver.advance().is_empty());
    // Three events were in history when the workflow task began.
    assert_eq!(log(&driver), "\"told, hello at 3\"");
    driver.signal("news", &["\"more\""]);
    driver.advance();
    assert_eq!(log(&driver), "\"told, hello at 3, more at 3\"");
}

// E7
#[test]
fn a_plain_handler_can_tell_its_own_run() {
    let driver = Driver::start::<Member>(&["0"]);
    driver.signal("tell_plainly", &[]);
    assert!(driver.advance().is_empty());
    assert_eq!(log(&driver), "\"told myself, hello from id, origin id\"");
}

// E7
#[test]
fn a_header_that_does_not_decode_makes_an_ordinary_signal() {
    let driver = member(1);
    let strange = vec![("longhaul-family".to_owned(), json("5"))];
    driver.signal_from("child-1", strange, "greeting", &["\"hello\""]);
    assert!(driver.advance().is_empty());
    assert_eq!(log(&driver), "\"hello from child-1, origin \"");
    assert!(driver.logs()[0].contains("is passed on to nobody"));
}
