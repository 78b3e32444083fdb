//! Guests in Go.

pub(crate) mod component;
