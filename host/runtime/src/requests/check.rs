//! Checks of what clients send (B1, B2).

use longhaul_engine::proto::common::v1::{Header, Memo, Payloads, SearchAttributes};
use longhaul_history::Limits;
use prost::Message;

use crate::Error;

/// A workflow id must be given, and not be too long.
pub(crate) fn workflow_id(limits: &Limits, id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::InvalidArgument("WorkflowId is not set on request.".into()));
    }
    name(limits, "WorkflowId", id)
}

/// A name may be empty, but not too long.
pub(crate) fn name(limits: &Limits, what: &str, name: &str) -> Result<(), Error> {
    let chars = name.chars().count();
    if chars > limits.id_chars {
        return Err(Error::InvalidArgument(format!(
            "{what} length exceeds limit: it has {chars} characters, at most {} are allowed.",
            limits.id_chars
        )));
    }
    Ok(())
}

/// Arguments may not be too large.
pub(crate) fn payloads(limits: &Limits, what: &str, payloads: Option<&Payloads>) -> Result<(), Error> {
    size(
        what,
        payloads.map_or(0, Message::encoded_len),
        limits.payload_bytes,
    )
}

/// A header counts like arguments.
pub(crate) fn header(limits: &Limits, header: Option<&Header>) -> Result<(), Error> {
    size(
        "Header",
        header.map_or(0, Message::encoded_len),
        limits.payload_bytes,
    )
}

/// Memo and search attributes.
pub(crate) fn memo(
    limits: &Limits,
    memo: Option<&Memo>,
    attributes: Option<&SearchAttributes>,
) -> Result<(), Error> {
    size("Memo", memo.map_or(0, Message::encoded_len), limits.memo_bytes)?;
    size(
        "SearchAttributes",
        attributes.map_or(0, Message::encoded_len),
        limits.memo_bytes,
    )
}

fn size(what: &str, size: usize, limit: usize) -> Result<(), Error> {
    if size > limit {
        return Err(Error::InvalidArgument(format!(
            "{what} exceeds size limit: it has {size} bytes, at most {limit} are allowed."
        )));
    }
    Ok(())
}
