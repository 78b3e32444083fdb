//! How values become payloads and payloads become values.
//!
//! Everything that serde can write is written as `json/plain`; `()` is `binary/null` and `Vec<u8>` is `binary/plain`.
//! A type that wants another encoding implements [`TemporalSerializable`] and [`TemporalDeserializable`] itself.

use std::any::{Any, TypeId};

pub use crate::bindings::workflow::longhaul::workflow::types::Payload;

/// The metadata key that says what a payload's bytes are.
pub const ENCODING_KEY: &str = "encoding";
const JSON_PLAIN: &str = "json/plain";
const JSON_PROTOBUF: &str = "json/protobuf";
const BINARY_NULL: &str = "binary/null";
const BINARY_PLAIN: &str = "binary/plain";

/// Why a value could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadConversionError {
    /// The payload's encoding is not one that this type can be read from.
    #[error("Wrong encoding")]
    WrongEncoding,
    /// Writing or reading failed.
    #[error("Encoding error: {0}")]
    EncodingError(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PayloadConversionError {
    fn encoding(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::EncodingError(source.into())
    }
}

/// What a conversion is for. There is one converter, so a value converts the same way everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct SerializationContext<'a> {
    /// The converter in use.
    pub converter: &'a PayloadConverter,
}

impl Default for &PayloadConverter {
    fn default() -> Self {
        &PayloadConverter
    }
}

/// The converter of this SDK: `json/plain` by serde, with raw bytes and null as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct PayloadConverter;

impl PayloadConverter {
    /// The converter itself.
    pub fn serde_json() -> Self {
        Self
    }
}

/// Conversions between typed values and [`Payload`]s.
#[expect(clippy::wrong_self_convention, reason = "the names of Temporal's SDK")]
pub trait GenericPayloadConverter {
    /// Write a value as one payload.
    fn to_payload<T: TemporalSerializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        value: &T,
    ) -> Result<Payload, PayloadConversionError>;
    /// Read a value from one payload.
    fn from_payload<T: TemporalDeserializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<T, PayloadConversionError>;
    /// Write a value that may stand for several arguments.
    fn to_payloads<T: TemporalSerializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        value: &T,
    ) -> Result<Vec<Payload>, PayloadConversionError>;
    /// Read a value that may stand for several arguments.
    fn from_payloads<T: TemporalDeserializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<T, PayloadConversionError>;
}

impl GenericPayloadConverter for PayloadConverter {
    fn to_payload<T: TemporalSerializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        value: &T,
    ) -> Result<Payload, PayloadConversionError> {
        let any = value as &dyn Any;
        if any.is::<()>() {
            return Ok(null());
        }
        if let Some(bytes) = any.downcast_ref::<Vec<u8>>() {
            return Ok(payload(BINARY_PLAIN, bytes.clone()));
        }
        if let Some(bytes) = any.downcast_ref::<Option<Vec<u8>>>() {
            return Ok(bytes
                .clone()
                .map_or_else(null, |bytes| payload(BINARY_PLAIN, bytes)));
        }
        value.to_payload(context)
    }

    fn from_payload<T: TemporalDeserializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<T, PayloadConversionError> {
        let wanted = TypeId::of::<T>();
        if encoding(&payload) == Some(BINARY_PLAIN.as_bytes()) {
            if wanted == TypeId::of::<Vec<u8>>() {
                return downcast(payload.data);
            }
            if wanted == TypeId::of::<Option<Vec<u8>>>() {
                return downcast(Some(payload.data));
            }
        }
        T::from_payload(context, payload)
    }

    fn to_payloads<T: TemporalSerializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        value: &T,
    ) -> Result<Vec<Payload>, PayloadConversionError> {
        let wanted = TypeId::of::<T>();
        if wanted == TypeId::of::<()>() {
            return Ok(Vec::new());
        }
        if wanted == TypeId::of::<Vec<u8>>() || wanted == TypeId::of::<Option<Vec<u8>>>() {
            return Ok(vec![self.to_payload(context, value)?]);
        }
        value.to_payloads(context)
    }

    fn from_payloads<T: TemporalDeserializable + 'static>(
        &self,
        context: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<T, PayloadConversionError> {
        let wanted = TypeId::of::<T>();
        if wanted == TypeId::of::<Vec<u8>>() || wanted == TypeId::of::<Option<Vec<u8>>>() {
            return self.from_payload(context, payloads.into_iter().next().unwrap_or_else(null));
        }
        T::from_payloads(context, payloads)
    }
}

