//! A greeting whose language can be changed while the workflow runs: an update that returns a value, and its validator.

use std::time::Duration;

use longhaul_sdk::{
    ApplicationFailure, SyncWorkflowContext, TimerResult, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, log, workflow, workflow_methods,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Languages by their code, each with its greeting.
const GREETINGS: [(&str, &str); 4] = [
    ("de", "Hallo"),
    ("en", "Hello"),
    ("es", "Hola"),
    ("fr", "Bonjour"),
];

fn greeting(language: &str) -> Option<&'static str> {
    let found = GREETINGS.iter().find(|(code, _)| *code == language);
    found.map(|(_, greeting)| *greeting)
}

/// Greets after a day, in the language that was set last.
#[workflow]
struct GreetingWorkflow {
    language: String,
}

#[workflow_methods]
impl GreetingWorkflow {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        Self {
            language: "en".to_owned(),
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        if ctx.timer(DAY).await == TimerResult::Cancelled {
            return Err(WorkflowTermination::cancelled());
        }
        // The validator has let known languages pass only.
        Ok(ctx.state(|state| greeting(&state.language).unwrap_or_default().to_owned()))
    }

    /// Set the language; returns the one before
    #[update]
    fn set_language(&mut self, _: &mut SyncWorkflowContext<Self>, language: String) -> String {
        log::info!("Language changed from {} to {language}", self.language);
        std::mem::replace(&mut self.language, language)
    }

    /// There has to be a greeting in the language.
    #[update_validator(set_language)]
    fn validate_language(&self, _: &WorkflowContextView, language: &str) -> Result<(), ApplicationFailure> {
        if greeting(language).is_some() {
            return Ok(());
        }
        let known = GREETINGS.map(|(code, _)| code).join(", ");
        let message = format!("Language {language} not supported; there are: {known}");
        Err(ApplicationFailure::builder(message)
            .type_name("ValueError".to_owned())
            .build())
    }
}

longhaul_sdk::export!(GreetingWorkflow);
