//! The cases, by name.

use clap::ValueEnum;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Case {
    All,
    Empty,
    One,
    Ten,
    Sequential,
    FanOut,
    Activity,
    RemoteActivity,
    Sleep,
    Signal,
    SignalMany,
    SignalWithStart,
    Query,
    Update,
    Children,
    ContinueAsNew,
    List,
    Suspend,
    PendingRetries,
    Pollers,
    Replay,
    Instantiate,
}

impl Case {
    /// The cases that it stands for.
    pub(super) fn each(self) -> Vec<Self> {
        match self {
            Self::All => Self::value_variants()
                .iter()
                .copied()
                .filter(|case| *case != Self::All)
                .collect(),
            case => vec![case],
        }
    }

    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Empty => "empty",
            Self::One => "one",
            Self::Ten => "ten",
            Self::Sequential => "sequential",
            Self::FanOut => "fan-out",
            Self::Activity => "activity",
            Self::RemoteActivity => "remote-activity",
            Self::Sleep => "sleep",
            Self::Signal => "signal",
            Self::SignalMany => "signal-many",
            Self::SignalWithStart => "signal-with-start",
            Self::Query => "query",
            Self::Update => "update",
            Self::Children => "children",
            Self::ContinueAsNew => "continue-as-new",
            Self::List => "list",
            Self::Suspend => "suspend",
            Self::PendingRetries => "pending-retries",
            Self::Pollers => "pollers",
            Self::Replay => "replay",
            Self::Instantiate => "instantiate",
        }
    }

    /// Whether it looks at files and processes, and so cannot be measured on somebody else's server.
    pub(super) fn is_local(self) -> bool {
        matches!(
            self,
            Self::Suspend | Self::PendingRetries | Self::Pollers | Self::Replay | Self::Instantiate
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all_the_others() {
        assert_eq!(Case::All.each().len(), Case::value_variants().len() - 1);
        assert_eq!(Case::FanOut.each(), [Case::FanOut]);
    }
}
