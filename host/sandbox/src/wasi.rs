//! WASI 0.2 for workflows: the same answers in every replay, and nothing of the machine.
//!
//! Clocks tell the workflow's time, random numbers come from the run's seed, output becomes log lines, there is no input, no
//! environment and no argument. What would have to wait is refused. Files and sockets are not here: `link` refuses them.

use rand_core::RngCore;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError, StreamError};
use wasmtime_wasi_io::bindings::wasi::io::error;

use crate::log::LogSource;
use crate::rewrite::Opener;
use crate::state::State;
use crate::trap::Refusal;

/// Bytes that an output stream takes at once.
const WRITE_MAX_BYTES: u64 = 64 << 10;
/// Bytes of random numbers that one call may ask for.
const RANDOM_MAX_BYTES: u64 = 1 << 20;
const WAIT: &str =
    "a workflow must not block its thread; wait with `ctx.timer(..)` (Rust) or `workflow.Sleep` (Go)";

/// What a handle of the guest stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stdin,
    Stdout,
    Stderr,
    /// Always ready.
    Ready,
    /// Ready at a moment of the workflow's time, in nanoseconds.
    At(u64),
}

/// The handles that the guest holds.
///
/// The host numbers them in order of creation and never reuses a number. As long as the guest has still exactly the handles
/// that it had after `prepare`, its own table looks like that of every freshly prepared instance.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    next: u32,
    live: Vec<(u32, Kind)>,
    prepared: Vec<(u32, Kind)>,
}

impl Handles {
    /// `prepare` is done: this is what every new instance looks like.
    pub(crate) fn prepared(&mut self) {
        self.prepared = self.live.clone();
    }

    pub(crate) fn as_prepared(&self) -> bool {
        self.live == self.prepared
    }

    /// Both guests hold the same handles, opened in the same order.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.live == other.live
    }

    /// Which functions open handles like those that are held, in this order. None if others do as well, or if some were closed.
    pub(crate) fn openers(&self) -> Option<Vec<Opener>> {
        if self.next as usize != self.live.len() {
            return None;
        }
        let opener = |interface, function| Some(Opener { interface, function });
        self.live
            .iter()
            .map(|(_, kind)| match kind {
                Kind::Stdin => opener("wasi:cli/stdin", "get-stdin"),
                Kind::Stdout => opener("wasi:cli/stdout", "get-stdout"),
                Kind::Stderr => opener("wasi:cli/stderr", "get-stderr"),
                Kind::Ready | Kind::At(_) => None,
            })
            .collect()
    }

    fn open(&mut self, kind: Kind) -> u32 {
        let number = self.next;
        self.next += 1;
        self.live.push((number, kind));
        number
    }

    fn close(&mut self, number: u32) {
        self.live.retain(|(n, _)| *n != number);
    }

    fn kind(&self, number: u32) -> wasmtime::Result<Kind> {
        let found = self.live.iter().find(|(n, _)| *n == number);
        found
            .map(|(_, kind)| *kind)
            .ok_or_else(|| wasmtime::format_err!("the handle {number} is closed"))
    }
}

impl State {
    fn input(&mut self) -> Resource<DynInputStream> {
        Resource::new_own(self.handles.open(Kind::Stdin))
    }

    fn output(&mut self, kind: Kind) -> Resource<DynOutputStream> {
        Resource::new_own(self.handles.open(kind))
    }

    fn pollable(&mut self, kind: Kind) -> Resource<DynPollable> {
        Resource::new_own(self.handles.open(kind))
    }

    fn is_ready(&self, pollable: &Resource<DynPollable>) -> wasmtime::Result<bool> {
        Ok(match self.handles.kind(pollable.rep())? {
            Kind::At(time_ns) => time_ns <= self.task.now_ns,
            Kind::Stdin | Kind::Stdout | Kind::Stderr | Kind::Ready => true,
        })
    }

    fn write(&mut self, stream: &Resource<DynOutputStream>, bytes: &[u8]) -> Result<(), StreamError> {
        let source = match self.handles.kind(stream.rep()).map_err(StreamError::Trap)? {
            Kind::Stderr => LogSource::Stderr,
            _ => LogSource::Stdout,
        };
        self.logs.write(source, bytes);
        Ok(())
    }

    fn zeroes(&mut self, stream: &Resource<DynOutputStream>, len: u64) -> Result<(), StreamError> {
        if len > WRITE_MAX_BYTES {
            return Err(StreamError::Trap(wasmtime::format_err!(
                "{len} bytes are more than check-write allows"
            )));
        }
        self.write(stream, &vec![0; len as usize])
    }

