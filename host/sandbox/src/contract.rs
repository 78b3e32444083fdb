//! What the contract offers and asks for, read from the WIT package itself, and what WASI offers beside it.

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentItem};

use crate::error::{CompileError, Problem};

const WORKFLOW_WIT: &str = include_str!("../../../wit/workflow.wit");
const ACTIVITIES_WIT: &str = include_str!("../../../wit/activities.wit");

const PACKAGE: &str = "longhaul:workflow/";
/// The contract's version, without its last part: within it, only functions are added.
const VERSION: &str = "0.1";
pub(crate) const WORKFLOW_EXPORT: &str = "definition";
pub(crate) const ACTIVITY_EXPORT: &str = "activity-definition";

/// Interfaces of WASI 0.2 that are offered, each in its role's own way.
const WASI: &[&str] = &[
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
    "filesystem/preopens",
    "filesystem/types",
    "http/outgoing-handler",
    "http/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// An import's or export's name, taken apart.
pub(crate) enum Name<'a> {
    /// An interface of the contract, in a version that this host serves.
    Contract(&'a str),
    /// `PACKAGE/INTERFACE` of WASI 0.2.
    Wasi(&'a str),
    /// Anything else.
    Other,
}

impl<'a> Name<'a> {
    pub(crate) fn parse(name: &'a str) -> Self {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let minor = version.rsplit_once('.').map_or("", |(minor, _)| minor);
        if let Some(interface) = path.strip_prefix(PACKAGE) {
            if minor == VERSION {
                return Self::Contract(interface);
            }
        } else if let Some(interface) = path.strip_prefix("wasi:")
            && minor == "0.2"
        {
            return Self::Wasi(interface);
        }
        Self::Other
    }
}

/// The functions of one of the contract's interfaces; none if there is no such interface.
fn functions(interface: &str) -> Option<Vec<&'static str>> {
    let head = format!("interface {interface} {{");
    let source = [WORKFLOW_WIT, ACTIVITIES_WIT]
        .into_iter()
        .find(|s| s.lines().any(|l| l == head))?;
    let body = source
        .lines()
        .skip_while(|l| *l != head)
        .take_while(|l| *l != "}");
    Some(
        body.filter_map(|l| {
            l.strip_prefix("    ")?
                .split_once(": func(")
                .map(|(name, _)| name)
        })
        .collect(),
    )
}

/// List every import that nothing answers.
pub(crate) fn check_imports(component: &Component, engine: &Engine) -> Result<(), CompileError> {
    let mut problems = Vec::new();
    for (name, import) in component.imports(engine) {
        let mut problem = |name: String, hint: &str| {
            problems.push(Problem {
                name,
                hint: hint.to_owned(),
            })
        };
        let ComponentItem::ComponentInstance(instance) = &import.ty else {
            problem(
                name.to_owned(),
                "only the interfaces of `longhaul:workflow` and WASI 0.2 are offered",
            );
            continue;
        };
        match Name::parse(name) {
            Name::Contract("types") => {}
            Name::Contract(interface) => match functions(interface) {
                Some(offered) => {
                    for (function, item) in instance.exports(engine) {
                        if matches!(item.ty, ComponentItem::ComponentFunc(_)) && !offered.contains(&function)
                        {
                            problem(
                                format!("{name}#{function}"),
                                "the component's SDK is newer than this host: update longhaul, or use an older SDK",
                            );
                        }
                    }
                }
                None => problem(
                    name.to_owned(),
                    "the component's SDK is newer than this host: update longhaul, or use an older SDK",
                ),
            },
            Name::Wasi(interface) if WASI.contains(&interface) => {}
            Name::Wasi(interface) if interface.starts_with("http/") => {
                problem(
                    name.to_owned(),
                    "of wasi:http, `outgoing-handler` and `types` are offered: an activity sends requests and serves none",
                );
            }
            Name::Wasi(_) | Name::Other => problem(name.to_owned(), hint(name)),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(CompileError::Imports(problems))
    }
}

fn hint(name: &str) -> &'static str {
    if name.starts_with(PACKAGE) {
        "this host serves version 0.1 of the contract; rebuild the component with a matching SDK"
    } else if name.starts_with("wasi:") {
        "of WASI, version 0.2 with cli, clocks, filesystem, http, io, random and sockets is offered; build for wasm32-wasip2"
    } else if name.starts_with("wasi_snapshot") || name == "env" {
        "this is a core module's import; build for wasm32-wasip2"
    } else {
        "only the interfaces of `longhaul:workflow` and WASI 0.2 are offered; compose the component with what it needs"
    }
}

/// Which roles a component can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) workflow: bool,
    pub(crate) activity: bool,
}

