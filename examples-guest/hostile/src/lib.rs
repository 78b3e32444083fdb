//! A test subject: a workflow that does what a workflow must not do.

mod open;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use longhaul_sdk::data_converters::RawValue;
use longhaul_sdk::{
    ActivityOptions, ApplicationFailure, BaseWorkflowContext, SyncWorkflowContext, UntypedActivity,
    WorkflowContext, WorkflowContextView, WorkflowResult, log, workflow, workflow_methods,
};

const MIB: usize = 1 << 20;
const FLOOD_LINES: u32 = 1_000_000;
const HASH_KEYS: u32 = 16;
/// More than a small limit of memory allows, less than the default does.
const LARGE: usize = 16 * MIB;
/// A workflow that is younger than this fails if it is `impatient`.
const PATIENCE: Duration = Duration::from_secs(5);

/// State outside the workflow's own.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Does what its input says. The README lists the words.
#[workflow]
#[derive(Default)]
struct Hostile {
    /// A context that queries must not use.
    context: RefCell<Option<BaseWorkflowContext>>,
    /// What queries must not write.
    writes: Cell<u64>,
    finished: bool,
}

#[workflow_methods]
impl Hostile {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, what: String) -> WorkflowResult<String> {
        let base: BaseWorkflowContext = (***ctx).clone();
        ctx.state(|hostile| hostile.context.replace(Some(base)));
        match what.as_str() {
            "wait" => {
                ctx.wait_condition(|hostile| hostile.finished).await?;
                Ok(format!("writes {}", ctx.state(Hostile::count)))
            }
            "impatient" => {
                let age = ctx.workflow_time().zip(ctx.info().start_time());
                let age = age.and_then(|(now, start)| now.duration_since(start).ok());
                assert!(age >= Some(PATIENCE), "told to be patient");
                Ok("patient".to_owned())
            }
            "adapt" => {
                if Vec::<u8>::new().try_reserve_exact(LARGE).is_ok() {
                    ctx.timer(Duration::from_secs(3_600)).await;
                    return Ok("with much memory".to_owned());
                }
                let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(3_600));
                let compress =
                    ctx.execute_activity(UntypedActivity::new("Compress"), RawValue::empty(), options);
                ctx.wait_condition(|hostile| hostile.finished).await?;
                drop(compress);
                Ok("with little memory".to_owned())
            }
            "twice" => {
                let same = || {
                    let options = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(60))
                        .activity_id("same".to_owned())
                        .build();
                    ctx.execute_activity(UntypedActivity::new("Work"), RawValue::empty(), options)
                };
                let both = (same(), same());
                ctx.wait_condition(|hostile| hostile.finished).await?;
                drop(both);
                Ok("both at once".to_owned())
            }
            "side-effect-command" => Ok(ctx.side_effect(|| {
                drop(ctx.timer(Duration::from_secs(1)));
                "a timer was started".to_owned()
            })),
            "side-effect-maps" => {
                let maps = ctx.side_effect(|| {
                    let maps = (0..HASH_KEYS).map(|key| HashMap::from([(key, key.to_string())]));
                    maps.collect::<Vec<_>>()
                });
                ctx.wait_condition(|hostile| hostile.finished).await?;
                Ok(format!("{} maps", maps.len()))
            }
            "side-effect-panic" => Ok(ctx.side_effect(|| -> String { panic!("no value") })),
            what => Ok(act(what)?),
        }
    }

    /// Do something in a signal handler.
    #[signal(name = "act")]
    fn act_in_signal(
        &mut self,
        _: &mut SyncWorkflowContext<Self>,
        what: String,
    ) -> Result<(), ApplicationFailure> {
        act(&what).map(|_| ())
    }

    /// Do something in an update handler.
    #[update(name = "act")]
    fn act_in_update(
        &mut self,
        _: &mut SyncWorkflowContext<Self>,
        what: String,
    ) -> Result<String, ApplicationFailure> {
        act(&what)
    }

    /// End a workflow that waits.
    #[signal]
    fn finish(&mut self, _: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    /// Say something of the present state.
    #[signal]
    fn say(&mut self, ctx: &mut SyncWorkflowContext<Self>, text: String) {
        ctx.set_current_details(text);
    }

    /// Is it time to continue as new?
    #[update]
    fn suggested(&mut self, ctx: &mut SyncWorkflowContext<Self>) -> bool {
        ctx.continue_as_new_suggested()
    }

    /// Do something in an update that its validator does first.
    #[update]
    fn validated(&mut self, _: &mut SyncWorkflowContext<Self>, what: String) -> String {
        what
    }

    /// Do something in a validator.
    #[update_validator(validated)]
    fn act_in_validator(&self, _: &WorkflowContextView, what: &str) -> Result<(), ApplicationFailure> {
        self.act_read_only(what).map(|_| ())
    }

    /// Do something in a query.
    #[query(name = "act")]
    fn act_in_query(&self, _: &WorkflowContextView, what: String) -> Result<String, ApplicationFailure> {
        self.act_read_only(&what)
    }

    /// How often the state was written.
    #[query]
    fn writes(&self, _: &WorkflowContextView) -> u64 {
        self.count()
    }
}

