//! A timer's machine.

/// Where a timer is. `Started` -> `Fired` | `Canceled`; both ends are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Started,
    Fired,
    Canceled,
}

/// What happens to a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Fire,
    Cancel,
}

impl State {
    /// The table of transitions; none: illegal.
    pub(crate) fn next(self, input: Input) -> Option<State> {
        match (self, input) {
            (Self::Started, Input::Fire) => Some(Self::Fired),
            (Self::Started, Input::Cancel) => Some(Self::Canceled),
            (Self::Fired | Self::Canceled, _) => None,
        }
    }
}

/// A timer that has not fired.
#[derive(Debug, Clone)]
pub struct Timer {
    /// The decimal `seq`.
    pub timer_id: String,
    /// When it fires, in nanoseconds since 1970.
    pub due_ns: u64,
}
