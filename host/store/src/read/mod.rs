//! Reading: a snapshot of what is durable, with typed queries.

mod events;
mod lanes;
mod list;
mod pending;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use crate::{
    Clock, ComponentDigest, Current, ExecutionKey, ExecutionRecord, ModuleRecord, NamespaceId,
    NamespaceRecord, ReadError, RunId, Seen, SeenKey, Status, TaskQueueKey, codec, meta,
    record::decode_execution,
    tables::{self, RAW_VERSION},
};

pub use events::Events;
pub use list::{Filter, Group, Limit, OldestClosed, Page, Position, Prefix};

/// What was durable when the snapshot was taken. Later commits do not show in it.
///
/// Every method reads the file or its cache, so it may block for the disk. After a failed write the store opens its file anew, and
/// snapshots of before fail with [`ReadError::Reopened`].
pub struct Snapshot(ReadTransaction);

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Snapshot {
    pub(crate) fn new(transaction: ReadTransaction) -> Self {
        Self(transaction)
    }

    /// The times that the store keeps.
    pub fn clock(&self) -> Result<Clock, ReadError> {
        let meta = self.0.open_table(tables::META)?;
        let row = meta.get(meta::STATE_KEY)?;
        Ok(meta::State::decode(row.as_ref().map_or(&[], |row| row.value()))?.clock)
    }

    /// A namespace by name.
    pub fn namespace(&self, name: &str) -> Result<Option<NamespaceRecord>, ReadError> {
        let row = self.0.open_table(tables::NAMESPACES)?.get(name)?;
        row.map(|row| decode_namespace(name, row.value())).transpose()
    }

    /// All namespaces, by name.
    pub fn namespaces(&self) -> Result<Vec<NamespaceRecord>, ReadError> {
        let namespaces = self.0.open_table(tables::NAMESPACES)?;
        let rows = namespaces.iter()?;
        rows.map(|row| {
            let (key, value) = row?;
            decode_namespace(key.value(), value.value())
        })
        .collect()
    }

    /// The search attributes of all namespaces with the numbers of their types. A file from before there were any has none.
    pub fn search_attributes(&self) -> Result<Vec<(NamespaceId, String, u8)>, ReadError> {
        let table = match self.0.open_table(tables::SEARCH_ATTRIBUTES) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let rows = table.iter()?;
        rows.map(|row| {
            let (key, kind) = row?;
            let (namespace, name) = key.value();
            Ok((NamespaceId(namespace), name.to_owned(), kind.value()))
        })
        .collect()
    }

    /// The task queues of all namespaces that were configured, with what [`Change::PutTaskQueue`](crate::Change::PutTaskQueue) has set. A
    /// file from before there were any has none.
    pub fn task_queues(&self) -> Result<Vec<(TaskQueueKey, Vec<u8>)>, ReadError> {
        let table = match self.0.open_table(tables::TASK_QUEUES) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let rows = table.iter()?;
        rows.map(|row| {
            let (key, value) = row?;
            let (namespace, kind, name) = key.value();
            let key = TaskQueueKey {
                namespace: NamespaceId(namespace),
                kind,
                name: name.to_owned(),
            };
            let body = raw("task_queues", || format!("{key:?}"), value.value())?.to_vec();
            Ok((key, body))
        })
        .collect()
    }

    /// An execution.
    pub fn execution(
        &self,
        namespace: NamespaceId,
        workflow_id: &str,
        run_id: RunId,
    ) -> Result<Option<ExecutionRecord>, ReadError> {
        let row = self
            .0
            .open_table(tables::EXECUTIONS)?
            .get((namespace.0, workflow_id, run_id.0))?;
        row.map(|row| decode_execution(namespace, workflow_id, run_id, row.value()))
            .transpose()
    }

    /// The run that a workflow id stands for: the one that was started last, unless it was deleted.
    pub fn current(&self, namespace: NamespaceId, workflow_id: &str) -> Result<Option<Current>, ReadError> {
        let row = self
            .0
            .open_table(tables::CURRENT)?
            .get((namespace.0, workflow_id))?;
        row.map(|row| {
            let (run, status) = row.value();
            let status = Status::from_u8(status).ok_or_else(|| {
                let key = format!("{namespace}, workflow {workflow_id:?}");
                ReadError::corrupt("current", key, &format!("it names the unknown status {status}"))
            })?;
            Ok(Current {
                run_id: RunId(run),
                status,
            })
        })
        .transpose()
    }

    /// The execution that a workflow id stands for.
    pub fn current_execution(
        &self,
        namespace: NamespaceId,
        workflow_id: &str,
    ) -> Result<Option<ExecutionRecord>, ReadError> {
        match self.current(namespace, workflow_id)? {
            Some(current) => self.execution(namespace, workflow_id, current.run_id),
            None => Ok(None),
        }
    }

    /// What a request to a run led to.
    pub fn request(
        &self,
        namespace: NamespaceId,
        run_id: RunId,
        request_id: &str,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let row = self
            .0
            .open_table(tables::REQUESTS)?
            .get((namespace.0, run_id.0, request_id))?;
        let key = || format!("{namespace}, run {run_id}, request {request_id:?}");
        row.map(|row| raw("requests", key, row.value()).map(<[u8]>::to_vec))
            .transpose()
    }

    /// Every request to a run with what it led to, by id.
    pub fn requests(
        &self,
        namespace: NamespaceId,
        run_id: RunId,
    ) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let table = self.0.open_table(tables::REQUESTS)?;
        let mut requests = Vec::new();
        for row in table.range((namespace.0, run_id.0, "")..)? {
            let (key, value) = row?;
            let (n, run, request_id) = key.value();
            if (n, run) != (namespace.0, run_id.0) {
                break;
            }
            let name = || format!("{namespace}, run {run_id}, request {request_id:?}");
            requests.push((
                request_id.to_owned(),
                raw("requests", name, value.value())?.to_vec(),
            ));
        }
        Ok(requests)
    }

    /// What a message from another execution led to.
    pub fn seen(&self, key: &SeenKey) -> Result<Option<Seen>, ReadError> {
        let table = self.0.open_table(tables::SEEN)?;
        let row = table.get((
            key.namespace.0,
            key.workflow_id.as_str(),
            key.sender_run_id.0,
            key.order,
        ))?;
        row.map(|row| codec::decode("outbox_seen", || format!("{key:?}"), row.value()))
            .transpose()
    }

    /// A version of a module.
    pub fn module(
        &self,
        namespace: NamespaceId,
        name: &str,
        version: u32,
    ) -> Result<Option<ModuleRecord>, ReadError> {
        let row = self
            .0
            .open_table(tables::MODULES)?
            .get((namespace.0, name, version))?;
        row.map(|row| decode_module((namespace.0, name, version), row.value()))
            .transpose()
    }

    /// All versions of a module, from the first.
    pub fn module_versions(
        &self,
        namespace: NamespaceId,
        name: &str,
    ) -> Result<Vec<ModuleRecord>, ReadError> {
        let modules = self.0.open_table(tables::MODULES)?;
        let rows = modules.range((namespace.0, name, 0)..=(namespace.0, name, u32::MAX))?;
        rows.map(|row| {
            let (key, value) = row?;
            decode_module(key.value(), value.value())
        })
        .collect()
    }

    /// All versions of all modules of all namespaces, by name and version.
    pub fn modules(&self) -> Result<Vec<ModuleRecord>, ReadError> {
        let modules = self.0.open_table(tables::MODULES)?;
        let rows = modules.iter()?;
        rows.map(|row| {
            let (key, value) = row?;
            decode_module(key.value(), value.value())
        })
        .collect()
    }

    /// A component's bytes.
    pub fn component(&self, digest: &ComponentDigest) -> Result<Option<Vec<u8>>, ReadError> {
        let row = self.0.open_table(tables::COMPONENTS)?.get(digest)?;
        Ok(row.map(|row| row.value().to_vec()))
    }

    /// The module that a workflow type belongs to.
    pub fn workflow_type_owner(
        &self,
        namespace: NamespaceId,
        workflow_type: &str,
    ) -> Result<Option<String>, ReadError> {
        let row = self
            .0
            .open_table(tables::WORKFLOW_TYPES)?
            .get((namespace.0, workflow_type))?;
        Ok(row.map(|row| row.value().to_owned()))
    }

    /// The module that serves an activity type on a task queue.
    pub fn activity_type_owner(
        &self,
        namespace: NamespaceId,
        queue: &str,
        activity_type: &str,
    ) -> Result<Option<String>, ReadError> {
        let row = self
            .0
            .open_table(tables::ACTIVITY_TYPES)?
            .get((namespace.0, queue, activity_type))?;
        Ok(row.map(|row| row.value().to_owned()))
    }

    /// All open executions of all namespaces, the newest first in each. For opening.
    pub fn open_executions(
        &self,
    ) -> Result<impl Iterator<Item = Result<ExecutionRecord, ReadError>>, ReadError> {
        let executions = self.0.open_table(tables::EXECUTIONS)?;
        let mut keys = Vec::new();
        for namespace in self.namespaces()? {
            list::open_keys(&self.0, namespace.id, &mut keys)?;
        }
        Ok(keys.into_iter().map(move |key| read_listed(&executions, &key)))
    }
}