impl Hostile {
    fn count(&self) -> u64 {
        self.writes.get() + WRITES.load(Ordering::Relaxed)
    }

    /// What only read-only calls must not do.
    fn act_read_only(&self, what: &str) -> Result<String, ApplicationFailure> {
        let context = self.context.borrow().clone();
        match (what, context) {
            ("write", _) => {
                self.writes.set(self.writes.get() + 1);
                WRITES.fetch_add(1, Ordering::Relaxed);
                Ok(format!("writes {}", self.count()))
            }
            ("command", Some(context)) => {
                drop(context.timer(Duration::from_secs(1)));
                Ok("a timer was started".to_owned())
            }
            ("side-effect", Some(context)) => Ok(context.side_effect(|| "made".to_owned())),
            ("random", Some(context)) => Ok(context.random::<u64>().to_string()),
            _ => act(what),
        }
    }
}

fn act(what: &str) -> Result<String, ApplicationFailure> {
    match what {
        "nothing" => Ok("nothing".to_owned()),
        "fail" => Err(ApplicationFailure::new("told to fail")),
        "spin" => spin(),
        "allocate" => allocate(),
        "recurse" => Ok(recurse(0).to_string()),
        "recurse-in-memory" => Ok(recurse_in_memory(0).to_string()),
        "panic" => panic!("told to panic"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "sleep" => {
            std::thread::sleep(Duration::from_secs(1));
            Ok("slept".to_owned())
        }
        "clock" => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_err(ApplicationFailure::new)?;
            Ok(now.as_nanos().to_string())
        }
        "monotonic" => {
            let start = Instant::now();
            for number in 0..1_000_000u32 {
                black_box(number);
            }
            Ok(start.elapsed().as_nanos().to_string())
        }
        "environment" => Ok(format!(
            "{} variables, {} arguments",
            std::env::vars().count(),
            std::env::args().count()
        )),
        "files" => std::fs::read_dir("/")
            .map(|files| format!("{} files", files.count()))
            .map_err(refused),
        "write-file" => std::fs::write("/hostile", "was here")
            .map(|()| "written".to_owned())
            .map_err(refused),
        "connect" => TcpStream::connect("127.0.0.1:1")
            .map(|_| "connected".to_owned())
            .map_err(refused),
        "hash-order" => {
            let map: HashMap<u32, ()> = (0..HASH_KEYS).map(|key| (key, ())).collect();
            Ok(map.keys().map(u32::to_string).collect::<Vec<_>>().join(" "))
        }
        "log-flood" => {
            for line in 0..FLOOD_LINES {
                log::info!("line {line}");
            }
            Ok(format!("{FLOOD_LINES} lines"))
        }
        "print-flood" => {
            for line in 0..FLOOD_LINES {
                eprintln!("line {line}");
            }
            Ok(format!("{FLOOD_LINES} lines"))
        }
        "log" => {
            let map: HashMap<u32, ()> = (0..HASH_KEYS).map(|key| (key, ())).collect();
            let order = map.keys().map(u32::to_string).collect::<Vec<_>>().join(" ");
            log::info!("logged at {} with {order}", act("clock")?);
            println!("printed with {order}");
            Ok("logged".to_owned())
        }
        "print" => {
            eprintln!("printed");
            Ok("printed".to_owned())
        }
        other => Err(ApplicationFailure::new(format!(
            "'{other}' is not something that this workflow does"
        ))),
    }
}

fn refused(error: std::io::Error) -> ApplicationFailure {
    ApplicationFailure::builder(error)
        .type_name("Refused".to_owned())
        .build()
}

fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

fn allocate() -> ! {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1u8; MIB]));
    }
}

/// Needs nothing but the call stack.
fn recurse(depth: u64) -> u64 {
    if WRITES.load(Ordering::Relaxed) == u64::MAX {
        return depth;
    }
    recurse(depth + 1).wrapping_mul(3) ^ depth
}

/// Needs memory for each call.
fn recurse_in_memory(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if WRITES.load(Ordering::Relaxed) == u64::MAX {
        return depth;
    }
    recurse_in_memory(depth + 1) ^ frame[usize::try_from(depth % 64).unwrap_or_default()]
}

longhaul_sdk::export!(Hostile, open::Open);
