//! What goes over the wire. Amounts may be JSON strings or numbers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Who has to approve, in the order in which they are shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Manager,
    Director,
    Vp,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Director => "director",
            Self::Vp => "vp",
        }
    }
}

/// What is to be approved.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ApprovalRequest {
    pub(crate) request_id: String,
    pub(crate) requester: String,
    pub(crate) amount: Decimal,
    pub(crate) description: String,
}

/// What somebody has decided.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ApprovalDecision {
    pub(crate) approved: bool,
    pub(crate) approver: String,
    /// When, in ISO 8601; kept as it was sent.
    pub(crate) timestamp: String,
    #[serde(default)]
    pub(crate) comment: String,
}
