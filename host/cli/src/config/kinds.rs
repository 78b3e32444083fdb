//! Kinds of values: how a setting is written in a file.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A value as it stands in a file.
pub(super) trait Kind: for<'de> Deserialize<'de> {
    /// What the setting holds.
    type Value;

    fn into_value(self) -> Self::Value;

    fn show(value: &Self::Value) -> String;
}

/// What is written as in TOML itself.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Plain<T>(T);

impl<T: for<'de> Deserialize<'de> + serde::Serialize> Kind for Plain<T> {
    type Value = T;

    fn into_value(self) -> T {
        self.0
    }

    fn show(value: &T) -> String {
        // What has a TOML form here is a number, a truth value or a text, and those look the same in JSON.
        serde_json::to_string(value).unwrap_or_default()
    }
}

/// A number of at least 1.
#[derive(Debug)]
pub(super) struct Count<T>(T);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Count<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number == 0 {
            return Err(de::Error::custom("it is 0, but must be at least 1"));
        }
        T::try_from(number)
            .map(Self)
            .map_err(|_| de::Error::custom(format!("{number} is too large")))
    }
}

impl<T: TryFrom<u64> + fmt::Display> Kind for Count<T> {
    type Value = T;

    fn into_value(self) -> T {
        self.0
    }

    fn show(value: &T) -> String {
        value.to_string()
    }
}

/// A size: bytes, or a text with a unit.
#[derive(Debug)]
pub(super) struct Size<T>(T);

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Size<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<T: TryFrom<u64>> de::Visitor<'_> for Visitor<T> {
            type Value = Size<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size in bytes, or as \"64 MiB\"")
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size<T>, E> {
                let bytes = u64::try_from(bytes).map_err(|_| E::custom(format!("{bytes} is less than 0")))?;
                self.visit_u64(bytes)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size<T>, E> {
                if bytes == 0 {
                    return Err(E::custom("it is 0, but must be at least 1"));
                }
                let size =
                    T::try_from(bytes).map_err(|_| E::custom(format!("{bytes} bytes are too many")))?;
                Ok(Size(size))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size<T>, E> {
                let wrong = || {
                    E::custom(format!(
                        "{text:?} is no size: write bytes, or a number with KiB, MiB or GiB"
                    ))
                };
                let (unit, factor) = UNITS
                    .into_iter()
                    .find(|(unit, _)| text.trim().ends_with(unit))
                    .unwrap_or(("", 1));
                let number = text.trim().strip_suffix(unit).unwrap_or_default().trim();
                let number: u64 = number.parse().map_err(|_| wrong())?;
                self.visit_u64(number.checked_mul(factor).ok_or_else(wrong)?)
            }
        }

        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

impl<T: TryFrom<u64> + TryInto<u64> + Copy> Kind for Size<T> {
    type Value = T;

    fn into_value(self) -> T {
        self.0
    }

    fn show(value: &T) -> String {
        let bytes: u64 = (*value).try_into().unwrap_or(u64::MAX);
        let unit = UNITS
            .into_iter()
            .find(|(_, factor)| bytes.is_multiple_of(*factor));
        let (unit, factor) = unit.unwrap_or(("B", 1));
        format!("\"{} {unit}\"", bytes / factor)
    }
}

/// A time as a text with units.
#[derive(Debug)]
pub(super) struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as \"10s\" or \"2h 30m\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                match humantime::parse_duration(text) {
                    Ok(time) if time.is_zero() => Err(E::custom("it is 0, but must be longer")),
                    Ok(time) => Ok(Time(time)),
                    Err(error) => Err(E::custom(format!("{text:?} is no time: {error}"))),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Kind for Time {
    type Value = Duration;

    fn into_value(self) -> Duration {
        self.0
    }

    fn show(value: &Duration) -> String {
        format!("\"{}\"", humantime::format_duration(*value))
    }
}
