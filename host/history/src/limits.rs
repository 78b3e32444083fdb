//! How large things may get.
//!
//! The defaults are Temporal's unless a comment says otherwise. Every one can be set; code that checks takes a [`Limits`].

use crate::{
    payload,
    proto::{
        common::v1::{Memo, Payloads},
        enums::v1::SuggestContinueAsNewReason,
        sdk::v1::UserMetadata,
    },
};
use prost::Message;

/// Characters of an id or a name: workflow ids, update ids, types, queues, names of signals.
pub const MAX_ID_CHARS: usize = 1_000;

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// The limits of a server. `Default` gives the documented figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Characters (not bytes) of an id or a name. Default: [`MAX_ID_CHARS`].
    pub id_chars: usize,
    /// Bytes of one list of payloads (the input of a call, a result), of a header, and of the text with which workflow code says why it
    /// cancels another execution. Default: 2 MiB.
    pub payload_bytes: usize,
    /// From this many bytes on a list of payloads is worth a warning. Default: 512 KiB.
    pub payload_warn_bytes: usize,
    /// Bytes of a whole request. Default: 4 MiB.
    pub request_bytes: usize,
    /// Bytes of a memo, and of search attributes that are set together. Default: 2 MiB.
    pub memo_bytes: usize,
    /// Bytes of the summary that something is given for people to read, as its payload is encoded. Default: 400.
    pub summary_bytes: usize,
    /// Bytes of the details that belong to such a summary. Default: 20,000.
    pub details_bytes: usize,
    /// Updates of a run that are admitted or accepted and not complete. Default: 10.
    pub updates_in_flight: usize,
    /// Bytes of the requests of those updates. Default: 20 MiB.
    pub updates_in_flight_bytes: usize,
    /// Updates of a run in all. Default: 2,000.
    pub updates_per_run: usize,
    /// Bytes of the signals of a run that none of its completed workflow tasks has shown to the code; further ones are refused. They go
    /// on together where the run goes on as another. Default: 64 MiB. (Temporal has no such limit.)
    pub unseen_signals_bytes: usize,
    /// From this many events on a run is told to continue as new. Default: 4,096.
    pub suggest_events: u64,
    /// From this many bytes of history on a run is told to continue as new. Default: 4 MiB.
    pub suggest_bytes: u64,
    /// From this many updates on a run is told to continue as new. Default: 1,800, nine tenths of `updates_per_run`.
    pub suggest_updates: usize,
    /// From this many events on every task of the run warns. Default: 51,200.
    pub warn_events: u64,
    /// From this many bytes of history on every task of the run warns. Default: 50 MiB.
    pub warn_bytes: u64,
    /// At this many events a run takes no further messages. Default: 1,000,000. (Temporal stops at 51,200.)
    pub stop_events: u64,
    /// At this many bytes of history a run takes no further messages. Default: 1 GiB. (Temporal stops at 50 MiB.)
    pub stop_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            id_chars: MAX_ID_CHARS,
            payload_bytes: 2 * MIB,
            payload_warn_bytes: 512 * KIB,
            request_bytes: 4 * MIB,
            memo_bytes: 2 * MIB,
            summary_bytes: 400,
            details_bytes: 20_000,
            updates_in_flight: 10,
            updates_in_flight_bytes: 20 * MIB,
            updates_per_run: 2_000,
            unseen_signals_bytes: 64 * MIB,
            suggest_events: 4_096,
            suggest_bytes: 4 << 20,
            suggest_updates: 1_800,
            warn_events: 51_200,
            warn_bytes: 50 << 20,
            stop_events: 1_000_000,
            stop_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// Limits that nothing passes: for what has been accepted already.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            id_chars: usize::MAX,
            payload_bytes: usize::MAX,
            payload_warn_bytes: usize::MAX,
            request_bytes: usize::MAX,
            memo_bytes: usize::MAX,
            summary_bytes: usize::MAX,
            details_bytes: usize::MAX,
            updates_in_flight: usize::MAX,
            updates_in_flight_bytes: usize::MAX,
            updates_per_run: usize::MAX,
            unseen_signals_bytes: usize::MAX,
            suggest_events: u64::MAX,
            suggest_bytes: u64::MAX,
            suggest_updates: usize::MAX,
            warn_events: u64::MAX,
            warn_bytes: u64::MAX,
            stop_events: u64::MAX,
            stop_bytes: u64::MAX,
        }
    }
}

