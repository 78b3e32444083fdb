//! Protobuf times and durations as nanoseconds, and as text.
//!
//! Inside Longhaul a moment is a `u64` of nanoseconds since 1970-01-01T00:00:00Z, which reaches to the year 2554, and a
//! span of time is a `u64` of nanoseconds, which reaches 584 years. Temporal's protobufs reach further; what is beyond
//! is held at `u64::MAX` ("never").

use std::fmt::Write as _;

pub use prost_wkt_types::{Duration, Timestamp};

/// Nanoseconds in a second.
pub const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds in a millisecond.
pub const NS_PER_MILLISECOND: u64 = 1_000_000;

/// The protobuf form of a moment, given in nanoseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn timestamp_from_ns(ns: u64) -> Timestamp {
    let (seconds, nanos) = split(ns);
    Timestamp { seconds, nanos }
}

/// Nanoseconds since 1970-01-01T00:00:00Z.
///
/// `None` before 1970 or if the fraction is malformed; `u64::MAX` after the year 2554.
#[must_use]
pub fn ns_from_timestamp(timestamp: &Timestamp) -> Option<u64> {
    join(timestamp.seconds, timestamp.nanos)
}

/// The protobuf form of a span of nanoseconds.
#[must_use]
pub fn duration_from_ns(ns: u64) -> Duration {
    let (seconds, nanos) = split(ns);
    Duration { seconds, nanos }
}

/// A span in nanoseconds.
///
/// `None` if it is negative or its fraction is malformed; `u64::MAX` if it is longer than 584 years.
#[must_use]
pub fn ns_from_duration(duration: &Duration) -> Option<u64> {
    join(duration.seconds, duration.nanos)
}

/// The protobuf form of a [`std::time::Duration`]; at most 584 years.
#[must_use]
pub fn duration_from_std(duration: std::time::Duration) -> Duration {
    duration_from_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// A span of nanoseconds for people: `7d`, `1h30m`, `1m30.5s`, `250ms`, `0s`.
#[must_use]
pub fn format_duration_ns(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [
        (86_400 * NS_PER_SECOND, "d"),
        (3_600 * NS_PER_SECOND, "h"),
        (60 * NS_PER_SECOND, "m"),
    ];
    if ns == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    let mut rest = ns;
    for (unit, name) in UNITS {
        if rest >= unit {
            let _ = write!(text, "{}{name}", rest / unit); // writing to a String cannot fail
            rest %= unit;
        }
    }
    if rest == 0 {
        return text;
    }
    let (unit, name) = match rest {
        _ if !text.is_empty() || rest >= NS_PER_SECOND => (NS_PER_SECOND, "s"),
        _ if rest >= NS_PER_MILLISECOND => (NS_PER_MILLISECOND, "ms"),
        _ if rest >= 1_000 => (1_000, "us"),
        _ => (1, "ns"),
    };
    let _ = write!(text, "{}", rest / unit);
    let fraction = rest % unit;
    if fraction > 0 {
        let digits = format!("{:0width$}", fraction, width = unit.ilog10() as usize);
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text + name
}

/// A protobuf duration for people, as [`format_duration_ns`]; a negative or malformed one as seconds and nanoseconds.
#[must_use]
pub fn format_duration(duration: &Duration) -> String {
    match ns_from_duration(duration) {
        Some(ns) if ns < u64::MAX => format_duration_ns(ns),
        _ => format!("{}s{:+}ns", duration.seconds, duration.nanos),
    }
}

/// A moment as `2026-11-21T07:01:14.123Z`: UTC, cut to milliseconds.
#[must_use]
pub fn format_timestamp(timestamp: &Timestamp) -> String {
    let days = timestamp.seconds.div_euclid(86_400);
    let second = timestamp.seconds.rem_euclid(86_400);
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let millisecond = timestamp.nanos.clamp(0, 999_999_999) / 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; 400 years have 146,097 days.
fn civil_from_days(days: i64) -> (i128, i128, i128) {
    let days = i128::from(days) + 719_468; // from 0000-03-01
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // 0 is March
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day)
}

fn split(ns: u64) -> (i64, i32) {
    // Both casts are lossless: u64::MAX nanoseconds are 18 billion seconds, and the remainder is below 10^9.
    ((ns / NS_PER_SECOND) as i64, (ns % NS_PER_SECOND) as i32)
}

fn join(seconds: i64, nanos: i32) -> Option<u64> {
    let seconds = u64::try_from(seconds).ok()?;
    let nanos = u64::try_from(nanos).ok().filter(|nanos| *nanos < NS_PER_SECOND)?;
    Some(seconds.saturating_mul(NS_PER_SECOND).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_well() {
        for (ns, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5us"),
            (250 * NS_PER_MILLISECOND, "250ms"),
            (NS_PER_SECOND + 5, "1.000000005s"),
            (90 * NS_PER_SECOND + 500 * NS_PER_MILLISECOND, "1m30.5s"),
            (60 * NS_PER_SECOND + 1, "1m0.000000001s"),
            (7 * 86_400 * NS_PER_SECOND, "7d"),
            (5_400 * NS_PER_SECOND, "1h30m"),
        ] {
            assert_eq!(format_duration_ns(ns), text);
        }
        assert_eq!(
            format_duration(&Duration {
                seconds: -1,
                nanos: 0
            }),
            "-1s+0ns"
        );
    }

    #[test]
    fn timestamps_read_well() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, 999_999_999, "2000-02-29T00:00:00.999Z"),
            (1_795_244_474, 123_000_000, "2026-11-21T07:01:14.123Z"),
            (-1, 0, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(format_timestamp(&Timestamp { seconds, nanos }), text);
        }
        let _ = format_timestamp(&Timestamp {
            seconds: i64::MIN,
            nanos: i32::MIN,
        });
        let _ = format_timestamp(&Timestamp {
            seconds: i64::MAX,
            nanos: i32::MAX,
        });
    }

    #[test]
    fn what_does_not_fit_is_refused_or_held_at_never() {
        assert_eq!(
            ns_from_timestamp(&Timestamp {
                seconds: -1,
                nanos: 0
            }),
            None
        );
        assert_eq!(
            ns_from_timestamp(&Timestamp {
                seconds: 1,
                nanos: -1
            }),
            None
        );
        assert_eq!(
            ns_from_duration(&Duration {
                seconds: 1,
                nanos: 1_000_000_000
            }),
            None
        );
        assert_eq!(
            ns_from_duration(&Duration {
                seconds: i64::MAX,
                nanos: 0
            }),
            Some(u64::MAX)
        );
    }

    proptest! {
        #[test]
        fn nanoseconds_survive(ns: u64) {
            prop_assert_eq!(ns_from_timestamp(&timestamp_from_ns(ns)), Some(ns));
            prop_assert_eq!(ns_from_duration(&duration_from_ns(ns)), Some(ns));
        }

        #[test]
        fn timestamps_read_as_protobuf_json_reads_them(seconds in 0i64..253_402_300_799, ms in 0i32..1_000) {
            let timestamp = Timestamp { seconds, nanos: ms * 1_000_000 };
            let parsed: Timestamp = format_timestamp(&timestamp).parse().map_err(|_| TestCaseError::fail("parse"))?;
            prop_assert_eq!(parsed, timestamp);
        }
    }
}
