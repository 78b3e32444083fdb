//! Values that tools show beside an execution.

use std::collections::BTreeMap;

use crate::data_converters::{
    Payload, PayloadConversionError, TemporalDeserializable, TemporalSerializable, decode, encode,
};

/// An execution's memo.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Memo {
    fields: BTreeMap<String, Payload>,
}

impl Memo {
    pub(crate) fn new(fields: Vec<(String, Payload)>) -> Self {
        Self {
            fields: fields.into_iter().collect(),
        }
    }

    /// Read a field.
    ///
    /// # Errors
    /// If it is not of this type.
    pub fn get<T: TemporalDeserializable + 'static>(
        &self,
        key: &str,
    ) -> Result<Option<T>, PayloadConversionError> {
        self.fields.get(key).cloned().map(decode).transpose()
    }

    /// Is there such a field?
    pub fn contains_key(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields' names in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// A field, unread.
    pub fn raw_value(&self, key: &str) -> Option<&Payload> {
        self.fields.get(key)
    }
}

/// A value for a memo.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemoValue {
    payload: Result<Payload, PayloadConversionError>,
}

impl MemoValue {
    /// Write a value. One that cannot be written is reported where it is used.
    pub fn new<T: TemporalSerializable + Send + Sync + 'static>(value: T) -> Self {
        Self {
            payload: encode(&value),
        }
    }

    pub(crate) fn into_payload(self) -> Result<Payload, PayloadConversionError> {
        self.payload
    }
}

/// The memo of a new run.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MemoValues {
    values: BTreeMap<String, MemoValue>,
}

impl MemoValues {
    /// An empty memo.
    pub fn new() -> Self {
        Self::default()
    }

    /// Set a field.
    pub fn insert<T: TemporalSerializable + Send + Sync + 'static>(
        &mut self,
        key: impl Into<String>,
        value: T,
    ) -> &mut Self {
        self.values.insert(key.into(), MemoValue::new(value));
        self
    }

    /// A field.
    pub fn get(&self, key: &str) -> Option<&MemoValue> {
        self.values.get(key)
    }

    /// The fields in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MemoValue)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(crate) fn into_wit(self) -> Result<Vec<(String, Payload)>, PayloadConversionError> {
        self.values
            .into_iter()
            .map(|(key, value)| Ok((key, value.into_payload()?)))
            .collect()
    }
}