/// Something is too large, or there is too much of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An id or a name that must be given is empty.
    #[error("{what} is not set")]
    Missing {
        /// Which id, for example `workflow id`.
        what: String,
    },
    /// An id or a name is too long.
    #[error("{what} has {chars} characters, but at most {limit} are allowed: use a shorter one")]
    TooLong {
        /// Which id, for example `workflow id`.
        what: String,
        /// How long it is.
        chars: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A value is too large.
    #[error(
        "{what} takes {bytes} bytes, but at most {limit} are allowed: keep large data elsewhere and pass a reference to it"
    )]
    TooLarge {
        /// Which value, for example `input of signal "add"`.
        what: String,
        /// Bytes that it takes.
        bytes: usize,
        /// Bytes that it may take.
        limit: usize,
    },
    /// Too many updates wait for their end.
    #[error(
        "limit on number of concurrent in-flight updates has been reached ({limit}); wait until one of them has completed"
    )]
    UpdatesInFlight {
        /// Updates in flight without the new one.
        in_flight: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The updates that wait for their end are too large together.
    #[error(
        "limit on the size of in-flight updates has been reached: they would take {bytes} bytes of {limit}; wait until one of them has \
         completed"
    )]
    UpdateBytesInFlight {
        /// Bytes of all updates in flight with the new one.
        bytes: usize,
        /// How many bytes they may take.
        limit: usize,
    },
    /// The signals that wait to be seen are too large together.
    #[error(
        "limit on the size of signals that the workflow has not seen has been reached: they would take {bytes} bytes of {limit}; try \
         again when its workflow task has completed"
    )]
    UnseenSignals {
        /// Bytes of all such signals with the new one.
        bytes: usize,
        /// How many bytes they may take.
        limit: usize,
    },
    /// The run has had too many updates.
    #[error(
        "limit on the total number of distinct updates in this workflow has been reached ({limit}); let the workflow continue as new"
    )]
    UpdatesPerRun {
        /// Updates without the new one.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// How a size relates to its limits, if it is allowed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// As it should be.
    Fine,
    /// Allowed, but worth a warning.
    Large,
}

/// How far a run's history has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Growth {
    /// As it should be.
    Fine,
    /// The run is told to continue as new.
    Suggest,
    /// Every task warns.
    Warn,
    /// The run takes no further messages.
    Stop,
}

/// The updates of a run, for [`Limits::check_update`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Updates {
    /// Updates of the run in all.
    pub in_run: usize,
    /// Those that are admitted or accepted and not complete.
    pub in_flight: usize,
    /// Bytes of the requests of those in flight.
    pub in_flight_bytes: usize,
}

impl Limits {
    /// Check an id or a name that must be given. `what` names it: `workflow id`.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if it is empty, [`Error::TooLong`].
    pub fn check_id(&self, what: &str, id: &str) -> Result<(), Error> {
        if id.is_empty() {
            return Err(Error::Missing {
                what: what.to_owned(),
            });
        }
        self.check_optional_id(what, id)
    }

    /// Check an id or a name that may be empty.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`].
    pub fn check_optional_id(&self, what: &str, id: &str) -> Result<(), Error> {
        // A character takes a byte at least, so counting is needed for long ids only.
        if id.len() <= self.id_chars {
            return Ok(());
        }
        match id.chars().count() {
            chars if chars > self.id_chars => Err(Error::TooLong {
                what: what.to_owned(),
                chars,
                limit: self.id_chars,
            }),
            _ => Ok(()),
        }
    }

