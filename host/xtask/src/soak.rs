//! `soak`: random programs under random crashes, for as long as one likes.

use std::time::{Duration, Instant};

use crate::{
    error::Error,
    guests,
    process::{run as run_program, say},
    workspace::Workspace,
};

/// The test that plays seeds.
const TEST: &str = "programs::random_programs_survive_random_crashes";
/// With `--minutes` so many seeds are played between two looks at the clock.
const ROUND: u64 = 2_000;

/// How much is played.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds [default: 20000, or with --minutes as many as there is time for]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Begin no further 2,000 seeds after this many minutes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// Play the release build: its seeds are faster, but it has no debug assertions, and building it takes minutes
    #[arg(long)]
    release: bool,
}

impl Arguments {
    /// How many seeds the next round plays, when so many have been played; none: it is enough.
    fn round(&self, played: u64, elapsed: Duration) -> Option<u64> {
        let left = match (self.seeds, self.minutes) {
            (Some(seeds), _) => seeds.saturating_sub(played),
            (None, Some(_)) => u64::MAX,
            (None, None) => 20_000_u64.saturating_sub(played),
        };
        let round = match self.minutes {
            None => left,
            Some(minutes) if elapsed >= Duration::from_secs(60 * minutes) => 0,
            Some(_) => left.min(ROUND),
        };
        (round > 0).then_some(round)
    }
}

/// Plays seeds until one fails, or there are enough of them.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    guests::build(workspace)?;
    let (started, mut played) = (Instant::now(), 0);
    while let Some(round) = arguments.round(played, started.elapsed()) {
        let mut command = workspace.cargo("test");
        // The whole workspace, so that dependencies have the features that they have in other builds.
        command.args(["--workspace", "--test", "it"]);
        if arguments.release {
            command.arg("--release");
        }
        let first = arguments.from.saturating_add(played);
        command
            .args(["--", "--exact", TEST, "--nocapture"])
            .env("LONGHAUL_GUESTS", workspace.guests())
            .env("LONGHAUL_TEST_SEED", first.to_string())
            .env("LONGHAUL_TEST_CYCLES", round.to_string());
        run_program(&mut command)?;
        played += round;
    }
    say(format!(
        "{played} seeds from {} on in {:.0} s: nothing lost, nothing twice",
        arguments.from,
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(seeds: Option<u64>, minutes: Option<u64>) -> Arguments {
        Arguments {
            seeds,
            from: 1,
            minutes,
            release: false,
        }
    }

    #[test]
    fn plays_as_many_seeds_as_it_is_told() {
        let minute = Duration::from_secs(60);
        assert_eq!(arguments(Some(5), None).round(0, Duration::ZERO), Some(5));
        assert_eq!(arguments(Some(5), None).round(5, Duration::ZERO), None);
        assert_eq!(arguments(None, None).round(0, Duration::ZERO), Some(20_000));
        assert_eq!(arguments(None, Some(2)).round(ROUND, minute), Some(ROUND));
        assert_eq!(arguments(None, Some(2)).round(ROUND, 2 * minute), None);
        let both = arguments(Some(ROUND + 1), Some(2));
        assert_eq!(both.round(0, Duration::ZERO), Some(ROUND));
        assert_eq!(both.round(ROUND, minute), Some(1), "what ends first ends it");
        assert_eq!(both.round(ROUND, 3 * minute), None);
    }
}
