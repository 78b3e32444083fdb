//! Events as bytes, for the journal.
//!
//! A batch is what one transition writes: a version byte, the number of events, and each event with its length before it.
//! All numbers are protobuf varints, events are plain protobuf:
//!
//! ```text
//! batch = 0x01 count (length event)*
//! ```
//!
//! The count at the front makes a batch that was cut between two events an error, not a shorter batch.
//!
//! Equal events need not have equal bytes: protobuf maps (metadata of payloads, memo, headers) have no order. Compare
//! events, never their bytes.

use std::borrow::Borrow;

use prost::{DecodeError, Message, bytes::Buf, encoding::encode_varint};

use crate::HistoryEvent;

/// The version of the batch form that is written. Another one is refused.
pub const BATCH_VERSION: u8 = 1;

/// Why bytes are not a batch of events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing at all.
    #[error("the event batch is empty; it should begin with its version")]
    Empty,
    /// Written by another release, or not a batch.
    #[error("the event batch has version {found}, but this release reads version {BATCH_VERSION} only")]
    Version {
        /// The version that was found.
        found: u8,
    },
    /// The bytes end too early.
    #[error("the event batch is cut off in event {index} of {count}: {missing} bytes are missing at least")]
    Truncated {
        /// Which event, from 0.
        index: u64,
        /// How many there should be; 0 if the bytes end before the count.
        count: u64,
        /// How many more bytes there must have been, at least.
        missing: u64,
    },
    /// A count or a length that is not a varint.
    #[error("the event batch is damaged: the length of event {index} is no number")]
    Length {
        /// Which event, from 0.
        index: u64,
    },
    /// Bytes that are not the event that they should be.
    #[error("the event batch is damaged: event {index} of {count} is no protobuf event: {source}")]
    Event {
        /// Which event, from 0.
        index: u64,
        /// How many there should be.
        count: u64,
        /// What prost says.
        source: DecodeError,
    },
    /// More bytes than the batch has.
    #[error("the event batch is damaged: {bytes} bytes follow its last event")]
    Trailing {
        /// How many bytes follow.
        bytes: usize,
    },
}

/// One event as protobuf bytes, without version or length.
#[must_use]
pub fn encode_event(event: &HistoryEvent) -> Vec<u8> {
    event.encode_to_vec()
}

/// The event that [`encode_event`] wrote.
///
/// # Errors
///
/// Bytes that are no event.
pub fn decode_event(bytes: &[u8]) -> Result<HistoryEvent, DecodeError> {
    HistoryEvent::decode(bytes)
}

/// Events as one batch.
///
/// Protobuf decoders read messages that are nested at most 100 deep, so a failure in an event must have a bounded number
/// of causes: pass failures from outside through [`crate::failure::cap`] before they become events.
#[must_use]
pub fn encode_batch<E: Borrow<HistoryEvent>>(events: &[E]) -> Vec<u8> {
    let lengths: Vec<usize> = events.iter().map(|event| event.borrow().encoded_len()).collect();
    // A varint takes at most 10 bytes.
    let mut bytes = Vec::with_capacity(11 + lengths.iter().map(|length| length + 10).sum::<usize>());
    bytes.push(BATCH_VERSION);
    encode_varint(events.len() as u64, &mut bytes);
    for (event, length) in events.iter().zip(lengths) {
        encode_varint(length as u64, &mut bytes);
        event.borrow().encode_raw(&mut bytes);
    }
    bytes
}

/// The events of a batch.
///
/// # Errors
///
/// Bytes that are not exactly one whole batch of this version. Memory that is allocated is bounded by the input's size.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<HistoryEvent>, Error> {
    let mut batch = Batch::new(bytes)?;
    // Every event takes at least the byte of its length, so a damaged count cannot ask for more than there is.
    let count = usize::try_from(batch.count).unwrap_or(usize::MAX);
    let mut events = Vec::with_capacity(count.min(batch.rest.len()));
    while batch.remaining() > 0 {
        let mut event = HistoryEvent::default();
        batch.next_into(&mut event)?;
        events.push(event);
    }
    batch.end()?;
    Ok(events)
}

/// A batch that is read event by event.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// Events that were read.
    index: u64,
    count: u64,
    rest: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The batch that the bytes are.
    ///
    /// # Errors
    ///
    /// Bytes that do not begin as a batch of this version.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let (count, rest) = header(bytes)?;
        Ok(Self {
            index: 0,
            count,
            rest,
        })
    }

    /// How many events it still has, by its count.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.count - self.index
    }

    /// Read the next event in the place of another one, whose memory is used again. Answers its encoded size in bytes.
    ///
    /// # Errors
    ///
    /// The bytes end, or are no event. What then stands in `event` means nothing, and the batch is of no further use.
    pub fn next_into(&mut self, event: &mut HistoryEvent) -> Result<usize, Error> {
        let (index, count) = (self.index, self.count);
        let length = varint(&mut self.rest).map_err(|error| error.of_event(index, count))?;
        if (self.rest.len() as u64) < length {
            return Err(Error::Truncated {
                index,
                count,
                missing: length - self.rest.len() as u64,
            });
        }
        // The cast is lossless: `length` is not above the length of `rest`.
        let (bytes, after) = self.rest.split_at(length as usize);
        event.clear();
        event
            .merge(bytes)
            .map_err(|source| Error::Event { index, count, source })?;
        self.rest = after;
        self.index += 1;
        Ok(bytes.len())
    }

    /// All events were read: nothing may follow them.
    ///
    /// # Errors
    ///
    /// More bytes than the batch has.
    pub fn end(self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(Error::Trailing { bytes }),
        }
    }
}