    /// Check the size of a list of payloads. `what` names it: `input`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub fn check_payloads(&self, what: &str, payloads: &Payloads) -> Result<Size, Error> {
        let bytes = payload::size_bytes(payloads);
        check_bytes(what, bytes, self.payload_bytes)?;
        Ok(if bytes >= self.payload_warn_bytes {
            Size::Large
        } else {
            Size::Fine
        })
    }

    /// Check the size of a memo.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub fn check_memo(&self, memo: &Memo) -> Result<(), Error> {
        check_bytes("memo", memo.encoded_len(), self.memo_bytes)
    }

    /// Check the sizes of a summary and of its details.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub fn check_user_metadata(&self, metadata: &UserMetadata) -> Result<(), Error> {
        let parts = [
            ("user_metadata.summary", &metadata.summary, self.summary_bytes),
            ("user_metadata.details", &metadata.details, self.details_bytes),
        ];
        parts.into_iter().try_for_each(|(what, part, limit)| {
            check_bytes(what, part.as_ref().map_or(0, Message::encoded_len), limit)
        })
    }

    /// Check the size of a whole request.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub fn check_request(&self, bytes: usize) -> Result<(), Error> {
        check_bytes("the request", bytes, self.request_bytes)
    }

    /// May a run that has these updates take another whose request has `bytes` bytes?
    ///
    /// # Errors
    ///
    /// [`Error::UpdatesPerRun`], [`Error::UpdatesInFlight`], [`Error::UpdateBytesInFlight`].
    pub fn check_update(&self, updates: Updates, bytes: usize) -> Result<(), Error> {
        if updates.in_run >= self.updates_per_run {
            return Err(Error::UpdatesPerRun {
                count: updates.in_run,
                limit: self.updates_per_run,
            });
        }
        if updates.in_flight >= self.updates_in_flight {
            return Err(Error::UpdatesInFlight {
                in_flight: updates.in_flight,
                limit: self.updates_in_flight,
            });
        }
        match updates.in_flight_bytes.saturating_add(bytes) {
            bytes if bytes > self.updates_in_flight_bytes => Err(Error::UpdateBytesInFlight {
                bytes,
                limit: self.updates_in_flight_bytes,
            }),
            _ => Ok(()),
        }
    }

    /// May a run take another signal of `bytes` bytes, if those that it has not seen take `unseen_bytes`?
    ///
    /// # Errors
    ///
    /// [`Error::UnseenSignals`].
    pub fn check_signal(&self, unseen_bytes: usize, bytes: usize) -> Result<(), Error> {
        match unseen_bytes.saturating_add(bytes) {
            bytes if bytes > self.unseen_signals_bytes => Err(Error::UnseenSignals {
                bytes,
                limit: self.unseen_signals_bytes,
            }),
            _ => Ok(()),
        }
    }

    /// Why a run should continue as new; empty if it need not.
    #[must_use]
    pub fn suggestions(&self, events: u64, bytes: u64, updates: usize) -> Vec<SuggestContinueAsNewReason> {
        [
            (
                bytes >= self.suggest_bytes,
                SuggestContinueAsNewReason::HistorySizeTooLarge,
            ),
            (
                events >= self.suggest_events,
                SuggestContinueAsNewReason::TooManyHistoryEvents,
            ),
            (
                updates >= self.suggest_updates,
                SuggestContinueAsNewReason::TooManyUpdates,
            ),
        ]
        .into_iter()
        .filter_map(|(reached, reason)| reached.then_some(reason))
        .collect()
    }

    /// How far a history of that many events and bytes has grown.
    #[must_use]
    pub fn growth(&self, events: u64, bytes: u64) -> Growth {
        let reached = |event_limit, byte_limit| events >= event_limit || bytes >= byte_limit;
        if reached(self.stop_events, self.stop_bytes) {
            Growth::Stop
        } else if reached(self.warn_events, self.warn_bytes) {
            Growth::Warn
        } else if reached(self.suggest_events, self.suggest_bytes) {
            Growth::Suggest
        } else {
            Growth::Fine
        }
    }
}

