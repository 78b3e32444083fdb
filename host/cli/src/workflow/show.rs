//! `workflow show`: an execution's history.

use clap::ValueEnum;
use longhaul_history::text;

use crate::{
    Error, Output,
    args::{Format, Global, Target},
    client::Client,
    json,
    proto::{
        common::v1::WorkflowExecution, enums::v1::HistoryEventFilterType, history::v1::HistoryEvent,
        workflowservice::v1::GetWorkflowExecutionHistoryRequest,
    },
};

/// Show the history of a workflow, an event a line
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul workflow show -w order-1
  longhaul workflow show -w order-1 --follow --times absolute
  longhaul workflow show -w order-1 -o json > order-1.json      What `longhaul replay` reads")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Go on with new events until the run closes
    #[arg(long, short = 'f')]
    follow: bool,
    /// Which time to show with an event
    #[arg(long, value_enum, default_value_t = Times::Relative, value_name = "TIMES")]
    times: Times,
    /// Show also run ids, identities and sizes, and whole values
    #[arg(long)]
    detailed: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Times {
    /// Since the run's start
    Relative,
    /// Date and time in UTC
    Absolute,
    /// None
    Hidden,
}

impl From<Times> for text::Times {
    fn from(times: Times) -> Self {
        match times {
            Times::Relative => Self::Relative,
            Times::Absolute => Self::Absolute,
            Times::Hidden => Self::Hidden,
        }
    }
}

pub(crate) async fn execute(args: &Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let mut pages = Pages::new(args.target.execution(), args.follow);
    match output.format() {
        Format::None => while pages.next(&mut client).await?.is_some() {},
        Format::Json => {
            // The first page comes first, so that a refused request leaves no half of a document.
            let mut page = pages.next(&mut client).await?;
            let mut array = output.json_array("{\"events\": ")?;
            while let Some(events) = page {
                for event in &events {
                    array.push(&json::event(event)?)?;
                }
                page = pages.next(&mut client).await?;
            }
            array.finish("}")?;
        }
        Format::Text => {
            let mut options = text::Options {
                times: args.times.into(),
                ..text::Options::default()
            };
            if args.detailed {
                options = text::Options {
                    volatile: true,
                    value_chars: usize::MAX,
                    ..options
                };
            }
            print(&mut pages, options, &mut client, output).await?;
        }
    }
    Ok(())
}

/// Print events as they come, as text, until the run closes.
pub(crate) async fn follow(
    execution: &WorkflowExecution,
    client: &mut Client,
    output: &mut Output,
) -> Result<(), Error> {
    let options = text::Options {
        times: text::Times::Relative,
        ..text::Options::default()
    };
    print(&mut Pages::new(execution.clone(), true), options, client, output).await
}

async fn print(
    pages: &mut Pages,
    options: text::Options,
    client: &mut Client,
    output: &mut Output,
) -> Result<(), Error> {
    let mut writer = text::Writer::new(options);
    while let Some(events) = pages.next(client).await? {
        for line in events.iter().filter_map(|event| writer.line(event)) {
            output.line(&line)?;
        }
    }
    Ok(())
}

/// The pages of a run's history: up to its present end, or with `follow` up to its close.
pub(super) struct Pages {
    execution: WorkflowExecution,
    follow: bool,
    token: Vec<u8>,
    done: bool,
}

impl Pages {
    pub(super) fn new(execution: WorkflowExecution, follow: bool) -> Self {
        Self {
            execution,
            follow,
            token: Vec::new(),
            done: false,
        }
    }

    pub(super) async fn next(&mut self, client: &mut Client) -> Result<Option<Vec<HistoryEvent>>, Error> {
        if self.done {
            return Ok(None);
        }
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: client.namespace.clone(),
            execution: Some(self.execution.clone()),
            next_page_token: std::mem::take(&mut self.token),
            wait_new_event: self.follow,
            history_event_filter_type: HistoryEventFilterType::AllEvent.into(),
            ..Default::default()
        };
        let answer = client.get_workflow_execution_history(request).await?;
        self.done = answer.next_page_token.is_empty();
        self.token = answer.next_page_token;
        Ok(Some(answer.history.unwrap_or_default().events))
    }
}