impl Roles {
    /// Judge by the names of a component's exports.
    pub(crate) fn of<'a>(exports: impl Iterator<Item = &'a str>) -> Self {
        let mut roles = Self {
            workflow: false,
            activity: false,
        };
        for name in exports {
            match Name::parse(name) {
                Name::Contract(WORKFLOW_EXPORT) => roles.workflow = true,
                Name::Contract(ACTIVITY_EXPORT) => roles.activity = true,
                _ => {}
            }
        }
        roles
    }

    /// The error for a component that plays none.
    pub(crate) fn missing() -> CompileError {
        let problem = |interface: &str, what: &str| Problem {
            name: format!("{PACKAGE}{interface}@{VERSION}.0"),
            hint: format!(
                "export it to define {what}, with `longhaul_sdk::export!(..)` or your SDK's like of it"
            ),
        };
        CompileError::Exports(vec![
            problem(WORKFLOW_EXPORT, "workflows"),
            problem(ACTIVITY_EXPORT, "activities"),
        ])
    }
}

/// List every function that an exported interface of the contract lacks.
pub(crate) fn check_exports(component: &Component, engine: &Engine) -> Result<(), CompileError> {
    let mut problems = Vec::new();
    for (name, export) in component.exports(engine) {
        let (
            Name::Contract(interface @ (WORKFLOW_EXPORT | ACTIVITY_EXPORT)),
            ComponentItem::ComponentInstance(instance),
        ) = (Name::parse(name), &export.ty)
        else {
            continue;
        };
        for function in functions(interface).unwrap_or_default() {
            if instance.get_export(engine, function).is_none() {
                let hint =
                    "the contract asks for this function; rebuild with an SDK for version 0.1".to_owned();
                problems.push(Problem {
                    name: format!("{name}#{function}"),
                    hint,
                });
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(CompileError::Exports(problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read_from_the_contract() {
        let definition = functions("definition").unwrap();
        assert_eq!(definition.first(), Some(&"describe"));
        assert_eq!(definition.len(), 11);
        assert!(functions("commands").unwrap().contains(&"fail-task"));
        assert_eq!(functions("context").unwrap().len(), 8);
        assert_eq!(functions("activity-definition").unwrap(), ["describe", "execute"]);
        assert_eq!(
            functions("activity-context").unwrap(),
            [
                "info",
                "heartbeat",
                "cancellation",
                "log",
                "subscribe-cancellation"
            ]
        );
        assert_eq!(functions("nothing"), None);
    }

    #[test]
    fn names_are_known_by_package_and_version() {
        assert!(matches!(
            Name::parse("longhaul:workflow/commands@0.1.7"),
            Name::Contract("commands")
        ));
        assert!(matches!(
            Name::parse("longhaul:workflow/commands@0.2.0"),
            Name::Other
        ));
        assert!(matches!(Name::parse("wasi:io/poll@0.2.3"), Name::Wasi("io/poll")));
        assert!(matches!(Name::parse("wasi:io/poll@0.3.0"), Name::Other));
        assert!(matches!(Name::parse("env"), Name::Other));
    }
}
