//! `longhaul module`: components and their versions.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Subcommand;
use longhaul_server::module_proto::{
    DescribeRequest, Handler, ListRequest, Module, RemoveRequest, UploadHeader, UploadRequest,
    upload_request::Part,
};
use serde::Serialize;

use crate::{
    Error, Output,
    args::{Format, Global},
    client::Client,
    output,
};

/// Bytes of a component in one message; the server takes at most 1 MiB.
const CHUNK_BYTES: usize = 256 * 1024;

/// Upload and look at components
///
/// A module is an uploaded WebAssembly component. It has a name and numbered versions, and it defines workflow types, activity
/// types or both. New executions take the newest version; a running execution keeps the version that started it.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Store a component as the newest version of a module
    ///
    /// The server checks and compiles the component first; what it refuses leaves nothing behind. Uploading the newest version's
    /// bytes again changes nothing.
    #[command(after_help = "\
Examples:
  cargo build --release --target wasm32-wasip2
  longhaul module upload target/wasm32-wasip2/release/order.wasm
  longhaul module upload build/order.wasm --name orders --queue orders
  longhaul module upload build/fetcher.wasm --config fetcher.toml")]
    Upload(Upload),
    /// List the newest version of every module
    List,
    /// Show a version of a module: its types, handlers and settings
    #[command(
        after_help = "Examples:\n  longhaul module describe orders\n  longhaul module describe orders@2"
    )]
    Describe {
        /// The module, with or without a version
        #[arg(value_name = "NAME[@VERSION]")]
        module: Reference,
    },
    /// Print the JSON schema of module settings
    ///
    /// It describes every key of the file that `module upload --config` takes, which is TOML. No server is asked.
    #[command(after_help = "Examples:\n  longhaul module config-schema > module-settings.schema.json")]
    ConfigSchema,
    /// Delete a version of a module, or all of its versions
    ///
    /// A version that open executions need is not deleted; the refusal names them.
    #[command(after_help = "Examples:\n  longhaul module remove orders@1\n  longhaul module remove orders")]
    Remove {
        /// The module, with or without a version
        #[arg(value_name = "NAME[@VERSION]")]
        module: Reference,
    },
}

#[derive(Debug, clap::Args)]
struct Upload {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// Name of the module [default: the file's name without its extension]
    #[arg(long)]
    name: Option<String>,
    /// Task queue of executions that are started without one, and of the module's activities [default: default]
    #[arg(long, default_value = "", hide_default_value = true)]
    queue: String,
    /// Settings of the module, as TOML: limits, and what its activities may do; `longhaul module config-schema` describes them
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
}

/// `NAME` or `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    name: String,
    /// 0: not given.
    version: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("expected NAME or NAME@VERSION with a version from 1, for example orders@2")]
pub(crate) struct InvalidReference;

impl Reference {
    /// The module.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Module and version, if a version is named.
    pub(crate) fn exact(&self) -> Option<(&str, u32)> {
        (self.version > 0).then_some((self.name.as_str(), self.version))
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = match text.rsplit_once('@') {
            None => (text, 0),
            Some((name, version)) => (
                name,
                version
                    .parse()
                    .ok()
                    .filter(|version| *version > 0)
                    .ok_or(InvalidReference)?,
            ),
        };
        if name.is_empty() {
            Err(InvalidReference)
        } else {
            Ok(Self {
                name: name.to_owned(),
                version,
            })
        }
    }
}

pub(crate) async fn execute(args: Args, global: &Global, output: &mut Output) -> Result<(), Error> {
    match args.verb {
        Verb::Upload(args) => upload(args, global, output).await,
        Verb::List => list(global, output).await,
        Verb::Describe { module } => describe(module, global, output).await,
        Verb::ConfigSchema if output.format() == Format::None => Ok(()),
        Verb::ConfigSchema => output.raw(longhaul_runtime::MODULE_CONFIG_SCHEMA.as_bytes()),
        Verb::Remove { module } => remove(module, global, output).await,
    }
}