/// Reads an execution that a list names.
fn read_listed(
    executions: &ReadOnlyTable<(u32, &'static str, u128), &'static [u8]>,
    key: &ExecutionKey,
) -> Result<ExecutionRecord, ReadError> {
    let row = executions.get((key.namespace.0, key.workflow_id.as_str(), key.run_id.0))?;
    let row = row.ok_or_else(|| {
        ReadError::corrupt(
            "executions",
            key.to_string(),
            "a list names it, and it is not there",
        )
    })?;
    decode_execution(key.namespace, &key.workflow_id, key.run_id, row.value())
}

fn decode_namespace(name: &str, row: &[u8]) -> Result<NamespaceRecord, ReadError> {
    codec::decode("namespaces", || format!("namespace {name:?}"), row)
}

fn decode_module(
    (namespace, name, version): (u32, &str, u32),
    row: &[u8],
) -> Result<ModuleRecord, ReadError> {
    codec::decode(
        "modules",
        || format!("namespace {namespace}, module {name:?}, version {version}"),
        row,
    )
}

/// The caller's bytes of a row that holds nothing else.
fn raw<'a>(table: &'static str, key: impl FnOnce() -> String, row: &'a [u8]) -> Result<&'a [u8], ReadError> {
    match row {
        [RAW_VERSION, bytes @ ..] => Ok(bytes),
        _ => Err(ReadError::corrupt(
            table,
            key(),
            "it is empty or has an unknown version",
        )),
    }
}