/// A value that can be written as a payload. Everything that implements [`serde::Serialize`] does.
pub trait TemporalSerializable {
    /// Write the value as one payload.
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        Err(PayloadConversionError::WrongEncoding)
    }

    /// Write the value as a list of payloads; types that stand for several arguments override it.
    fn to_payloads(
        &self,
        context: &SerializationContext<'_>,
    ) -> Result<Vec<Payload>, PayloadConversionError> {
        Ok(vec![self.to_payload(context)?])
    }
}

/// A value that can be read from a payload. Everything that implements [`serde::de::DeserializeOwned`] does.
pub trait TemporalDeserializable: Sized {
    /// Read the value from one payload.
    fn from_payload(_: &SerializationContext<'_>, _: Payload) -> Result<Self, PayloadConversionError> {
        Err(PayloadConversionError::WrongEncoding)
    }

    /// Read the value from a list of payloads; types that stand for several arguments override it. Where there is no
    /// payload, the value is read from null; payloads beyond the first are ignored.
    fn from_payloads(
        context: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Self::from_payload(context, payloads.into_iter().next().unwrap_or_else(null))
    }
}

impl<T: serde::Serialize> TemporalSerializable for T {
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        let data = serde_json::to_vec(self).map_err(PayloadConversionError::encoding)?;
        Ok(payload(JSON_PLAIN, data))
    }
}

impl<T: serde::de::DeserializeOwned> TemporalDeserializable for T {
    fn from_payload(_: &SerializationContext<'_>, payload: Payload) -> Result<Self, PayloadConversionError> {
        let json: &[u8] = match encoding(&payload) {
            Some(name) if name == JSON_PLAIN.as_bytes() || name == JSON_PROTOBUF.as_bytes() => &payload.data,
            Some(name) if name == BINARY_NULL.as_bytes() => b"null",
            _ => return Err(PayloadConversionError::WrongEncoding),
        };
        serde_json::from_slice(json).map_err(PayloadConversionError::encoding)
    }
}

/// Payloads that nobody has read yet: the input and output of untyped calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawValue {
    /// The payloads.
    pub payloads: Vec<Payload>,
}

impl RawValue {
    /// No value: one null payload.
    pub fn empty() -> Self {
        Self {
            payloads: vec![null()],
        }
    }

    /// Payloads as they are.
    pub fn new(payloads: Vec<Payload>) -> Self {
        Self { payloads }
    }

    /// Write a value.
    ///
    /// # Errors
    /// If the value cannot be written.
    pub fn try_from_value<T: TemporalSerializable + 'static>(
        value: &T,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self {
            payloads: encode_all(value)?,
        })
    }

    /// Read a value.
    ///
    /// # Errors
    /// If the payloads do not hold such a value.
    pub fn try_to_value<T: TemporalDeserializable + 'static>(self) -> Result<T, PayloadConversionError> {
        decode_all(self.payloads)
    }
}

impl TemporalSerializable for RawValue {
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        Ok(self.payloads.first().cloned().unwrap_or_else(null))
    }

    fn to_payloads(&self, _: &SerializationContext<'_>) -> Result<Vec<Payload>, PayloadConversionError> {
        Ok(self.payloads.clone())
    }
}

impl TemporalDeserializable for RawValue {
    fn from_payload(_: &SerializationContext<'_>, payload: Payload) -> Result<Self, PayloadConversionError> {
        Ok(Self {
            payloads: vec![payload],
        })
    }

    fn from_payloads(
        _: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self { payloads })
    }
}

macro_rules! multi_args {
    ($name:ident, $count:literal: $($index:tt $ty:ident),+) => {
        #[doc = concat!("The ", $count, " arguments of a call, each a payload of its own.")]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name<$($ty),+>($(pub $ty),+);

        impl<$($ty),+> From<($($ty),+,)> for $name<$($ty),+> {
            fn from(tuple: ($($ty),+,)) -> Self {
                Self($(tuple.$index),+)
            }
        }

        impl<$($ty: TemporalSerializable + 'static),+> TemporalSerializable for $name<$($ty),+> {
            fn to_payloads(&self, _: &SerializationContext<'_>) -> Result<Vec<Payload>, PayloadConversionError> {
                Ok(vec![$(encode(&self.$index)?),+])
            }
        }

        impl<$($ty: TemporalDeserializable + 'static),+> TemporalDeserializable for $name<$($ty),+> {
            fn from_payloads(_: &SerializationContext<'_>, payloads: Vec<Payload>) -> Result<Self, PayloadConversionError> {
                let mut payloads = payloads.into_iter();
                Ok(Self($(decode::<$ty>(payloads.next().unwrap_or_else(null))?),+))
            }
        }
    };
}