async fn upload(args: Upload, global: &Global, output: &mut Output) -> Result<(), Error> {
    let file = |source, path: &PathBuf| Error::File {
        path: path.clone(),
        source,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.file),
    };
    let bytes = std::fs::read(&args.file).map_err(|source| file(source, &args.file))?;
    let config = match &args.config {
        Some(path) => std::fs::read_to_string(path).map_err(|source| file(source, path))?,
        None => String::new(),
    };
    let mut client = Client::connect(global).await?;
    let size = bytes.len() as u64;
    let header = UploadHeader {
        namespace: client.namespace.clone(),
        name,
        queue: args.queue,
        size,
        config,
    };
    let progress = progress(size, output);
    let sent = progress.clone();
    let chunks = bytes.len().div_ceil(CHUNK_BYTES);
    let parts = (0..chunks).map(move |n| {
        let chunk = &bytes[n * CHUNK_BYTES..bytes.len().min((n + 1) * CHUNK_BYTES)];
        sent.inc(chunk.len() as u64);
        if n + 1 == chunks {
            sent.set_message("compiling");
        }
        Part::Chunk(chunk.to_vec())
    });
    let parts = std::iter::once(Part::Header(header))
        .chain(parts)
        .map(|part| UploadRequest { part: Some(part) });
    let answer = client.upload(tokio_stream::iter(parts)).await;
    progress.finish_and_clear();
    let answer = answer?;
    let module = answer.module.ok_or(Error::Answer {
        operation: "upload",
        what: "lacks the module",
    })?;
    match output.format() {
        Format::None => {}
        Format::Json => output.json(&Shown::of(&module))?,
        Format::Text => {
            output.card(0, &overview(&module))?;
            if answer.unchanged {
                output.note("Nothing changed: this is the newest version already.");
            }
        }
    }
    Ok(())
}

/// A module's name, where none is given: the file's name without its extension.
pub(crate) fn name_of(file: &Path) -> String {
    file.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A bar on standard error, if somebody sees it.
fn progress(size: u64, output: &Output) -> indicatif::ProgressBar {
    if !output.shows_progress() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(size).with_message("uploading");
    if let Ok(style) =
        indicatif::ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {bytes}/{total_bytes}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

async fn list(global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let modules = client
        .list(ListRequest {
            namespace: client.namespace.clone(),
        })
        .await?
        .modules;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&modules.iter().map(Shown::of).collect::<Vec<_>>()),
        Format::Text if modules.is_empty() => {
            output.note("No modules. `longhaul module upload FILE.wasm` stores one.");
            Ok(())
        }
        Format::Text => {
            let rows = modules.iter().map(|module| {
                let shown = Shown::of(module);
                vec![
                    module.name.clone(),
                    module.version.to_string(),
                    shown.workflow_types.join(", "),
                    shown.activity_types.join(", "),
                    module.queue.clone(),
                    output::bytes(module.size),
                    output::time(module.uploaded_at),
                ]
            });
            let headings = [
                "Name",
                "Version",
                "Workflows",
                "Activities",
                "Queue",
                "Size",
                "Uploaded",
            ];
            output.table(&headings, rows.collect())
        }
    }
}

async fn describe(reference: Reference, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let Reference { name, version } = reference;
    let answer = client
        .describe(DescribeRequest {
            namespace: client.namespace.clone(),
            name,
            version,
        })
        .await?;
    let module = answer.module.ok_or(Error::Answer {
        operation: "describe",
        what: "lacks the module",
    })?;
    match output.format() {
        Format::None => Ok(()),
        Format::Json => output.json(&Shown::of(&module)),
        Format::Text => {
            let versions: Vec<_> = answer.versions.iter().map(u32::to_string).collect();
            let mut rows = overview(&module);
            rows.extend([
                ("Versions", versions.join(", ")),
                ("Built with", module.sdk.clone()),
                ("Uploaded", output::time(module.uploaded_at)),
                ("Queries", queries(&module)),
                ("Settings", module.config.trim_end().to_owned()),
            ]);
            output.card(0, &rows)?;
            types(&module, output)
        }
    }
}

fn queries(module: &Module) -> String {
    match module.fork_refusal.as_str() {
        _ if module.workflow_types.is_empty() => String::new(),
        "" => "on a copy of the live instance".to_owned(),
        reason => format!("by replay: {reason}"),
    }
}

