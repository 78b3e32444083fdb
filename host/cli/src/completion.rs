//! `longhaul completion`: completion scripts.

use clap::CommandFactory as _;

use crate::{Cli, Error, Output};

/// Print a completion script for a shell
///
/// Load it in the running shell with `source <(longhaul completion bash)`, or put it where the shell looks for completions.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  longhaul completion bash > ~/.local/share/bash-completion/completions/longhaul
  longhaul completion zsh > ~/.zfunc/_longhaul
  longhaul completion fish > ~/.config/fish/completions/longhaul.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(crate) fn execute(args: &Args, output: &mut Output) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "longhaul", &mut script);
    output.raw(&script)
}
