//! Side effects: functions that run once.

use std::hash::{BuildHasher, RandomState};

use crate::data_converters::{Payload, TemporalDeserializable, TemporalSerializable, decode, encode};
use crate::options::SideEffectOptions;
use crate::runtime::Runtime;

/// The metadata of a recorded value that tells which keys the next hash map had after its function.
const HASH_KEYS: &str = "rust-hash-keys";

/// So many hash maps a function may make at most, for a replay to catch up with it.
const MAPS_MAX: usize = 1 << 16;

/// The value that history has, or that of the function, which is then recorded.
#[track_caller]
pub(super) fn side_effect<T>(runtime: &Runtime, options: &SideEffectOptions, make: impl FnOnce() -> T) -> T
where
    T: TemporalSerializable + TemporalDeserializable + 'static,
{
    let seq = runtime.next_seq();
    // The keys of all hash maps are drawn for the first one: not in the function, which does not run in a replay.
    let _ = next_hash_keys();
    let value = match runtime.host.side_effect(seq) {
        Some(value) => {
            catch_up(&value);
            value
        }
        None => {
            let mut value = encode(&make())
                .unwrap_or_else(|error| panic!("the value of side effect {seq} cannot be written: {error}"));
            value
                .metadata
                .push((HASH_KEYS.to_owned(), next_hash_keys().to_vec()));
            let summary = options.summary.as_deref();
            runtime.host.record_side_effect(seq, &value, summary);
            value
        }
    };
    // Also the new value is read from what was written: what is lost by that is not there in a replay either.
    decode(value).unwrap_or_else(|error| {
        let expected = std::any::type_name::<T>();
        panic!("the value of side effect {seq} in history is no {expected}: {error}")
    })
}

/// Make hash maps until the next one has the keys that it had after the function: the standard library counts them, and the order of
/// a map's elements depends on its number. A value that another language has recorded does not tell.
fn catch_up(value: &Payload) {
    let after = value.metadata.iter().find(|(name, _)| name == HASH_KEYS);
    if let Some((_, after)) = after {
        let mut made = 0;
        while made < MAPS_MAX && next_hash_keys()[..] != after[..] {
            made += 1;
        }
    }
}

/// What tells the keys of the next hash map from others'. They are used up by it.
fn next_hash_keys() -> [u8; 8] {
    RandomState::new().hash_one(()).to_le_bytes()
}
