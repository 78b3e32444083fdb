//! The exports of a component, over what its crate defines.

pub(crate) mod activities;
pub(crate) mod workflows;

/// Report a panic in one line, with its place: the host shows the last lines of standard error with the trap.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
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
