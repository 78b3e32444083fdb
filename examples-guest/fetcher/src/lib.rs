//! Files from the web into a folder. Workflow and activity are one component; what the activity may reach stands in `fetcher.toml`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use longhaul_sdk::activities::{ActivityContext, ActivityError};
use longhaul_sdk::http::{self, Error as HttpError, Response};
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, RetryPolicy, WorkflowContext, WorkflowContextView, WorkflowResult,
    activities, workflow, workflow_methods,
};
use serde::{Deserialize, Serialize};

/// Where the settings put the folder.
const FOLDER: &str = "/downloads";
/// An attempt that says nothing for this long is given up, and the next one goes on where its last heartbeat was.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// A server that says nothing for this long is asked again in the next attempt.
const REQUEST_MAX: Duration = Duration::from_secs(2);

/// One file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Fetched {
    name: String,
    bytes: u64,
}

struct Fetcher;

#[activities]
impl Fetcher {
    /// Fetch files one after the other. A heartbeat after each says which are there.
    #[activity(name = "FetchFiles")]
    async fn fetch_files(ctx: ActivityContext, urls: Vec<String>) -> Result<Vec<Fetched>, ActivityError> {
        refuse_doubles(&urls)?;
        let mut fetched: Vec<Fetched> = ctx.heartbeat_details().deserialize()?.unwrap_or_default();
        if !fetched.is_empty() {
            longhaul_sdk::log::info!("{} of {} files are there already", fetched.len(), urls.len());
        }
        for url in urls.iter().skip(fetched.len()) {
            if ctx.is_cancelled() {
                return Err(ActivityError::cancelled_with_details(fetched.len().to_string()));
            }
            fetched.push(fetch(&ctx, &fetched, url).await?);
            ctx.record_heartbeat(fetched.clone()).await?;
        }
        Ok(fetched)
    }
}

async fn fetch(ctx: &ActivityContext, before: &[Fetched], url: &str) -> Result<Fetched, ActivityError> {
    let mut request = http::get(url).timeout(REQUEST_MAX);
    if let Ok(token) = std::env::var("FETCH_TOKEN") {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut response = request
        .send()
        .await
        .and_then(Response::error_for_status)
        .map_err(failure)?;
    let name = name_of(url);
    let path = PathBuf::from(FOLDER).join(&name);
    // Another run may fetch a file of this name at the same time.
    let run = ctx.info().workflow_run_id.as_deref().unwrap_or_default();
    let partial = path.with_added_extension(format!("{run}.part"));
    let mut file = File::create(&partial).map_err(|error| file_failure(&partial, &error))?;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        file.write_all(&chunk)
            .map_err(|error| file_failure(&partial, &error))?;
        bytes += chunk.len() as u64;
        // Long files are silent otherwise.
        ctx.record_heartbeat(before.to_vec()).await?;
    }
    // Whoever looks finds the whole file or none, also when this attempt ends here and the next one fetches it again.
    file.sync_all().map_err(|error| file_failure(&partial, &error))?;
    fs::rename(&partial, &path).map_err(|error| file_failure(&path, &error))?;
    Ok(Fetched { name, bytes })
}

/// The last part of the path.
fn name_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    match path.trim_end_matches('/').rsplit_once('/') {
        Some((_, name)) if !matches!(name, "." | "..") => name.to_owned(),
        _ => "index".to_owned(),
    }
}

/// Each file has the name of its address's last part: of two with the same name only one would be left.
fn refuse_doubles(urls: &[String]) -> Result<(), ActivityError> {
    let mut names = HashSet::new();
    match urls.iter().find(|url| !names.insert(name_of(url))) {
        None => Ok(()),
        Some(url) => {
            let text = format!(
                "{url}: another address of the list is stored as {:?} too",
                name_of(url)
            );
            Err(final_failure("SameName", text))
        }
    }
}

/// What is not granted now is not granted in the next attempt either: settings change with a new version of the module.
fn failure(error: HttpError) -> ActivityError {
    match error {
        HttpError::Denied { .. } => final_failure("Denied", error),
        other => other.into(),
    }
}

/// As above; a full disk, on the other hand, may have room again in the next attempt.
fn file_failure(path: &Path, error: &io::Error) -> ActivityError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => final_failure("Denied", text),
        _ => ActivityError::application(ApplicationFailure::new(text)),
    }
}

/// A failure that no further attempt changes.
fn final_failure(type_name: &str, text: impl ToString) -> ActivityError {
    let failure = ApplicationFailure::builder(text.to_string())
        .type_name(type_name.to_owned())
        .non_retryable(true)
        .build();
    ActivityError::application(failure)
}

/// Fetches files.
#[workflow]
struct FetchWorkflow {
    urls: Vec<String>,
}

#[workflow_methods]
impl FetchWorkflow {
    #[init]
    fn new(_: &WorkflowContextView, urls: Vec<String>) -> Self {
        Self { urls }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<Fetched>> {
        let urls = ctx.state(|fetch| fetch.urls.clone());
        let retry = RetryPolicy::builder()
            .initial_interval(Duration::from_millis(100))
            .build();
        let options = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(3600))
            .heartbeat_timeout(SILENCE_MAX)
            .retry_policy(retry)
            .build();
        Ok(ctx.execute_activity(Fetcher::fetch_files, urls, options).await?)
    }
}

longhaul_sdk::export!(FetchWorkflow);
longhaul_sdk::export_activities!(Fetcher);
