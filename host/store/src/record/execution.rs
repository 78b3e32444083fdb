//! The row of one execution.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ExecutionKey, NamespaceId, ReadError, RunId,
    codec::{self, blob},
};

/// How an execution stands. The numbers are those of Temporal's `WorkflowExecutionStatus`, and part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Status {
    /// Open.
    Running = 1,
    /// Closed with a result.
    Completed = 2,
    /// Closed with a failure.
    Failed = 3,
    /// Closed by its own answer to a cancel request.
    Canceled = 4,
    /// Closed from outside.
    Terminated = 5,
    /// Closed; a new run went on.
    ContinuedAsNew = 6,
    /// Closed by a timeout.
    TimedOut = 7,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
        Self::ContinuedAsNew,
        Self::TimedOut,
    ];

    /// Whether the execution still takes messages.
    pub fn is_open(self) -> bool {
        self == Self::Running
    }

    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u8 == number)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The version of a module that an execution is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRef {
    /// The module's name.
    pub name: String,
    /// The version's number, from 1.
    pub version: u32,
    /// SHA-256 of the component.
    pub digest: [u8; 32],
}

/// Why an execution's workflow task fails, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Attempts so far in this streak of failures, from 1.
    pub attempt: u32,
    /// What the last attempt failed with, for people.
    pub reason: String,
    /// When the streak began, in nanoseconds since 1970.
    pub since_ns: u64,
    /// When the task is tried again, in nanoseconds since 1970.
    pub next_attempt_ns: u64,
}

/// All that is known of one execution outside its history.
///
/// The fields up to `start_request_id` are what the store indexes and what lists and descriptions show; `state` is the caller's own.
/// A run's namespace, workflow id, run id and workflow type never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// Its workflow id; at most 65,535 bytes.
    pub workflow_id: String,
    /// Its run.
    pub run_id: RunId,
    /// How it stands. Closed once, closed for good.
    pub status: Status,
    /// The workflow type; at most 65,535 bytes.
    pub workflow_type: String,
    /// The task queue it was started on.
    pub task_queue: String,
    /// The code that it runs.
    pub module: ModuleRef,
    /// When it was started, in nanoseconds since 1970.
    pub start_time_ns: u64,
    /// When its first workflow task may run (later than the start for a delayed start), in nanoseconds since 1970.
    pub execution_time_ns: u64,
    /// When it closed, in nanoseconds since 1970; set exactly when `status` is a closed one.
    pub close_time_ns: Option<u64>,
    /// The first run of its chain.
    pub first_run_id: RunId,
    /// The id that the next event gets; 1 before the first event.
    pub next_event_id: u64,
    /// Encoded size of its history.
    pub history_bytes: u64,
    /// Set while its workflow task fails.
    pub parked: Option<Parked>,
    /// The memo, encoded by the caller.
    pub memo: Vec<u8>,
    /// The search attributes, encoded by the caller.
    pub search_attributes: Vec<u8>,
    /// What of the search attributes lists look executions up by: each term is the name of a list of its own, of the caller's
    /// making; at most 65,535 bytes each. In order, none twice.
    pub terms: Vec<String>,
    /// The request that started it.
    pub start_request_id: String,
    /// Whatever else the caller keeps of an execution; it is rewritten with every change, so keep it small.
    pub state: Vec<u8>,
}

impl ExecutionRecord {
    /// Its key.
    pub fn key(&self) -> ExecutionKey {
        ExecutionKey {
            namespace: self.namespace,
            workflow_id: self.workflow_id.clone(),
            run_id: self.run_id,
        }
    }

    pub(crate) fn header(&self) -> ExecutionHeader {
        ExecutionHeader {
            status: self.status,
            start_time_ns: self.start_time_ns,
            close_time_ns: self.close_time_ns.unwrap_or(0),
        }
    }
}

/// The run that a workflow id stands for: the one that was started last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The run.
    pub run_id: RunId,
    /// How it stands.
    pub status: Status,
}

/// Version of the encoding of an execution's row.
const VERSION: u8 = 2;

/// The version before it: no terms between head and body.
const WITHOUT_TERMS: u8 = 1;

/// The head of every execution row, of fixed width, so that a changed row can be compared with the one before without decoding
/// either: version, status, start time, close time (0: open), integers little-endian. Behind it stand the terms: the length of all
/// of them in four bytes, then each as its length in two bytes and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExecutionHeader {
    pub(crate) status: Status,
    pub(crate) start_time_ns: u64,
    pub(crate) close_time_ns: u64,
}

impl ExecutionHeader {
    const LEN: usize = 1 + 1 + 8 + 8;

    /// What its indexes are ordered by: open executions by their start, closed ones by their close.
    pub(crate) fn sort_time_ns(&self) -> u64 {
        if self.status.is_open() {
            self.start_time_ns
        } else {
            self.close_time_ns
        }
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.push(self.status as u8);
        out.extend_from_slice(&self.start_time_ns.to_le_bytes());
        out.extend_from_slice(&self.close_time_ns.to_le_bytes());
    }

    /// Reads the head of a row; `None` if it is too short, of another version or names an unknown status.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<{ Self::LEN }>()?;
        let [VERSION | WITHOUT_TERMS, status, times @ ..] = head else {
            return None;
        };
        let (start, close) = times.split_first_chunk::<8>()?;
        Some(Self {
            status: Status::from_u8(*status)?,
            start_time_ns: u64::from_le_bytes(*start),
            close_time_ns: u64::from_le_bytes(close.try_into().ok()?),
        })
    }
}

