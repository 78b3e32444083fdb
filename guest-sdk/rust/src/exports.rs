//! The exports of a component, over what its crate defines.

pub(crate) mod activities;
pub(crate) mod workflows;

/// Report a panic with its place: the host shows the last lines of standard error with the trap.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        if workflows::handles_before_run() {
            // Not as a `note:`, of which Rust has its own, and which tools leave out.
            eprintln!(
                "(this handler ran before `run` began, as it does for messages that come first: state that a handler needs \
                 is made in `#[init]`)"
            );
        }
    }));
}

/// Open standard output and standard error, so that the instance's table of host resources does not change any more. The
/// host drops the lines.
#[expect(
    clippy::print_stdout,
    reason = "the contract asks for a line on standard output"
)]
pub(crate) fn open_standard_streams() {
    println!("prepared");
    eprintln!("prepared");
}