/// Workflow types with their handlers, then activity types.
fn types(module: &Module, output: &mut Output) -> Result<(), Error> {
    for workflow in &module.workflow_types {
        output.line("")?;
        output.heading(&format!("Workflow {}", workflow.name))?;
        for line in workflow.description.lines() {
            output.line(&format!("  {line}"))?;
        }
        let mut rows = Vec::new();
        for (kind, handlers) in [
            ("signal", &workflow.signals),
            ("query", &workflow.queries),
            ("update", &workflow.updates),
        ] {
            rows.extend(handlers.iter().map(|handler| (kind, handler_text(handler))));
        }
        if workflow.dynamic_handlers {
            rows.push(("others", "registered while it runs".to_owned()));
        }
        output.card(2, &rows)?;
    }
    if !module.activity_types.is_empty() {
        output.line("")?;
        output.heading("Activities")?;
        for activity in &module.activity_types {
            output.line(&format!("  {}", handler_text(activity)))?;
        }
    }
    Ok(())
}

/// The name and the first line of the doc text.
fn handler_text(handler: &Handler) -> String {
    let mut text = handler.name.clone();
    if handler.has_validator {
        text.push_str(" (validated)");
    }
    if let Some(line) = handler.description.lines().find(|line| !line.trim().is_empty()) {
        text.push_str(": ");
        text.push_str(line.trim());
    }
    text
}

async fn remove(reference: Reference, global: &Global, output: &mut Output) -> Result<(), Error> {
    let mut client = Client::connect(global).await?;
    let Reference { name, version } = reference;
    let done = if version == 0 {
        format!("Removed {name}")
    } else {
        format!("Removed {name}@{version}")
    };
    client
        .remove(RemoveRequest {
            namespace: client.namespace.clone(),
            name,
            version,
        })
        .await?;
    output.note(&done);
    Ok(())
}

fn overview(module: &Module) -> Vec<(&'static str, String)> {
    let shown = Shown::of(module);
    vec![
        ("Module", format!("{}@{}", module.name, module.version)),
        ("Workflows", shown.workflow_types.join(", ")),
        ("Activities", shown.activity_types.join(", ")),
        ("Queue", module.queue.clone()),
        ("Size", output::bytes(module.size)),
        ("Digest", module.digest.clone()),
    ]
}

/// A module's JSON form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    version: u32,
    digest: &'a str,
    workflow_types: Vec<&'a str>,
    activity_types: Vec<&'a str>,
    queue: &'a str,
    size: u64,
}

impl<'a> Shown<'a> {
    fn of(module: &'a Module) -> Self {
        Self {
            name: &module.name,
            version: module.version,
            digest: &module.digest,
            workflow_types: module.workflow_types.iter().map(|t| t.name.as_str()).collect(),
            activity_types: module.activity_types.iter().map(|t| t.name.as_str()).collect(),
            queue: &module.queue,
            size: module.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use longhaul_server::module_proto::WorkflowType;
    use serde_json::json;

    use super::*;

    #[test]
    fn references_have_a_name_and_perhaps_a_version() {
        let parse = |text: &str| text.parse::<Reference>().map(|r| (r.name, r.version)).ok();
        assert_eq!(parse("orders"), Some(("orders".to_owned(), 0)));
        assert_eq!(parse("orders@12"), Some(("orders".to_owned(), 12)));
        for bad in ["", "@1", "orders@", "orders@0", "orders@x", "orders@-1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_json_form_has_exactly_these_keys() {
        let module = Module {
            name: "orders".to_owned(),
            version: 2,
            digest: "ab".to_owned(),
            queue: "default".to_owned(),
            size: 9,
            workflow_types: vec![WorkflowType {
                name: "Order".to_owned(),
                ..Default::default()
            }],
            activity_types: vec![Handler {
                name: "charge".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        assert_eq!(
            serde_json::to_value(Shown::of(&module)).unwrap(),
            json!({"name": "orders", "version": 2, "digest": "ab", "workflowTypes": ["Order"],
                   "activityTypes": ["charge"], "queue": "default", "size": 9})
        );
    }
}
