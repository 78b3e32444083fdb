//! What the tests share: records to write, and an inline writer with its notices.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use longhaul_store::{
    Append, Change, ExecutionRecord, ModuleRef, NamespaceId, Notice, Options, Row, RunId, Snapshot, Status,
    Store, SubmitError, Submitter, Transition, Writer, faults::FaultyDisk,
};

pub(crate) const NS: NamespaceId = NamespaceId::DEFAULT;

/// Options of a database that is the same at every run.
pub(crate) fn options() -> Options {
    Options {
        database_id: Some(7),
        created_at_ns: Some(1),
        cache_size_bytes: 8 << 20,
        ..Options::new("test.redb")
    }
}

pub(crate) fn open(disk: &FaultyDisk) -> Store {
    Store::open_with_backend(options(), disk.clone()).unwrap()
}

/// A row that belongs to this workflow.
pub(crate) fn row(workflow_id: &str, body: &[u8]) -> Row {
    Row {
        workflow_id: workflow_id.to_owned(),
        body: body.to_vec(),
    }
}

/// Each batch of a run's events: the number of its first, how many, and its bytes.
pub(crate) fn events(read: &Snapshot, run: u128, from: u64) -> Vec<(u64, u32, Vec<u8>)> {
    let events = read.events(NS, RunId(run), from).unwrap();
    events
        .map(|batch| batch.unwrap())
        .map(|batch| (batch.first_event_id, batch.count, batch.bytes))
        .collect()
}

/// An execution that has just been started, without history.
pub(crate) fn execution(workflow_id: &str, run: u128, start_time_ns: u64) -> ExecutionRecord {
    ExecutionRecord {
        namespace: NS,
        workflow_id: workflow_id.to_owned(),
        run_id: RunId(run),
        status: Status::Running,
        workflow_type: "Order".to_owned(),
        task_queue: "default".to_owned(),
        module: ModuleRef {
            name: "orders".to_owned(),
            version: 1,
            digest: [3; 32],
        },
        start_time_ns,
        execution_time_ns: start_time_ns,
        close_time_ns: None,
        first_run_id: RunId(run),
        next_event_id: 1,
        history_bytes: 0,
        parked: None,
        memo: b"memo".to_vec(),
        search_attributes: Vec::new(),
        terms: Vec::new(),
        start_request_id: format!("request-{run}"),
        state: vec![1, 2, 3],
    }
}

pub(crate) fn put(record: &ExecutionRecord) -> Change {
    Change::PutExecution(Box::new(record.clone()))
}

/// Closes a record.
pub(crate) fn close(record: &mut ExecutionRecord, status: Status, close_time_ns: u64) {
    record.status = status;
    record.close_time_ns = Some(close_time_ns);
}

/// Appends events to a record's history: the change, with the record moved on.
pub(crate) fn append(record: &mut ExecutionRecord, count: u32, bytes: &[u8]) -> Change {
    let first_event_id = record.next_event_id;
    record.next_event_id += u64::from(count);
    record.history_bytes += bytes.len() as u64;
    Change::AppendEvents(Append {
        namespace: record.namespace,
        run_id: record.run_id,
        first_event_id,
        count,
        last_event_time_ns: record.start_time_ns + first_event_id,
        bytes: bytes.to_vec(),
    })
}

/// A submitter of an inline writer, with the notices that came.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) writer: Writer,
    pub(crate) submitter: Submitter,
    pub(crate) notices: Notices,
}

/// The notices of one submitter.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The highest ticket among the notices that came; fails on a failure.
    pub(crate) fn durable(&self) -> u64 {
        let up_to = self.take().into_iter().map(|notice| match notice {
            Notice::Durable { up_to, .. } => up_to,
            Notice::Failed { error, .. } => panic!("the write failed: {error}"),
        });
        up_to.max().unwrap_or(0)
    }
}

pub(crate) fn register(writer: &Writer) -> (Submitter, Notices) {
    let notices = Notices::default();
    let sink = notices.clone();
    (
        writer.register(move |notice| sink.0.lock().unwrap().push(notice)),
        notices,
    )
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(open(&FaultyDisk::new()))
    }

    pub(crate) fn on(store: Store) -> Self {
        let writer = store.inline_writer().unwrap();
        let (submitter, notices) = register(&writer);
        Self {
            store,
            writer,
            submitter,
            notices,
        }
    }

    pub(crate) fn submit(&mut self, changes: Vec<Change>) -> Result<u64, SubmitError> {
        self.submitter.submit(Transition::new(changes))
    }

    /// Writes changes, which must become durable.
    pub(crate) fn write(&mut self, changes: Vec<Change>) {
        let ticket = self.submit(changes).unwrap();
        self.writer.pump();
        assert_eq!(self.notices.durable(), ticket);
    }

    /// Writes changes, which must be refused; returns the text of the error.
    pub(crate) fn refused(&mut self, changes: Vec<Change>) -> String {
        self.submit(changes).unwrap();
        self.writer.pump();
        let notices = self.notices.take();
        let [Notice::Failed { error, .. }] = notices.as_slice() else {
            panic!("no failure: {notices:?}")
        };
        self.submitter.resume();
        error.to_string()
    }
}

/// A repeatable source of numbers: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
