//! What TinyGo asks of `wasm-tools`: to make a component of the module that it has linked.
//!
//! TinyGo calls the program that `WASMTOOLS` names with `component embed` and `component new`. This chore answers to both, so that
//! the examples are built without that tool; users of the SDK install it.

use std::{fs, path::PathBuf};

use clap::Subcommand;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::error::Error;

/// The two commands, with the arguments that TinyGo gives.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Note in a module which world it is for
    Embed {
        /// The world
        #[arg(short, long)]
        world: String,
        /// The folder with the WIT package
        wit: PathBuf,
        /// The module
        module: PathBuf,
        /// Where to write it
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Make a component of such a module
    New {
        /// The module
        module: PathBuf,
        /// Where to write the component
        #[arg(short, long)]
        output: PathBuf,
    },
}

/// Does what `wasm-tools component` does.
pub(crate) fn run(command: Command) -> Result<(), Error> {
    let (output, bytes) = match command {
        Command::Embed {
            world,
            wit,
            module,
            output,
        } => {
            let mut bytes = fs::read(&module).map_err(Error::file("read", &module))?;
            let mut resolve = Resolve::default();
            let (package, _) = resolve.push_dir(&wit).map_err(Error::wit(&wit))?;
            let world = resolve
                .select_world(&[package], Some(&world))
                .map_err(Error::wit(&wit))?;
            embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
                .map_err(Error::wit(&wit))?;
            (output, bytes)
        }
        Command::New { module, output } => {
            let bytes = fs::read(&module).map_err(Error::file("read", &module))?;
            let component = ComponentEncoder::default()
                .validate(true)
                .module(&bytes)
                .and_then(|mut encoder| encoder.encode())
                .map_err(|problem| Error::Component {
                    path: module,
                    problem: format!("{problem:#}"),
                })?;
            (output, component)
        }
    };
    fs::write(&output, bytes).map_err(Error::file("write", output))
}
