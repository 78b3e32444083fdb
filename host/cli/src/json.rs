//! Protobuf messages in their JSON form, as `temporal ... -o json` shows them.

use longhaul_history::json::{Options, message_with, parse_history};
use prost::{Message, Name};
use serde_json::Value;

use crate::{
    Error,
    proto::history::v1::{History, HistoryEvent},
};

/// A message, with payloads as the values that they hold.
pub(crate) fn message<M: Message + Name>(message: &M) -> Result<Value, Error> {
    write(
        message,
        Options {
            payload_shorthand: true,
            ..Options::default()
        },
    )
}

/// An event of a history, with payloads as they are, so that it can be read back.
pub(crate) fn event(event: &HistoryEvent) -> Result<Value, Error> {
    write(event, Options::default())
}

fn write<M: Message + Name>(message: &M, options: Options) -> Result<Value, Error> {
    message_with(message, options).map_err(|error| Error::Json {
        what: M::NAME,
        reason: error.to_string(),
    })
}

/// A history from its JSON form.
pub(crate) fn history(text: &str) -> Result<History, String> {
    parse_history(text).map_err(|error| error.to_string())
}
