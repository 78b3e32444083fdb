//! Why a call into a guest did not return, and where in the guest's source that was.

use std::fmt;

use wasmtime::{Trap as Code, WasmBacktrace};

use crate::log::Tails;
use crate::overflow::overflowed;

/// What a stack is that is no larger than `tinygo build` was told.
const GOROUTINE_OVERFLOW: &str = "the stack of a goroutine has overflowed: the code recurses too deeply, or needs more than \
                                  `-stack-size` gives it";
/// Functions of a call stack that are kept, innermost first.
pub(crate) const BACKTRACE_FRAMES_MAX: usize = 32;

/// A call into a guest ended without returning. The instance is of no use afterwards: drop it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// What happened.
    pub kind: TrapKind,
    /// One sentence that says what happened and what to do.
    pub message: String,
    /// The guest's frames, innermost first. Empty where there is no debug information at all.
    pub backtrace: Vec<Frame>,
    /// The last that the guest wrote to standard error before it trapped.
    pub stderr: String,
}

/// What ended a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrapKind {
    /// The guest panicked and said so on standard error.
    Panic {
        /// The panic's text.
        message: String,
        /// `FILE:LINE:COLUMN`, or empty.
        place: String,
    },
    /// The guest executed `unreachable` without a word.
    Unreachable,
    /// The fuel of the activation is spent.
    OutOfFuel,
    /// The activation's time is over.
    Timeout,
    /// The guest wanted more memory than it may have.
    Memory,
    /// The guest recursed too deeply.
    StackOverflow,
    /// The guest called something that it may not call here.
    Refused {
        /// What it called, as in WIT: `commands.start-timer`.
        what: String,
    },
    /// The call was stopped at the command that was asked for with
    /// [`trap_at_command`](crate::Instance::trap_at_command).
    AtCommand(u32),
    /// Anything else: out-of-bounds access, division by zero, a bad value on the boundary.
    Other,
}

/// One function of a guest's call stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its name, demangled, or `wasm function N`.
    pub function: String,
    /// Source file, where the component has debug information.
    pub file: Option<String>,
    /// Line in it, from 1.
    pub line: Option<u32>,
    /// True if it is the user's own code: not the language's library, the SDK or generated glue.
    pub user: bool,
}

impl Trap {
    pub(crate) fn new(kind: TrapKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            backtrace: Vec::new(),
            stderr: String::new(),
        }
    }

    /// The same, if these memories of the instance do not tell that it came of a stack that has overflowed, and else that.
    pub(crate) fn seen_in<'a>(mut self, memories: impl Iterator<Item = &'a [u8]>) -> Self {
        let caused = !matches!(self.kind, TrapKind::AtCommand(_) | TrapKind::StackOverflow);
        if caused && overflowed(memories) {
            self.kind = TrapKind::StackOverflow;
            self.message = format!("{GOROUTINE_OVERFLOW}; what came of it: {}", self.message);
        }
        self
    }

    /// Where in the user's code it happened: the innermost frame of it, if possible one whose line is known, or the innermost of all.
    pub fn place(&self) -> Option<&Frame> {
        let user = || self.backtrace.iter().filter(|f| f.user);
        user()
            .find(|f| f.file.is_some())
            .or_else(|| user().next())
            .or_else(|| self.backtrace.first())
    }

    /// Make sense of an error of Wasmtime. `memory_refused` tells the limit if the guest was refused memory in this call.
    pub(crate) fn from_error(error: &wasmtime::Error, tails: &Tails, memory_refused: Option<usize>) -> Self {
        let trace = error.downcast_ref::<WasmBacktrace>();
        let deep = trace.is_some_and(|t| t.frames().len() >= BACKTRACE_FRAMES_MAX);
        let (kind, message) = match (error.downcast_ref::<Refusal>(), error.downcast_ref::<Code>()) {
            (Some(refusal), _) => refused(refusal, tails),
            // A guest keeps a stack of its own in memory, and below its lowest address there is nothing: a recursion may end
            // there before it has used up the native stack.
            (None, Some(Code::MemoryOutOfBounds)) if deep => {
                trapped(Code::StackOverflow, tails, memory_refused)
            }
            (None, Some(code)) => trapped(*code, tails, memory_refused),
            (None, None) => (TrapKind::Other, root_cause(error)),
        };
        let backtrace = error
            .downcast_ref::<WasmBacktrace>()
            .map(frames)
            .unwrap_or_default();
        Self {
            kind,
            message,
            backtrace,
            stderr: tails.stderr(),
        }
    }
}

fn refused(refusal: &Refusal, tails: &Tails) -> (TrapKind, String) {
    match refusal {
        Refusal::Call { what, .. } => (TrapKind::Refused { what: what.clone() }, refusal.to_string()),
        Refusal::AtCommand(index) => (TrapKind::AtCommand(*index), refusal.to_string()),
        // TinyGo ends a panic in this way.
        Refusal::Exit => panicked(tails).unwrap_or_else(|| {
            (
                TrapKind::Refused {
                    what: "wasi:cli/exit".into(),
                },
                refusal.to_string(),
            )
        }),
    }
}