fn check_bytes(what: &str, bytes: usize, limit: usize) -> Result<(), Error> {
    if bytes > limit {
        return Err(Error::TooLarge {
            what: what.to_owned(),
            bytes,
            limit,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{list, plain_payload};

    // E1
    #[test]
    fn ids_are_counted_in_characters() {
        let limits = Limits::default();
        assert_eq!(limits.check_id("workflow id", &"ü".repeat(1_000)), Ok(()));
        let error = limits.check_id("workflow id", &"ü".repeat(1_001)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "workflow id has 1001 characters, but at most 1000 are allowed: use a shorter one"
        );
        assert_eq!(
            limits.check_id("workflow id", ""),
            Err(Error::Missing {
                what: "workflow id".to_owned()
            })
        );
        assert_eq!(limits.check_optional_id("request id", ""), Ok(()));
    }

    // B2
    #[test]
    fn payloads_warn_and_then_stop() {
        let limits = Limits::default();
        let of = |bytes: usize| list([plain_payload(vec![0; bytes])]).unwrap();
        assert_eq!(limits.check_payloads("input", &of(1_000)), Ok(Size::Fine));
        assert_eq!(limits.check_payloads("input", &of(512 * KIB)), Ok(Size::Large));
        assert!(matches!(
            limits.check_payloads("input", &of(2 * MIB)),
            Err(Error::TooLarge { limit: 2_097_152, .. })
        ));
        assert!(limits.check_request(4 * MIB).is_ok());
        assert!(limits.check_request(4 * MIB + 1).is_err());
        let memo = |bytes: usize| Memo {
            fields: [("k".to_owned(), plain_payload(vec![0; bytes]))].into(),
        };
        assert!(limits.check_memo(&memo(10)).is_ok());
        assert!(limits.check_memo(&memo(2 * MIB)).is_err());
    }

    // B2
    #[test]
    fn a_summary_and_its_details_have_limits_of_their_own() {
        let limits = Limits::default();
        // A payload whose encoding has exactly that many bytes.
        let of = |bytes: usize| {
            let around = plain_payload(vec![0; bytes]).encoded_len() - bytes;
            let payload = plain_payload(vec![0; bytes - around]);
            assert_eq!(payload.encoded_len(), bytes);
            Some(payload)
        };
        let check = |summary, details| limits.check_user_metadata(&UserMetadata { summary, details });
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(of(400), of(20_000)), Ok(()));
        let too_large = |what: &str, bytes: usize, limit: usize| {
            Err(Error::TooLarge {
                what: what.to_owned(),
                bytes,
                limit,
            })
        };
        assert_eq!(check(of(401), None), too_large("user_metadata.summary", 401, 400));
        assert_eq!(
            check(None, of(20_001)),
            too_large("user_metadata.details", 20_001, 20_000)
        );
    }

    // U10
    #[test]
    fn updates_are_bounded_in_three_ways() {
        let limits = Limits::default();
        let updates = Updates {
            in_run: 1_999,
            in_flight: 9,
            in_flight_bytes: 20 * MIB - 5,
        };
        assert_eq!(limits.check_update(updates, 5), Ok(()));
        let bytes = limits.check_update(updates, 6);
        assert_eq!(
            bytes,
            Err(Error::UpdateBytesInFlight {
                bytes: 20 * MIB + 1,
                limit: 20 * MIB
            })
        );
        let many = limits.check_update(
            Updates {
                in_flight: 10,
                ..updates
            },
            0,
        );
        assert_eq!(
            many,
            Err(Error::UpdatesInFlight {
                in_flight: 10,
                limit: 10
            })
        );
        let old = limits.check_update(
            Updates {
                in_run: 2_000,
                ..updates
            },
            0,
        );
        assert_eq!(
            old,
            Err(Error::UpdatesPerRun {
                count: 2_000,
                limit: 2_000
            })
        );
    }

    // E10
    #[test]
    fn signals_that_are_not_seen_are_bounded_together() {
        let limits = Limits::default();
        assert_eq!(limits.check_signal(0, 64 * MIB), Ok(()));
        assert_eq!(limits.check_signal(64 * MIB - 5, 5), Ok(()));
        let full = Error::UnseenSignals {
            bytes: 64 * MIB + 1,
            limit: 64 * MIB,
        };
        assert_eq!(limits.check_signal(64 * MIB - 5, 6), Err(full));
    }

    // E3
    #[test]
    fn continuing_as_new_is_suggested_with_the_reason() {
        let limits = Limits::default();
        assert_eq!(limits.suggestions(4_095, 4_194_303, 1_799), []);
        assert_eq!(
            limits.suggestions(4_096, 4_194_304, 1_800),
            [
                SuggestContinueAsNewReason::HistorySizeTooLarge,
                SuggestContinueAsNewReason::TooManyHistoryEvents,
                SuggestContinueAsNewReason::TooManyUpdates,
            ]
        );
    }

    // E10
    #[test]
    fn a_history_grows_through_its_stages() {
        let limits = Limits::default();
        assert_eq!(limits.growth(1, 1), Growth::Fine);
        assert_eq!(limits.growth(4_096, 1), Growth::Suggest);
        assert_eq!(limits.growth(51_200, 1), Growth::Warn);
        assert_eq!(limits.growth(1, 50 << 20), Growth::Warn);
        assert_eq!(limits.growth(1_000_000, 1), Growth::Stop);
    }
}
