//! How records become bytes: a version byte, then the record in postcard's encoding.
//!
//! postcard is not self-describing: fields stand in the order of their declaration, integers are varints (a single byte stays a
//! byte), text and bytes are a length and the content. A field that is added, removed or moved makes a new version; readers keep the
//! older ones.

use serde::{Serialize, de::DeserializeOwned};

use crate::ReadError;

/// The version that records start with which have had no other yet.
const VERSION: u8 = 1;

/// Encodes a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    append(record, vec![VERSION])
}

/// Encodes a record behind a head.
pub(crate) fn append<T: Serialize>(record: &T, head: Vec<u8>) -> Vec<u8> {
    // postcard fails on a full fixed buffer, a sequence of unknown length or a custom error; a Vec grows, and our records are derived
    // structs of texts, integers and bytes.
    #[allow(clippy::expect_used)]
    postcard::to_extend(record, head).expect("a record of sized fields always encodes into a Vec")
}

/// Decodes a record; the error names table and key.
pub(crate) fn decode<T: DeserializeOwned>(
    table: &'static str,
    key: impl FnOnce() -> String,
    bytes: &[u8],
) -> Result<T, ReadError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => {
            postcard::from_bytes(body).map_err(|e| ReadError::corrupt(table, key(), &e.to_string()))
        }
        Some((version, _)) => Err(ReadError::corrupt(
            table,
            key(),
            &format!("its version is {version}, known is {VERSION}"),
        )),
        None => Err(ReadError::corrupt(table, key(), "it is empty")),
    }
}

/// Byte strings as byte strings; serde's own choice for `Vec<u8>` goes byte by byte.
pub(crate) mod blob {
    use std::{fmt, marker::PhantomData};

    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    };

    pub(crate) fn serialize<S: Serializer>(
        bytes: &impl AsRef<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes.as_ref())
    }

    pub(crate) fn deserialize<'de, T: for<'b> TryFrom<&'b [u8]>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        struct Blob<T>(PhantomData<T>);

        impl<T: for<'b> TryFrom<&'b [u8]>> Visitor<'_> for Blob<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string of the right length")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
                T::try_from(bytes).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Blob(PhantomData))
    }
}