fn trapped(code: Code, tails: &Tails, memory_refused: Option<usize>) -> (TrapKind, String) {
    match code {
        Code::OutOfFuel => (
            TrapKind::OutOfFuel,
            "the fuel of this call is spent: the code loops, or does too much without waiting; raise \
             `fuel_per_activation` if this is intended"
                .into(),
        ),
        Code::Interrupt => (
            TrapKind::Timeout,
            "the call took longer than its wall-clock limit".into(),
        ),
        Code::StackOverflow => (
            TrapKind::StackOverflow,
            "the call stack is exhausted: the code recurses too deeply".into(),
        ),
        // TinyGo's runtime panics where Rust's aborts; what the guest was refused says more than that.
        Code::UnreachableCodeReached
            if let Some(panic) = panicked(tails)
                && !(memory_refused.is_some() && panic.1.ends_with("out of memory")) =>
        {
            panic
        }
        _ if let Some(max) = memory_refused => {
            let what = format!(
                "the guest needs more than its {max} bytes of memory; raise the module's memory limit"
            );
            (TrapKind::Memory, what)
        }
        Code::UnreachableCodeReached => (TrapKind::Unreachable, "the guest executed `unreachable`".into()),
        other => (TrapKind::Other, other.to_string()),
    }
}

fn panicked(tails: &Tails) -> Option<(TrapKind, String)> {
    let (message, place) = tails.panic()?;
    // TinyGo's runtime looks for it where a goroutine waits or ends.
    if message.starts_with("runtime error") && message.ends_with(": stack overflow") {
        return Some((TrapKind::StackOverflow, GOROUTINE_OVERFLOW.into()));
    }
    let text = match place.as_str() {
        "" => format!("panicked: {message}"),
        at => format!("panicked at {at}: {message}"),
    };
    Some((TrapKind::Panic { message, place }, text))
}

/// The messages of an error's chain without the backtrace, which is shown apart, and without what is there for [`Trap::seen_in`].
fn root_cause(error: &wasmtime::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let apart = [
            "error while executing at wasm backtrace",
            "wasm coredump generated while executing",
        ];
        if !apart.iter().any(|begin| text.starts_with(begin)) && parts.last() != Some(&text) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

fn frames(backtrace: &WasmBacktrace) -> Vec<Frame> {
    let mut frames = Vec::new();
    // The tool that makes components adds small functions without names between the guest and the host; they tell nothing.
    // Where no function has a name, the guest was stripped, and numbers are better than nothing.
    let has_name = |info: &&wasmtime::FrameInfo| info.func_name().is_some() || !info.symbols().is_empty();
    let stripped = !backtrace.frames().iter().any(|info| has_name(&info));
    for info in backtrace
        .frames()
        .iter()
        .filter(|info| stripped || has_name(info))
    {
        let fallback = || {
            info.func_name()
                .map_or_else(|| format!("wasm function {}", info.func_index()), demangle)
        };
        if info.symbols().is_empty() {
            let function = fallback();
            frames.push(Frame {
                user: is_user(&function, None),
                function,
                file: None,
                line: None,
            });
        }
        let count = info.symbols().len();
        for (at, symbol) in info.symbols().iter().enumerate() {
            // The last symbol is the function itself, whose full name the name section has; those before were inlined into it.
            let function = match symbol.name() {
                Some(inlined) if at + 1 < count => demangle(inlined),
                _ => fallback(),
            };
            let file = symbol.file().map(shorten);
            let user = is_user(&function, file.as_deref());
            frames.push(Frame {
                function,
                file,
                line: symbol.line(),
                user,
            });
        }
    }
    frames
}

fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// The standard library's files are named by the path of the machine that built it: keep what tells something.
fn shorten(file: &str) -> String {
    match file.find("/library/") {
        Some(at) if file.starts_with("/rustc/") => file[at + 1..].to_owned(),
        _ => file.to_owned(),
    }
}

/// Code of these crates and folders is never what a workflow's author is looking for.
fn is_user(function: &str, file: Option<&str>) -> bool {
    const FUNCTIONS: &[&str] = &[
        "core::",
        "std::",
        "alloc::",
        "longhaul_sdk",
        "wit_bindgen",
        "__rust",
        "rust_",
        "runtime.",
        "dlmalloc",
        // Go: the SDK and its glue, and TinyGo's own.
        "longhaul/",
        "longhaul:",
        "internal/",
        "tinygo_",
        "Go interface method",
    ];
    const FILES: &[&str] = &[
        "library/",
        "/rustc/",
        "/.cargo/registry/",
        "/.cargo/git/",
        "guest-sdk/",
        "/tinygo/",
        // Where the set-up keeps one.
        "/tinygo-",
        "wasi-libc",
    ];
    let bare = function.trim_start_matches(['<', '&', '(', '*']);
    !FUNCTIONS.iter().any(|p| bare.starts_with(p))
        && !file.is_some_and(|f| FILES.iter().any(|p| f.contains(p)))
        && !(file.is_none() && (function.contains("cabi_") || function.starts_with("wit-component")))
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let place = match &self.kind {
            TrapKind::Panic { place, .. } if !place.is_empty() => None,
            _ => self.place(),
        };
        if let Some(frame) = place {
            write!(f, " (in {frame})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Trap {}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " at {file}:{line}"),
            (Some(file), None) => write!(f, " at {file}"),
            _ => Ok(()),
        }
    }
}

/// What a host function returns to end the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("`{what}` was refused: {why}")]
    Call { what: String, why: String },
    #[error("stopped at command {0} of the activation")]
    AtCommand(u32),
    #[error("the guest called exit; a workflow or an activity ends by returning")]
    Exit,
}

impl Refusal {
    pub(crate) fn call(what: impl Into<String>, why: impl Into<String>) -> wasmtime::Error {
        wasmtime::Error::new(Self::Call {
            what: what.into(),
            why: why.into(),
        })
    }
}
