//! Checks of what clients send (B1, B2): the limits of history, as refusals.

use longhaul_engine::proto::{
    common::v1::{Header, Memo, Payloads, SearchAttributes},
    sdk::v1::UserMetadata,
};
use longhaul_history::{Limits, limits::Size};
use prost::Message;

use crate::Error;

/// A workflow id must be given, and not be too long.
pub(crate) fn workflow_id(limits: &Limits, id: &str) -> Result<(), Error> {
    if id.is_empty() {
        // In the words of Temporal's server.
        return Err(Error::InvalidArgument("WorkflowId is not set on request.".into()));
    }
    Ok(limits.check_id("WorkflowId", id)?)
}

/// A name may be empty, but not too long.
pub(crate) fn name(limits: &Limits, what: &str, name: &str) -> Result<(), Error> {
    Ok(limits.check_optional_id(what, name)?)
}

/// Arguments may not be too large; from some size on they are worth a warning.
pub(crate) fn payloads(limits: &Limits, what: &str, payloads: Option<&Payloads>) -> Result<(), Error> {
    let Some(payloads) = payloads else { return Ok(()) };
    if limits.check_payloads(what, payloads)? == Size::Large {
        tracing::warn!(
            what,
            bytes = payloads.encoded_len(),
            "large payloads: keep large data elsewhere"
        );
    }
    Ok(())
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
    if let Some(memo) = memo {
        limits.check_memo(memo)?;
    }
    size(
        "SearchAttributes",
        attributes.map_or(0, Message::encoded_len),
        limits.memo_bytes,
    )
}

/// The summary and the details of what is started.
pub(crate) fn user_metadata(limits: &Limits, metadata: Option<&UserMetadata>) -> Result<(), Error> {
    Ok(metadata.map_or(Ok(()), |metadata| limits.check_user_metadata(metadata))?)
}

fn size(what: &str, bytes: usize, limit: usize) -> Result<(), Error> {
    if bytes > limit {
        let what = what.to_owned();
        return Err(longhaul_history::limits::Error::TooLarge { what, bytes, limit }.into());
    }
    Ok(())
}