/// A row, cut where its parts meet.
pub(crate) struct ExecutionRow<'a> {
    pub(crate) header: ExecutionHeader,
    terms: &'a [u8],
    body: &'a [u8],
}

impl<'a> ExecutionRow<'a> {
    /// Cuts a row; `None` if it is too short, of another version or names an unknown status.
    pub(crate) fn cut(bytes: &'a [u8]) -> Option<Self> {
        let header = ExecutionHeader::decode(bytes)?;
        let rest = &bytes[ExecutionHeader::LEN..];
        let (terms, body) = match bytes.first() {
            Some(&WITHOUT_TERMS) => rest.split_at(0),
            _ => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?
            }
        };
        Some(Self { header, terms, body })
    }

    /// Its terms; `None` if they are damaged.
    pub(crate) fn terms(&self) -> Option<Vec<&'a str>> {
        let (mut rest, mut terms) = (self.terms, Vec::new());
        while !rest.is_empty() {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (term, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            terms.push(std::str::from_utf8(term).ok()?);
            rest = behind;
        }
        Some(terms)
    }
}

/// The terms as they stand in a row. None is too long for its length field: the writer has refused such a record before.
fn encode_terms(terms: &[String], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    for term in terms {
        let length = u16::try_from(term.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&term.as_bytes()[..usize::from(length)]);
    }
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// What follows the terms, in this order, in postcard's encoding.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    workflow_type: &'a str,
    task_queue: &'a str,
    module_name: &'a str,
    module_version: u32,
    #[serde(with = "blob")]
    module_digest: [u8; 32],
    execution_time_ns: u64,
    first_run_id: RunId,
    next_event_id: u64,
    history_bytes: u64,
    parked: Option<Parked>,
    #[serde(serialize_with = "blob::serialize")]
    memo: &'a [u8],
    #[serde(serialize_with = "blob::serialize")]
    search_attributes: &'a [u8],
    start_request_id: &'a str,
    #[serde(serialize_with = "blob::serialize")]
    state: &'a [u8],
}

pub(crate) fn encode_execution(record: &ExecutionRecord) -> Vec<u8> {
    let text = record.workflow_type.len() + record.task_queue.len() + record.module.name.len();
    let terms: usize = record.terms.iter().map(|term| term.len() + 2).sum();
    let blobs = record.memo.len() + record.search_attributes.len() + record.state.len() + terms;
    let mut out = Vec::with_capacity(text + blobs + 192);
    record.header().encode(&mut out);
    encode_terms(&record.terms, &mut out);
    let body = Body {
        workflow_type: &record.workflow_type,
        task_queue: &record.task_queue,
        module_name: &record.module.name,
        module_version: record.module.version,
        module_digest: record.module.digest,
        execution_time_ns: record.execution_time_ns,
        first_run_id: record.first_run_id,
        next_event_id: record.next_event_id,
        history_bytes: record.history_bytes,
        parked: record.parked.clone(),
        memo: &record.memo,
        search_attributes: &record.search_attributes,
        start_request_id: &record.start_request_id,
        state: &record.state,
    };
    codec::append(&body, out)
}

pub(crate) fn decode_execution(
    namespace: NamespaceId,
    workflow_id: &str,
    run_id: RunId,
    bytes: &[u8],
) -> Result<ExecutionRecord, ReadError> {
    let key = || format!("{namespace}, workflow {workflow_id:?}, run {run_id}");
    let corrupt = |detail: &str| ReadError::corrupt("executions", key(), detail);
    if let Some(version) = bytes.first()
        && ![WITHOUT_TERMS, VERSION].contains(version)
    {
        return Err(corrupt(&format!(
            "its version is {version}, known are {WITHOUT_TERMS} and {VERSION}"
        )));
    }
    let row = ExecutionRow::cut(bytes)
        .ok_or_else(|| corrupt("its head is too short or names an unknown status"))?;
    let terms = row.terms().ok_or_else(|| corrupt("its terms are damaged"))?;
    let header = row.header;
    let body: Body<'_> = postcard::from_bytes(row.body).map_err(|e| corrupt(&e.to_string()))?;
    Ok(ExecutionRecord {
        namespace,
        workflow_id: workflow_id.to_owned(),
        run_id,
        status: header.status,
        workflow_type: body.workflow_type.to_owned(),
        task_queue: body.task_queue.to_owned(),
        module: ModuleRef {
            name: body.module_name.to_owned(),
            version: body.module_version,
            digest: body.module_digest,
        },
        start_time_ns: header.start_time_ns,
        execution_time_ns: body.execution_time_ns,
        close_time_ns: (!header.status.is_open()).then_some(header.close_time_ns),
        first_run_id: body.first_run_id,
        next_event_id: body.next_event_id,
        history_bytes: body.history_bytes,
        parked: body.parked,
        memo: body.memo.to_vec(),
        search_attributes: body.search_attributes.to_vec(),
        terms: terms.into_iter().map(str::to_owned).collect(),
        start_request_id: body.start_request_id.to_owned(),
        state: body.state.to_vec(),
    })
}
