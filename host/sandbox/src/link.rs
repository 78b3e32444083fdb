//! Connecting a component's imports, for one role at a time.

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentInstance, ComponentItem};
use wasmtime::component::{HasSelf, Linker, LinkerInstance, ResourceType, Val};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi_io::bindings::wasi::io::error;

use crate::activity::ActivityState;
use crate::contract::Name;
use crate::files;
use crate::http;
use crate::sockets;
use crate::state::State;
use crate::trap::Refusal;
use crate::wit::{activity_context, commands, context, types};

/// The interfaces of WASI that [`crate::wasi`] answers for workflows.
const WORKFLOW_WASI: &[&str] = &[
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
];

/// What every workflow component may call.
pub(crate) fn workflow_base(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::<State>::new(engine);
    let l = &mut linker;
    types::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    commands::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    context::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::environment::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::exit::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::stderr::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::stdin::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::stdout::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::terminal_input::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::terminal_output::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::terminal_stderr::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::terminal_stdin::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    cli::terminal_stdout::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    clocks::monotonic_clock::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    clocks::wall_clock::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    error::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    poll::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    streams::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    random::insecure::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    random::insecure_seed::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    random::random::add_to_linker::<_, HasSelf<State>>(l, |s| s)?;
    Ok(linker)
}

/// What every activity component may call.
pub(crate) fn activity_base(engine: &Engine) -> wasmtime::Result<Linker<ActivityState>> {
    let mut linker = Linker::<ActivityState>::new(engine);
    types::add_to_linker::<_, HasSelf<ActivityState>>(&mut linker, |s| s)?;
    activity_context::add_to_linker::<_, HasSelf<ActivityState>>(&mut linker, |s| s)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    files::add_to_linker(&mut linker)?;
    sockets::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    http::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Make everything trap that a workflow must not call: files, sockets, and the context of activities.
pub(crate) fn deny_to_workflow(
    linker: &mut Linker<State>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    deny(linker, component, engine, |name| match name {
        Name::Contract("types" | "commands" | "context") => None,
        Name::Wasi(interface) if WORKFLOW_WASI.contains(&interface) => None,
        Name::Contract(_) => Some("this instance is a workflow; only activities have it"),
        _ => Some("workflows have no files and no network; do this in an activity"),
    })
}

/// Make everything trap that an activity must not call: the commands and the context of workflows.
pub(crate) fn deny_to_activity(
    linker: &mut Linker<ActivityState>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    deny(linker, component, engine, |name| match name {
        Name::Contract("commands" | "context") => {
            Some("this instance is an activity; only workflows have it")
        }
        _ => None,
    })
}

/// Define each imported interface for which `why` has an answer so that its functions trap with it.
fn deny<T: 'static>(
    linker: &mut Linker<T>,
    component: &Component,
    engine: &Engine,
    why: impl Fn(Name<'_>) -> Option<&'static str>,
) -> wasmtime::Result<()> {
    // Resource types that an earlier import has defined; later interfaces only refer to them.
    let mut known = Vec::new();
    for (name, import) in component.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = &import.ty else {
            continue;
        };
        if let Some(why) = why(Name::parse(name)) {
            deny_interface(&mut linker.instance(name)?, name, instance, engine, why, &known)?;
        }
        known.extend(instance.exports(engine).filter_map(|(_, item)| match item.ty {
            ComponentItem::Resource(resource) => Some(resource),
            _ => None,
        }));
    }
    Ok(())
}

/// Stands for resources of which none can ever exist.
struct Denied;

fn deny_interface<T: 'static>(
    linker: &mut LinkerInstance<'_, T>,
    interface: &str,
    instance: &ComponentInstance,
    engine: &Engine,
    why: &'static str,
    known: &[ResourceType],
) -> wasmtime::Result<()> {
    for (item, definition) in instance.exports(engine) {
        match definition.ty {
            // The list of open folders is asked for at start-up by every libc: it is empty.
            ComponentItem::ComponentFunc(_) if item == "get-directories" => {
                linker.func_new(item, |_, _, _, results| {
                    results.iter_mut().for_each(|r| *r = Val::List(Vec::new()));
                    Ok(())
                })?;
            }
            ComponentItem::ComponentFunc(_) => {
                let what = format!("{interface}#{item}");
                linker.func_new(item, move |_, _, _, _| Err(Refusal::call(what.clone(), why)))?;
            }
            ComponentItem::Resource(resource) if !known.contains(&resource) => {
                linker.resource(item, ResourceType::host::<Denied>(), |_, _| Ok(()))?;
            }
            _ => {}
        }
    }
    Ok(())
}
