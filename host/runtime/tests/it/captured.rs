//! What the test's own thread logs, on which a simulation does everything.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::DefaultGuard,
};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) message: String,
    /// The fields beside the message, as `name=value`, in order.
    pub(crate) fields: String,
}

/// The log from here on, until it is dropped.
pub(crate) struct Captured {
    lines: Arc<Mutex<Vec<Line>>>,
    _guard: DefaultGuard,
}

impl Captured {
    pub(crate) fn begin() -> Self {
        let lines = Arc::<Mutex<Vec<Line>>>::default();
        let guard = tracing::subscriber::set_default(Capture(lines.clone()));
        Self { lines, _guard: guard }
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// Level and text of what guests have logged.
    pub(crate) fn of_guests(&self) -> Vec<(Level, String)> {
        let lines = self.lines().into_iter().filter(|line| line.target == "guest");
        lines.map(|line| (line.level, line.message)).collect()
    }
}

struct Capture(Arc<Mutex<Vec<Line>>>);

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            target: event.metadata().target().to_owned(),
            level: *event.metadata().level(),
            message: String::new(),
            fields: String::new(),
        };
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Fields<'a>(&'a mut Line);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.0.message = format!("{value:?}"),
            name => write!(self.0.fields, "{name}={value:?} ").unwrap(),
        }
    }
}
