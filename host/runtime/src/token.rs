//! Task tokens: what a worker shows with whatever it says of an attempt.
//!
//! A token names one attempt of one activity. Besides that it says a random number, which stands in the activity's row and nowhere
//! else, so that only who was given the attempt can speak of it. To workers its bytes mean nothing.

use longhaul_engine::execution::Which;
use longhaul_store::{NamespaceId, RunId};
use prost::Message as _;

use crate::{Error, shard::Place};

/// Longer ones are none of ours: a workflow id has at most 1,000 characters.
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// A decoded token. Workers hold on to tokens across restarts and upgrades of the server: tags are never used again.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Token {
    #[prost(uint32, tag = "1")]
    namespace: u32,
    #[prost(string, tag = "2")]
    workflow_id: String,
    #[prost(bytes = "vec", tag = "3")]
    run_id: Vec<u8>,
    #[prost(int64, tag = "4")]
    scheduled_event_id: i64,
    #[prost(uint32, tag = "5")]
    number: u32,
    #[prost(fixed64, tag = "6")]
    nonce: u64,
}

impl Token {
    pub(crate) fn new(
        place: &Place,
        run_id: RunId,
        scheduled_event_id: i64,
        number: u32,
        nonce: u64,
    ) -> Self {
        Self {
            namespace: place.namespace.0,
            workflow_id: place.workflow_id.to_string(),
            run_id: run_id.0.to_be_bytes().to_vec(),
            scheduled_event_id,
            number,
            nonce,
        }
    }

    /// As it is given out.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Where it leads and which attempt it names.
    ///
    /// # Errors
    ///
    /// It is none of ours, or of another namespace; in the words of Temporal's server.
    pub(crate) fn read(bytes: &[u8], namespace: NamespaceId) -> Result<(Place, RunId, Which), Error> {
        if bytes.is_empty() {
            return Err(Error::InvalidArgument("Task token not set on request.".into()));
        }
        let foreign = || Error::InvalidArgument("Error deserializing task token.".into());
        let token = Some(bytes)
            .filter(|bytes| bytes.len() <= TOKEN_BYTES_MAX)
            .and_then(|bytes| Self::decode(bytes).ok())
            .ok_or_else(foreign)?;
        let run_id: [u8; 16] = token.run_id.as_slice().try_into().map_err(|_| foreign())?;
        if token.workflow_id.is_empty() {
            return Err(foreign());
        }
        if token.namespace != namespace.0 {
            return Err(Error::InvalidArgument(
                "Operation requested with a token from a different namespace.".into(),
            ));
        }
        let place = Place {
            namespace,
            workflow_id: token.workflow_id.into(),
        };
        let which = Which::Token {
            scheduled_event_id: token.scheduled_event_id,
            number: token.number,
            nonce: token.nonce,
        };
        Ok((place, RunId(u128::from_be_bytes(run_id)), which))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        Token::read(bytes, NamespaceId::DEFAULT).unwrap_err().to_string()
    }

    #[test]
    fn a_token_leads_back_to_its_attempt_and_to_no_other() {
        // A6
        let place = Place {
            namespace: NamespaceId::DEFAULT,
            workflow_id: "order-1".into(),
        };
        let bytes = Token::new(&place, RunId(7), 5, 2, 99).to_bytes();
        let (found, run_id, which) = Token::read(&bytes, NamespaceId::DEFAULT).unwrap();
        assert_eq!((found, run_id), (place, RunId(7)));
        let (scheduled_event_id, number, nonce) = (5, 2, 99);
        assert_eq!(
            which,
            Which::Token {
                scheduled_event_id,
                number,
                nonce
            }
        );
        assert_eq!(
            Token::read(&bytes, NamespaceId(2)).unwrap_err().to_string(),
            "Operation requested with a token from a different namespace."
        );
        // B1
        assert_eq!(refusal(b""), "Task token not set on request.");
        assert_eq!(
            refusal(&bytes[..bytes.len() - 1]),
            "Error deserializing task token."
        );
        assert_eq!(refusal(b"something else"), "Error deserializing task token.");
        assert_eq!(
            refusal(&[0; TOKEN_BYTES_MAX + 1]),
            "Error deserializing task token."
        );
    }
}