/// How many events a batch says it has, without decoding them.
///
/// # Errors
///
/// Bytes that do not begin as a batch of this version.
pub fn batch_len(bytes: &[u8]) -> Result<u64, Error> {
    header(bytes).map(|(count, _)| count)
}

/// The count of a batch and what follows it.
fn header(bytes: &[u8]) -> Result<(u64, &[u8]), Error> {
    let (version, mut rest) = bytes.split_first().ok_or(Error::Empty)?;
    if *version != BATCH_VERSION {
        return Err(Error::Version { found: *version });
    }
    let count = varint(&mut rest).map_err(|error| error.of_event(0, 0))?;
    Ok((count, rest))
}

/// Why a varint could not be read.
enum VarintError {
    Ends,
    TooLong,
}

impl VarintError {
    fn of_event(self, index: u64, count: u64) -> Error {
        match self {
            VarintError::Ends => Error::Truncated {
                index,
                count,
                missing: 1,
            },
            VarintError::TooLong => Error::Length { index },
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, VarintError> {
    let mut value = 0u64;
    for position in 0..10 {
        if !bytes.has_remaining() {
            return Err(VarintError::Ends);
        }
        let byte = bytes.get_u8();
        if position == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(VarintError::TooLong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Builder, failure};

    fn sample() -> Vec<HistoryEvent> {
        let mut builder = Builder::new();
        builder.add_started("Order", "orders");
        builder.add_workflow_task();
        builder.add_timer_started(1, std::time::Duration::from_secs(60));
        builder.add_timer_fired(1);
        builder.add_workflow_task();
        builder.add_execution_failed(failure::application("no money", "Declined", false));
        builder.into_events()
    }

    #[test]
    fn a_batch_survives() {
        let events = sample();
        let bytes = encode_batch(&events);
        assert_eq!(decode_batch(&bytes).unwrap(), events);
        assert_eq!(batch_len(&bytes).unwrap(), events.len() as u64);
        assert_eq!(decode_batch(&encode_batch::<HistoryEvent>(&[])).unwrap(), []);
        assert_eq!(decode_event(&encode_event(&events[0])).unwrap(), events[0]);
    }

    #[test]
    fn an_event_read_over_another_keeps_nothing_of_it() {
        let events = sample();
        let bytes = encode_batch(&events);
        for old in &events {
            let mut batch = Batch::new(&bytes).unwrap();
            for new in &events {
                let mut event = old.clone();
                assert_eq!(batch.next_into(&mut event), Ok(new.encoded_len()));
                assert_eq!(&event, new);
            }
            assert_eq!(batch.remaining(), 0);
            assert_eq!(batch.end(), Ok(()));
        }
    }

    #[test]
    fn what_is_not_a_batch_says_why() {
        assert_eq!(decode_batch(&[]), Err(Error::Empty));
        assert_eq!(decode_batch(&[9, 0]), Err(Error::Version { found: 9 }));
        assert_eq!(decode_batch(&[1, 0, 7]), Err(Error::Trailing { bytes: 1 }));
        assert_eq!(
            decode_batch(&[1, 1, 5, 0]),
            Err(Error::Truncated {
                index: 0,
                count: 1,
                missing: 4
            })
        );
        assert!(matches!(
            decode_batch(&[1, 1, 1, 0xff]),
            Err(Error::Event {
                index: 0,
                count: 1,
                ..
            })
        ));
        let endless = [vec![1, 1], vec![0xff; 10]].concat();
        assert_eq!(decode_batch(&endless), Err(Error::Length { index: 0 }));
        let huge_count = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(
            decode_batch(&huge_count),
            Err(Error::Truncated {
                index: 0,
                count: u64::MAX,
                missing: 1
            })
        );
    }

    #[test]
    fn a_failure_with_the_most_causes_survives() {
        let cause = |index| failure::application(format!("cause {index}"), "Deep", false);
        let failure = failure::cap(
            failure::from_links((0..1_000).map(cause)).unwrap(),
            failure::MAX_LINKS,
        );
        let mut builder = Builder::new();
        builder.add_execution_failed(failure);
        let events = builder.into_events();
        assert_eq!(decode_batch(&encode_batch(&events)).unwrap(), events);
    }

    proptest! {
        #[test]
        fn every_cut_is_noticed(kept in 0usize..10_000) {
            let bytes = encode_batch(&sample());
            let kept = kept % bytes.len();
            let noticed = matches!(decode_batch(&bytes[..kept]), Err(Error::Empty | Error::Truncated { .. }));
            prop_assert!(noticed, "{kept} of {} bytes were taken for a batch", bytes.len());
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), versioned: bool) {
            let bytes = if versioned { [vec![BATCH_VERSION], bytes].concat() } else { bytes };
            if let Ok(events) = decode_batch(&bytes) {
                prop_assert_eq!(decode_batch(&encode_batch(&events)).unwrap(), events);
            }
        }

        #[test]
        fn a_flipped_bit_is_no_crash(position in 0usize..10_000, bit in 0u8..8) {
            let mut bytes = encode_batch(&sample());
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            let _ = decode_batch(&bytes);
        }
    }
}
