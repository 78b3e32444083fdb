//! When a workflow with a cron schedule runs next (E2).
//!
//! Schedules are written as on Temporal's server: five fields (minute, hour, day of month, month, day of week), `@hourly` and its
//! kind, `@every 1h30m`, and before any of these `CRON_TZ=Europe/Berlin`. Without a time zone they are in UTC.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};
use longhaul_history::time::NS_PER_SECOND;

/// A schedule that was read.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// At the times that the fields name.
    Fields { cron: Box<Cron>, zone: TimeZone },
    /// So many nanoseconds after the last time.
    Every(u64),
}

/// A schedule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cron schedule {schedule:?} is not valid: {why}; write five fields (minute hour day month weekday), @hourly, @daily, \
     @weekly, @monthly, @yearly, or @every with a duration such as 1h30m"
)]
pub struct Bad {
    /// As it was given.
    pub schedule: String,
    /// What is wrong with it.
    pub why: String,
}

impl Schedule {
    /// Read a schedule.
    ///
    /// # Errors
    ///
    /// It is none, names an unknown time zone, or never comes.
    pub fn parse(text: &str) -> Result<Self, Bad> {
        Self::read(text).map_err(|why| Bad {
            schedule: text.to_owned(),
            why,
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let mut zone = TimeZone::UTC;
        if let Some(named) = rest.strip_prefix("CRON_TZ=").or_else(|| rest.strip_prefix("TZ=")) {
            let (name, schedule) = named
                .split_once(char::is_whitespace)
                .ok_or("nothing follows the time zone")?;
            zone = TimeZone::get(name).map_err(|_| format!("there is no time zone {name:?}"))?;
            rest = schedule.trim();
        }
        if let Some(interval) = rest.strip_prefix("@every") {
            return Ok(Self(Kind::Every(every(interval.trim())?)));
        }
        let fields = if rest.eq_ignore_ascii_case("@midnight") {
            "@daily"
        } else {
            rest
        };
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            // `5/15` is every 15 from 5 on.
            .sloppy_ranges(true)
            .build()
            .parse(fields)
            .map_err(|error| error.to_string())?;
        let schedule = Self(Kind::Fields {
            cron: Box::new(cron),
            zone,
        });
        match schedule.next_at_or_after(0) {
            Some(_) => Ok(schedule),
            None => Err("it names a day that no month has".to_owned()),
        }
    }

    /// How long a run waits that goes on from one that was due at `due_ns` and closed at `now_ns`: until the first time of the
    /// schedule after the one and not before the other. None: the schedule has no further time.
    pub fn backoff_ns(&self, due_ns: u64, now_ns: u64) -> Option<u64> {
        let next_ns = match &self.0 {
            Kind::Every(interval_ns) => {
                let passed = now_ns.saturating_sub(due_ns).div_ceil(*interval_ns).max(1);
                due_ns.checked_add(passed.checked_mul(*interval_ns)?)?
            }
            Kind::Fields { .. } => {
                let after_due = due_ns / NS_PER_SECOND + 1;
                self.next_at_or_after(after_due.max(now_ns.div_ceil(NS_PER_SECOND)))?
            }
        };
        Some(next_ns.saturating_sub(now_ns))
    }

    /// The first time of the fields from a second on, in nanoseconds since 1970.
    fn next_at_or_after(&self, second: u64) -> Option<u64> {
        let Kind::Fields { cron, zone } = &self.0 else {
            return None;
        };
        let from = Timestamp::from_second(i64::try_from(second).ok()?).ok()?;
        let next = cron
            .find_next_occurrence(&from.to_zoned(zone.clone()), true)
            .ok()?;
        u64::try_from(next.timestamp().as_second())
            .ok()?
            .checked_mul(NS_PER_SECOND)
    }
}

/// A duration as Go writes it, in whole seconds and at least one, in nanoseconds.
fn every(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no duration");
    let mut rest = text;
    let mut total_ns = 0f64;
    if rest.is_empty() {
        return Err("@every needs a duration".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let (number, unit_and_rest) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let unit = unit_and_rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(unit_and_rest.len());
        let (unit, after) = unit_and_rest.split_at(unit);
        let unit_ns = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            _ => return Err(format!("{unit:?} is no unit of time (ns, us, ms, s, m, h)")),
        };
        total_ns += number * unit_ns;
        rest = after;
    }
    let seconds = total_ns / NS_PER_SECOND as f64;
    // A cast from a float saturates; what does not fit 64 bits of nanoseconds, some 584 years, is no plan.
    (seconds as u64)
        .max(1)
        .checked_mul(NS_PER_SECOND)
        .ok_or_else(|| format!("{text:?} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_clock_can_reach_is_refused() {
        // E2, B1
        for text in ["@every 5124096h", "@every 99999999999999999999h"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }

    fn ns(text: &str) -> u64 {
        let time: Timestamp = text.parse().unwrap();
        u64::try_from(time.as_nanosecond()).unwrap()
    }

    /// When a run is due next that was due and has closed at these times.
    fn next(schedule: &str, due: &str, closed: &str) -> String {
        let (due, closed) = (ns(due), ns(closed));
        let backoff = Schedule::parse(schedule)
            .unwrap()
            .backoff_ns(due, closed)
            .unwrap();
        Timestamp::from_nanosecond(i128::from(closed + backoff))
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_next_time_is_after_the_last_and_not_before_the_end() {
        // E2
        let hour = "2026-01-01T12:00:00Z";
        assert_eq!(next("0 * * * *", hour, hour), "2026-01-01T13:00:00Z");
        assert_eq!(
            next("0 * * * *", hour, "2026-01-01T15:00:00Z"),
            "2026-01-01T15:00:00Z"
        );
        assert_eq!(
            next("0 * * * *", hour, "2026-01-01T15:00:00.5Z"),
            "2026-01-01T16:00:00Z"
        );
        assert_eq!(next("@every 90m", hour, hour), "2026-01-01T13:30:00Z");
        assert_eq!(
            next("@every 1h30m", hour, "2026-01-01T16:00:00Z"),
            "2026-01-01T16:30:00Z"
        );
        assert_eq!(
            next("@every 1h30m", hour, "2026-01-01T15:00:00Z"),
            "2026-01-01T15:00:00Z"
        );
        assert_eq!(next("@midnight", hour, hour), "2026-01-02T00:00:00Z");
        assert_eq!(next("@hourly", hour, hour), "2026-01-01T13:00:00Z");
        assert_eq!(
            next("5/20 8-10 * JAN MON,FRI", hour, hour),
            "2026-01-02T08:05:00Z"
        );
        assert_eq!(next("0 0 13 * FRI", hour, hour), "2026-01-02T00:00:00Z");
    }

    #[test]
    fn a_time_zone_has_its_own_hours() {
        // E2
        let new_year = "2026-01-01T00:00:00Z";
        assert_eq!(
            next("CRON_TZ=Europe/Berlin 0 8 * * *", new_year, new_year),
            "2026-01-01T07:00:00Z"
        );
        // Summer time begins on March 29: there is no half past two.
        let gap = "2026-03-28T12:00:00Z";
        assert_eq!(
            next("TZ=Europe/Berlin 0 12 * * *", gap, gap),
            "2026-03-29T10:00:00Z"
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        // E2
        let why = |schedule: &str| Schedule::parse(schedule).unwrap_err().why;
        assert_eq!(why("0 0 30 2 *"), "it names a day that no month has");
        assert_eq!(why("@every"), "@every needs a duration");
        assert_eq!(
            why("@every 5 parsecs"),
            "\" parsecs\" is no unit of time (ns, us, ms, s, m, h)"
        );
        assert_eq!(
            why("CRON_TZ=Europe/Atlantis 0 * * * *"),
            "there is no time zone \"Europe/Atlantis\""
        );
        assert_eq!(why("TZ=UTC"), "nothing follows the time zone");
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* * * * 9",
            "@reboot",
            "soon",
        ] {
            let error = Schedule::parse(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
