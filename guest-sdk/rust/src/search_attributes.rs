//! Values by which executions are found.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::data_converters::{Payload, PayloadConversionError, decode, encode};

/// The metadata key that says how a search attribute is indexed.
const TYPE_KEY: &str = "type";

/// How a search attribute is indexed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IndexedValueType {
    /// Text, by its words.
    Text,
    /// Text, as a whole.
    Keyword,
    /// An integer.
    Int,
    /// A number.
    Double,
    /// True or false.
    Bool,
    /// A moment.
    Datetime,
    /// Several texts, each as a whole.
    KeywordList,
}

impl IndexedValueType {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Keyword => "Keyword",
            Self::Int => "Int",
            Self::Double => "Double",
            Self::Bool => "Bool",
            Self::Datetime => "Datetime",
            Self::KeywordList => "KeywordList",
        }
    }
}

/// Why a search attribute could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchAttributeError {
    /// The payload could not be written or read.
    #[error("failed to convert search attribute payload: {0}")]
    Conversion(#[from] PayloadConversionError),
    /// The text is not a moment as RFC 3339 has it.
    #[error("invalid timestamp: {0}")]
    InvalidTimestamp(String),
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for bool {}
    impl Sealed for i64 {}
    impl Sealed for f64 {}
    impl Sealed for String {}
    impl Sealed for super::Timestamp {}
    impl Sealed for Vec<String> {}
}

/// A type that a search attribute may have.
pub trait SearchAttributeValue: sealed::Sealed + Clone + Sized {
    #[doc(hidden)]
    fn write(&self) -> Result<Payload, SearchAttributeError>;
    #[doc(hidden)]
    fn read(payload: &Payload) -> Result<Self, SearchAttributeError>;
}

macro_rules! plain {
    ($($type:ty),+) => {
        $(impl SearchAttributeValue for $type {
            fn write(&self) -> Result<Payload, SearchAttributeError> {
                Ok(encode(self)?)
            }

            fn read(payload: &Payload) -> Result<Self, SearchAttributeError> {
                Ok(decode(payload.clone())?)
            }
        })+
    };
}

plain!(bool, i64, f64, String, Vec<String>);

/// A moment, to the nanosecond.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp {
    seconds: i64,
    nanos: i32,
}

impl Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z and nanoseconds, which are cut to 0..=999_999_999.
    pub fn new(seconds: i64, nanos: i32) -> Self {
        Self {
            seconds,
            nanos: nanos.clamp(0, 999_999_999),
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds beyond the seconds.
    pub fn nanos(&self) -> i32 {
        self.nanos
    }

    fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', 't'])?;
        let mut date = date.splitn(3, '-').map(str::parse::<i64>);
        let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
        let zone = time.find(['Z', 'z', '+', '-'])?;
        let (clock, zone) = time.split_at(zone);
        let offset = match zone.split_at(1) {
            ("Z" | "z", "") => 0,
            (sign, offset) => {
                let (hours, minutes) = offset.split_once(':')?;
                let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
                if sign == "-" { -minutes * 60 } else { minutes * 60 }
            }
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
        let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
        let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
        if !in_range || second > 60 || fraction.len() > 9 {
            return None;
        }
        let nanos = if fraction.is_empty() {
            0
        } else {
            format!("{fraction:0<9}").parse().ok()?
        };
        let seconds =
            days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
        Some(Self { seconds, nanos })
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; years are counted from March, so that the leap day
/// is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day counted from 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// As RFC 3339 has it.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if self.nanos != 0 {
            write!(f, ".{:09}", self.nanos)?;
        }
        f.write_str("Z")
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self::new(
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                i32::try_from(since.subsec_nanos()).unwrap_or_default(),
            ),
            Err(before) => {
                let before = before.duration();
                let seconds = -i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                match i32::try_from(before.subsec_nanos()) {
                    Ok(nanos) if nanos > 0 => Self::new(seconds - 1, 1_000_000_000 - nanos),
                    _ => Self::new(seconds, 0),
                }
            }
        }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = SearchAttributeError;

    fn try_from(timestamp: Timestamp) -> Result<Self, SearchAttributeError> {
        let seconds = Duration::from_secs(timestamp.seconds.unsigned_abs());
        let whole = if timestamp.seconds >= 0 {
            UNIX_EPOCH.checked_add(seconds)
        } else {
            UNIX_EPOCH.checked_sub(seconds)
        };
        let nanos = Duration::from_nanos(u64::from(timestamp.nanos.unsigned_abs()));
        whole
            .and_then(|time| time.checked_add(nanos))
            .ok_or_else(|| SearchAttributeError::InvalidTimestamp(timestamp.to_string()))
    }
}

impl SearchAttributeValue for Timestamp {
    fn write(&self) -> Result<Payload, SearchAttributeError> {
        Ok(encode(&self.to_string())?)
    }

    fn read(payload: &Payload) -> Result<Self, SearchAttributeError> {
        let text: String = decode(payload.clone())?;
        Self::parse(&text).ok_or(SearchAttributeError::InvalidTimestamp(text))
    }
}

/// A search attribute's name and type.
#[derive(Clone, Copy, Debug)]
pub struct SearchAttributeKey<T: SearchAttributeValue> {
    name: &'static str,
    indexed: IndexedValueType,
    value: PhantomData<fn() -> T>,
}