    fn random_bytes(&mut self, what: &str, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_MAX_BYTES {
            let why = format!("{len} bytes at once are more than {RANDOM_MAX_BYTES}");
            return Err(Refusal::call(what, why));
        }
        let mut bytes = vec![0; len as usize];
        self.random.wasi().fill_bytes(&mut bytes);
        Ok(bytes)
    }
}

impl error::Host for State {}

impl error::HostError for State {
    fn to_debug_string(&mut self, _: Resource<IoError>) -> wasmtime::Result<String> {
        Ok(String::new())
    }

    fn drop(&mut self, _: Resource<IoError>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl poll::Host for State {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let mut ready = Vec::new();
        for (index, pollable) in (0..).zip(&pollables) {
            if self.is_ready(pollable)? {
                ready.push(index);
            }
        }
        if ready.is_empty() {
            Err(Refusal::call("wasi:io/poll", WAIT))
        } else {
            Ok(ready)
        }
    }
}

impl poll::HostPollable for State {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.is_ready(&pollable)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        if self.is_ready(&pollable)? {
            Ok(())
        } else {
            Err(Refusal::call("wasi:io/poll", WAIT))
        }
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.handles.close(pollable.rep());
        Ok(())
    }
}

impl streams::Host for State {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        match error {
            StreamError::Closed => Ok(streams::StreamError::Closed),
            StreamError::LastOperationFailed(e) | StreamError::Trap(e) => Err(e),
        }
    }
}

impl streams::HostInputStream for State {
    fn read(&mut self, _: Resource<DynInputStream>, _: u64) -> Result<Vec<u8>, StreamError> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _: Resource<DynInputStream>, _: u64) -> Result<Vec<u8>, StreamError> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _: Resource<DynInputStream>, _: u64) -> Result<u64, StreamError> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _: Resource<DynInputStream>, _: u64) -> Result<u64, StreamError> {
        Err(StreamError::Closed)
    }

    fn subscribe(&mut self, _: Resource<DynInputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        Ok(self.pollable(Kind::Ready))
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        self.handles.close(stream.rep());
        Ok(())
    }
}

impl streams::HostOutputStream for State {
    fn check_write(&mut self, _: Resource<DynOutputStream>) -> Result<u64, StreamError> {
        Ok(WRITE_MAX_BYTES)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, contents: Vec<u8>) -> Result<(), StreamError> {
        State::write(self, &stream, &contents)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        contents: Vec<u8>,
    ) -> Result<(), StreamError> {
        State::write(self, &stream, &contents)
    }

    fn flush(&mut self, _: Resource<DynOutputStream>) -> Result<(), StreamError> {
        Ok(())
    }

    fn blocking_flush(&mut self, _: Resource<DynOutputStream>) -> Result<(), StreamError> {
        Ok(())
    }

    fn subscribe(&mut self, _: Resource<DynOutputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        Ok(self.pollable(Kind::Ready))
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> Result<(), StreamError> {
        self.zeroes(&stream, len)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> Result<(), StreamError> {
        self.zeroes(&stream, len)
    }

    fn splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> Result<u64, StreamError> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> Result<u64, StreamError> {
        Err(StreamError::Closed)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        self.handles.close(stream.rep());
        Ok(())
    }
}

impl clocks::wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        const NS_PER_S: u64 = 1_000_000_000;
        let now = self.task.now_ns;
        Ok(clocks::wall_clock::Datetime {
            seconds: now / NS_PER_S,
            nanoseconds: (now % NS_PER_S) as u32,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1,
        })
    }
}

impl clocks::monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.task.now_ns)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Ok(self.pollable(Kind::At(when)))
    }

    fn subscribe_duration(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Ok(self.pollable(Kind::At(self.task.now_ns.saturating_add(when))))
    }
}

impl random::random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes("wasi:random/random", len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.wasi().next_u64())
    }
}

impl random::insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes("wasi:random/insecure", len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.wasi().next_u64())
    }
}

impl random::insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.random.wasi().next_u64(), self.random.wasi().next_u64()))
    }
}

impl cli::environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl cli::exit::Host for State {
    fn exit(&mut self, _: Result<(), ()>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Refusal::Exit))
    }

    fn exit_with_code(&mut self, _: u8) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Refusal::Exit))
    }
}

impl cli::stdin::Host for State {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        Ok(self.input())
    }
}

impl cli::stdout::Host for State {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(self.output(Kind::Stdout))
    }
}

impl cli::stderr::Host for State {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        Ok(self.output(Kind::Stderr))
    }
}

impl cli::terminal_input::Host for State {}

impl cli::terminal_input::HostTerminalInput for State {
    fn drop(&mut self, _: Resource<cli::terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_output::Host for State {}

impl cli::terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, _: Resource<cli::terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl cli::terminal_stdin::Host for State {
    fn get_terminal_stdin(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for State {
    fn get_terminal_stdout(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for State {
    fn get_terminal_stderr(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}
