//! How long a client waits for an answer.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// gRPC's header for it.
const TIMEOUT: &str = "grpc-timeout";

/// An empty answer to a long poll leaves so much earlier, so that it arrives: as on Temporal's server.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How long a long poll may wait, so that its client still gets the answer. None: the client names no end.
pub(crate) fn long_poll(metadata: &MetadataMap) -> Option<Duration> {
    let timeout = metadata.get(TIMEOUT)?.to_str().ok()?;
    Some(parse(timeout)?.saturating_sub(ON_ITS_WAY))
}

/// At most eight digits and a unit, as gRPC defines it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 60 * 60)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_nonsense_is_no_limit() {
        for (text, seconds) in [
            ("2H", 7_200),
            ("3M", 180),
            ("70S", 70),
            ("70000m", 70),
            ("99999999u", 99),
        ] {
            assert_eq!(
                parse(text).map(|timeout| timeout.as_secs()),
                Some(seconds),
                "{text}"
            );
        }
        assert_eq!(parse("5n"), Some(Duration::from_nanos(5)));
        for text in ["", "S", "5", "5s", "-5S", "123456789S", "5S ", "\u{fc}"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_answer_arrives_before_the_client_gives_up() {
        let mut metadata = MetadataMap::new();
        assert_eq!(long_poll(&metadata), None);
        metadata.insert(TIMEOUT, "70000m".parse().unwrap());
        assert_eq!(long_poll(&metadata), Some(Duration::from_secs(69)));
        metadata.insert(TIMEOUT, "5m".parse().unwrap());
        assert_eq!(long_poll(&metadata), Some(Duration::ZERO));
    }
}