impl<T: SearchAttributeValue> SearchAttributeKey<T> {
    const fn new(name: &'static str, indexed: IndexedValueType) -> Self {
        Self {
            name,
            indexed,
            value: PhantomData,
        }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How it is indexed.
    pub fn indexed_value_type(&self) -> IndexedValueType {
        self.indexed
    }

    /// Set it.
    ///
    /// # Panics
    /// If the value cannot be written, which holds for numbers that are not finite.
    pub fn value_set(&self, value: T) -> SearchAttributeUpdate {
        match self.try_value_set(value) {
            Ok(update) => update,
            Err(error) => panic!("search attribute {}: {error}", self.name),
        }
    }

    /// Set it.
    ///
    /// # Errors
    /// If the value cannot be written.
    pub fn try_value_set(&self, value: T) -> Result<SearchAttributeUpdate, SearchAttributeError> {
        let mut payload = value.write()?;
        payload
            .metadata
            .push((TYPE_KEY.to_owned(), self.indexed.name().as_bytes().to_vec()));
        Ok(SearchAttributeUpdate {
            name: self.name.to_owned(),
            payload: Some(payload),
        })
    }

    /// Remove it.
    pub fn value_unset(&self) -> SearchAttributeUpdate {
        SearchAttributeUpdate {
            name: self.name.to_owned(),
            payload: None,
        }
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $function:ident: $type:ty = $indexed:ident;)+) => {
        $(impl SearchAttributeKey<$type> {
            $(#[$doc])*
            pub const fn $function(name: &'static str) -> Self {
                Self::new(name, IndexedValueType::$indexed)
            }
        })+
    };
}

keys! {
    /// True or false.
    bool: bool = Bool;
    /// An integer.
    int: i64 = Int;
    /// A number.
    float: f64 = Double;
    /// Text, as a whole.
    keyword: String = Keyword;
    /// Text, by its words.
    text: String = Text;
    /// A moment.
    datetime: Timestamp = Datetime;
    /// Several texts, each as a whole.
    keyword_list: Vec<String> = KeywordList;
}

/// A change of one search attribute.
#[derive(Clone, Debug)]
pub struct SearchAttributeUpdate {
    name: String,
    payload: Option<Payload>,
}

impl SearchAttributeUpdate {
    /// The attribute's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does it remove the attribute?
    pub fn is_unset(&self) -> bool {
        self.payload.is_none()
    }

    pub(crate) fn into_wit(self) -> (String, Option<Payload>) {
        (self.name, self.payload)
    }
}

/// An execution's search attributes.
#[derive(Clone, Debug, Default)]
pub struct SearchAttributes {
    fields: BTreeMap<String, Payload>,
}

impl SearchAttributes {
    /// Attributes to start with.
    pub fn new(updates: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        let mut attributes = Self::default();
        updates.into_iter().for_each(|update| attributes.apply(update));
        attributes
    }

    pub(crate) fn from_wit(fields: Vec<(String, Payload)>) -> Self {
        Self {
            fields: fields.into_iter().collect(),
        }
    }

    pub(crate) fn into_wit(self) -> Vec<(String, Payload)> {
        self.fields.into_iter().collect()
    }

    /// Make a change.
    pub fn apply(&mut self, update: SearchAttributeUpdate) {
        match update.payload {
            Some(payload) => self.fields.insert(update.name, payload),
            None => self.fields.remove(&update.name),
        };
    }

    /// A value; none where there is none, or one of another type.
    pub fn get<T: SearchAttributeValue>(&self, key: &SearchAttributeKey<T>) -> Option<T> {
        self.try_get(key).ok().flatten()
    }

    /// A value.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn try_get<T: SearchAttributeValue>(
        &self,
        key: &SearchAttributeKey<T>,
    ) -> Result<Option<T>, SearchAttributeError> {
        self.fields.get(key.name).map(T::read).transpose()
    }

    /// Is there such an attribute?
    pub fn contains_key<T: SearchAttributeValue>(&self, key: &SearchAttributeKey<T>) -> bool {
        self.fields.contains_key(key.name)
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// A value, unread.
    pub fn raw_payload(&self, name: &str) -> Option<&Payload> {
        self.fields.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_carry_their_type() {
        let key = SearchAttributeKey::int("Count");
        let attributes = SearchAttributes::new([key.value_set(42)]);
        assert_eq!(attributes.get(&key), Some(42));
        let payload = attributes.raw_payload("Count").unwrap();
        assert!(payload.metadata.contains(&("type".to_owned(), b"Int".to_vec())));
    }

    #[test]
    fn moments_read_as_they_are_written() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2024-02-29T23:59:59.500000000Z", 1_709_251_199, 500_000_000),
            ("1969-12-31T23:59:59Z", -1, 0),
            ("2100-03-01T00:00:00Z", 4_107_542_400, 0),
        ] {
            let timestamp = Timestamp::parse(text).unwrap();
            assert_eq!((timestamp.seconds(), timestamp.nanos()), (seconds, nanos));
            assert_eq!(timestamp.to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2024-01-01T02:00:00+02:00"),
            Timestamp::parse("2024-01-01T00:00:00Z")
        );
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("2024-13-01T00:00:00Z"), None);
    }
}