multi_args!(MultiArgs2, 2: 0 A, 1 B);
multi_args!(MultiArgs3, 3: 0 A, 1 B, 2 C);
multi_args!(MultiArgs4, 4: 0 A, 1 B, 2 C, 3 D);
multi_args!(MultiArgs5, 5: 0 A, 1 B, 2 C, 3 D, 4 E);
multi_args!(MultiArgs6, 6: 0 A, 1 B, 2 C, 3 D, 4 E, 5 F);

/// Payloads that can be read later as whatever type the caller expects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodablePayloads {
    payloads: Vec<Payload>,
}

impl DecodablePayloads {
    pub(crate) fn new(payloads: Vec<Payload>) -> Self {
        Self { payloads }
    }

    /// Read them.
    ///
    /// # Errors
    /// If they do not hold such a value.
    pub fn deserialize<T: TemporalDeserializable + 'static>(&self) -> Result<T, PayloadConversionError> {
        decode_all(self.payloads.clone())
    }

    /// The payloads.
    pub fn raw(&self) -> &[Payload] {
        &self.payloads
    }

    /// The payloads, unread.
    pub fn into_raw(self) -> RawValue {
        RawValue::new(self.payloads)
    }
}

/// Write one value as one payload.
pub(crate) fn encode<T: TemporalSerializable + 'static>(
    value: &T,
) -> Result<Payload, PayloadConversionError> {
    PayloadConverter.to_payload(&SerializationContext::default(), value)
}

/// Write a value that may stand for several arguments.
pub(crate) fn encode_all<T: TemporalSerializable + 'static>(
    value: &T,
) -> Result<Vec<Payload>, PayloadConversionError> {
    PayloadConverter.to_payloads(&SerializationContext::default(), value)
}

/// Read one value from one payload.
pub(crate) fn decode<T: TemporalDeserializable + 'static>(
    payload: Payload,
) -> Result<T, PayloadConversionError> {
    PayloadConverter.from_payload(&SerializationContext::default(), payload)
}

/// Read a value that may stand for several arguments.
pub(crate) fn decode_all<T: TemporalDeserializable + 'static>(
    payloads: Vec<Payload>,
) -> Result<T, PayloadConversionError> {
    PayloadConverter.from_payloads(&SerializationContext::default(), payloads)
}

/// The payload that stands for no value.
pub(crate) fn null() -> Payload {
    payload(BINARY_NULL, Vec::new())
}

pub(crate) fn payload(encoding: &str, data: Vec<u8>) -> Payload {
    Payload {
        metadata: vec![(ENCODING_KEY.to_owned(), encoding.as_bytes().to_vec())],
        data,
    }
}

fn encoding(payload: &Payload) -> Option<&[u8]> {
    payload
        .metadata
        .iter()
        .find(|(key, _)| key == ENCODING_KEY)
        .map(|(_, value)| value.as_slice())
}

fn downcast<T: 'static, V: 'static>(value: V) -> Result<T, PayloadConversionError> {
    let value: Box<dyn Any> = Box::new(value);
    value
        .downcast::<T>()
        .map(|value| *value)
        .map_err(|_| PayloadConversionError::WrongEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_encoding() {
        assert_eq!(encode(&5u32).unwrap(), payload(JSON_PLAIN, b"5".to_vec()));
        assert_eq!(encode(&()).unwrap(), null());
        assert_eq!(encode(&vec![1u8, 2]).unwrap(), payload(BINARY_PLAIN, vec![1, 2]));
        assert_eq!(decode::<Vec<u8>>(encode(&vec![1u8, 2]).unwrap()).unwrap(), [1, 2]);
        assert!(encode_all(&()).unwrap().is_empty());
    }

    #[test]
    fn several_arguments_are_several_payloads() {
        let args: MultiArgs2<u32, String> = (1, "a".to_owned()).into();
        let payloads = encode_all(&args).unwrap();
        assert_eq!(
            payloads,
            [encode(&1u32).unwrap(), encode(&"a".to_owned()).unwrap()]
        );
        assert_eq!(decode_all::<MultiArgs2<u32, String>>(payloads).unwrap(), args);
    }

    #[test]
    fn a_missing_argument_is_null() {
        assert_eq!(decode_all::<Option<u32>>(Vec::new()).unwrap(), None);
        assert!(decode_all::<u32>(Vec::new()).is_err());
    }

    #[test]
    fn a_strange_encoding_is_refused() {
        let error = decode::<u32>(payload("binary/encrypted", vec![1])).unwrap_err();
        assert!(matches!(error, PayloadConversionError::WrongEncoding), "{error}");
    }
}
