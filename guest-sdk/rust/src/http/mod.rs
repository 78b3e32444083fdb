//! HTTP for activities, over wasi:http. Feature `http`.
//!
//! ```no_run
//! use longhaul_sdk::activities::{ActivityContext, ActivityError, activities};
//! use longhaul_sdk::http;
//!
//! struct Prices;
//!
//! #[activities]
//! impl Prices {
//!     /// What a thing costs.
//!     #[activity]
//!     async fn price(_: ActivityContext, sku: String) -> Result<String, ActivityError> {
//!         let response = http::get(&format!("https://api.example.com/prices/{sku}")).send().await?;
//!         Ok(response.error_for_status()?.text(64 << 10).await?)
//!     }
//! }
//! ```
//!
//! The module's settings say which hosts may be asked:
//!
//! ```toml
//! [grants.http]
//! hosts = ["api.example.com"]
//! ```
//!
//! Another host is [`Error::Denied`], and the error says which line would grant it. Redirects are not followed: a response with
//! status 302 is a response like others, and a request to the place that it names is granted or denied by itself.
//!
//! While a request waits, other futures of the attempt run: several requests can wait at once, and a request beside a
//! [`sleep`](crate::activities::sleep), within a [`timeout`](crate::activities::timeout) or until the attempt is
//! [cancelled](crate::activities::ActivityContext::cancelled). An attempt in which every future waits does not run, and uses no fuel.

mod request;
mod response;

use wasip2::http::types::ErrorCode;

pub use request::{Request, delete, get, post, put};
pub use response::Response;

/// What the host's texts begin with where something was not granted.
const DENIED: &str = "denied: ";

/// Why there is no response, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be read.
    #[error("{url:?} is no address for a request: {why}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A method or a header that HTTP does not allow, or that is not the guest's to set, as `host`.
    #[error("{method} {url}: {what} is not allowed")]
    Request {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// What is not allowed.
        what: String,
    },
    /// The module's settings do not grant it. The text says which line would.
    #[error("{method} {url}: denied: {why}")]
    Denied {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// Why, and what would grant it.
        why: String,
    },
    /// The request could not be sent, or the response did not come.
    #[error("{method} {url}: {why}")]
    Failed {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// What happened.
        why: String,
    },
    /// The server answered with an error: [`Response::error_for_status`].
    #[error("{method} {url}: the server answered {status}")]
    Status {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The status, from 400.
        status: u16,
    },
    /// The body is longer than the caller takes.
    #[error("{method} {url}: the response is longer than {limit} bytes")]
    TooLong {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The caller's limit.
        limit: usize,
    },
}

/// What a request was, for errors.
#[derive(Debug, Clone)]
struct Label {
    method: String,
    url: String,
}

impl Label {
    fn failed(&self, code: &ErrorCode) -> Error {
        let (method, url) = (self.method.clone(), self.url.clone());
        if let ErrorCode::InternalError(Some(text)) = code
            && let Some(why) = text.strip_prefix(DENIED)
        {
            return Error::Denied {
                method,
                url,
                why: why.to_owned(),
            };
        }
        Error::Failed {
            method,
            url,
            why: in_words(code),
        }
    }

    fn said(&self, why: impl Into<String>) -> Error {
        Error::Failed {
            method: self.method.clone(),
            url: self.url.clone(),
            why: why.into(),
        }
    }

    fn not_allowed(&self, what: impl Into<String>) -> Error {
        Error::Request {
            method: self.method.clone(),
            url: self.url.clone(),
            what: what.into(),
        }
    }
}

fn in_words(code: &ErrorCode) -> String {
    match code {
        ErrorCode::InternalError(Some(text)) => text.clone(),
        ErrorCode::DnsError(error) => match &error.rcode {
            Some(text) => text.clone(),
            None => "the name cannot be resolved".to_owned(),
        },
        ErrorCode::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorCode::ConnectionTimeout => "the connection could not be made in time".to_owned(),
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            "the response did not come in time".to_owned()
        }
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            "the connection ended before the response did".to_owned()
        }
        ErrorCode::HttpResponseHeaderSectionSize(_) => "the response's head is too long".to_owned(),
        ErrorCode::TlsCertificateError => "the server's certificate is not trusted".to_owned(),
        other => {
            // `ErrorCode::TlsProtocolError` says enough by its name.
            let text = format!("{other:?}");
            text.strip_prefix("ErrorCode::").unwrap_or(&text).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use wasip2::http::types::DnsErrorPayload;

    use super::*;

    #[test]
    fn a_denial_is_told_from_other_failures() {
        let label = Label {
            method: "GET".into(),
            url: "http://a/".into(),
        };
        let denied = label.failed(&ErrorCode::InternalError(Some(
            "denied: the line `x` grants it".into(),
        )));
        assert_eq!(
            denied.to_string(),
            "GET http://a/: denied: the line `x` grants it"
        );
        assert!(matches!(denied, Error::Denied { .. }));
        let unknown = label.failed(&ErrorCode::DnsError(DnsErrorPayload {
            rcode: Some("no such name".into()),
            info_code: None,
        }));
        assert_eq!(unknown.to_string(), "GET http://a/: no such name");
        let other = label.failed(&ErrorCode::TlsProtocolError);
        assert_eq!(other.to_string(), "GET http://a/: TlsProtocolError");
    }
}
