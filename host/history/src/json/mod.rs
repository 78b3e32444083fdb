//! Temporal's JSON form of histories and of every other protobuf.
//!
//! This is the canonical JSON of protobuf: camel-case keys, fields at their default left out, 64-bit numbers as strings,
//! bytes in base64, times as RFC 3339, enum values by their full name (`EVENT_TYPE_TIMER_STARTED`). A [`History`] written
//! here is what `temporal workflow show -o json` writes. Fields stand in the order of their numbers and maps in the order
//! of their keys, so equal messages give equal text.
//!
//! Reading also takes what older Temporal tools write: enum values by their short name (`TimerStarted`), and snake-case
//! keys.

mod read;
mod write;

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

use crate::{History, HistoryEvent};

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Line breaks and two spaces a level.
    pub pretty: bool,
    /// Payloads as the plain values that they hold, where they are JSON or nothing and have no metadata but their encoding;
    /// `temporal` does this for everything but histories. What is written so cannot be read back.
    pub payload_shorthand: bool,
}

/// Why a message cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Temporal's protobufs have no message of that name.
    #[error("Temporal's API has no message {name}")]
    UnknownMessage {
        /// The full name that was asked for.
        name: String,
    },
    /// A message holds what JSON cannot say, such as a time after the year 9999.
    #[error("{name} cannot be written as JSON: {reason}")]
    Unwritable {
        /// The message's full name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The text is not JSON.
    #[error("this is not JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// The JSON is not that message.
    #[error("this is not the JSON of a {name}: at {path}: {reason}")]
    Shape {
        /// The message's full name.
        name: String,
        /// Where, for example `events[4].eventType`.
        path: String,
        /// What is wrong there.
        reason: String,
    },
}

/// A message as compact JSON.
///
/// # Errors
///
/// [`Error::Unwritable`], [`Error::UnknownMessage`].
pub fn to_string<M: Message + Name>(message: &M) -> Result<String, Error> {
    to_string_with(message, Options::default())
}

/// A message as JSON on several lines.
///
/// # Errors
///
/// As [`to_string`].
pub fn to_string_pretty<M: Message + Name>(message: &M) -> Result<String, Error> {
    to_string_with(
        message,
        Options {
            pretty: true,
            ..Options::default()
        },
    )
}

/// A message as JSON.
///
/// # Errors
///
/// As [`to_string`].
pub fn to_string_with<M: Message + Name>(message: &M, options: Options) -> Result<String, Error> {
    let dynamic = dynamic(message)?;
    let json = write::Json {
        message: &dynamic,
        options,
    };
    let text = if options.pretty {
        serde_json::to_string_pretty(&json)
    } else {
        serde_json::to_string(&json)
    };
    text.map_err(|error| unwritable(M::full_name(), error))
}

/// A message as a JSON value, for putting into a larger document.
///
/// # Errors
///
/// As [`to_string`].
pub fn message<M: Message + Name>(message: &M) -> Result<Value, Error> {
    message_with(message, Options::default())
}

/// A message as a JSON value; `pretty` has no meaning here.
///
/// # Errors
///
/// As [`to_string`].
pub fn message_with<M: Message + Name>(message: &M, options: Options) -> Result<Value, Error> {
    let dynamic = dynamic(message)?;
    serde_json::to_value(write::Json {
        message: &dynamic,
        options,
    })
    .map_err(|error| unwritable(M::full_name(), error))
}

/// A message from JSON. Unknown fields are an error.
///
/// # Errors
///
/// [`Error::Syntax`], [`Error::Shape`], [`Error::UnknownMessage`].
pub fn from_str<M: Message + Name + Default>(text: &str) -> Result<M, Error> {
    from_value(parse(text)?)
}

/// A message from a JSON value. Unknown fields are an error.
///
/// # Errors
///
/// As [`from_str`].
pub fn from_value<M: Message + Name + Default>(value: Value) -> Result<M, Error> {
    read::message(value, read::Unknown::Refuse)
}

/// A history from JSON: `{"events": [...]}`, as `temporal workflow show -o json` and its older relatives write.
///
/// Fields and enum values that this release does not know are skipped, as Temporal's own SDKs do, so that histories of newer
/// and of older servers can be read. An event type that it does not know is an error, unless the event says that workers may
/// ignore it; then the type is left unspecified.
///
/// # Errors
///
/// As [`from_str`]; also if event ids do not count up from the first one by one.
pub fn parse_history(text: &str) -> Result<History, Error> {
    let history: History = read::message(parse(text)?, read::Unknown::Skip)?;
    for (index, pair) in history.events.windows(2).enumerate() {
        if pair[0].event_id.checked_add(1) != Some(pair[1].event_id) {
            return Err(Error::Shape {
                name: History::full_name(),
                path: format!("events[{}].eventId", index + 1),
                reason: format!(
                    "{} follows {}: an event is missing or out of order",
                    pair[1].event_id, pair[0].event_id
                ),
            });
        }
    }
    Ok(history)
}

/// A history as JSON on several lines, in the form of `temporal workflow show -o json`.
///
/// # Errors
///
/// As [`to_string`].
pub fn history_to_string(events: &[HistoryEvent]) -> Result<String, Error> {
    to_string_pretty(&History {
        events: events.to_vec(),
    })
}

fn parse(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(Error::Syntax)
}

fn unwritable(name: String, error: serde_json::Error) -> Error {
    Error::Unwritable {
        name,
        reason: error.to_string(),
    }
}

/// The message as its descriptor sees it.
pub(crate) fn dynamic<M: Message + Name>(message: &M) -> Result<DynamicMessage, Error> {
    let mut dynamic = DynamicMessage::new(descriptor(&M::full_name())?);
    dynamic
        .transcode_from(message)
        .map_err(|error| Error::Unwritable {
            name: M::full_name(),
            reason: error.to_string(),
        })?;
    Ok(dynamic)
}

fn descriptor(name: &str) -> Result<MessageDescriptor, Error> {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        // The build script has written these bytes from what the protobuf compiler made; a test below decodes them.
        DescriptorPool::decode(include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin")).as_slice())
            .expect("the descriptors of this build are whole")
    });
    POOL.get_message_by_name(name)
        .ok_or_else(|| Error::UnknownMessage {
            name: name.to_owned(),
        })
}

#[cfg(test)]
mod tests;
