//! The event history of an execution, in Temporal's own types.
//!
//! A history is a list of Temporal's `HistoryEvent` protobufs; nothing is translated, so Temporal's clients, tools and
//! replayers read what Longhaul writes. This crate holds those types and everything that depends on nothing else:
//!
//! - [`proto`]: Temporal's protobufs, so that other crates need no other dependency for them;
//! - [`limits`]: how large things may get, and the checks;
//! - [`payload`], [`failure`], [`time`]: making, reading and comparing the parts of an event;
//! - [`codec`]: events as bytes, for the journal;
//! - [`json`]: Temporal's JSON form of histories and of every other protobuf;
//! - [`text`]: one line an event, for people and for tests;
//! - [`builder`]: histories made by hand, for tests.
//!
//! Everything here is pure: no clock, no input or output, no randomness.

pub mod builder;
pub mod codec;
pub mod failure;
pub mod json;
pub mod limits;
pub mod payload;
pub mod text;
pub mod time;

pub use builder::Builder;
pub use limits::Limits;
pub use proto::history::v1::{History, HistoryEvent, history_event::Attributes};
/// Temporal's protobufs (`temporal.api`), for example `proto::history::v1::HistoryEvent`.
pub use temporalio_protos::temporal::api as proto;
