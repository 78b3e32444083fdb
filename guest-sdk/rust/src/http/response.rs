//! Responses.

use wasip2::http::types::{IncomingBody, IncomingResponse, http_error_code};
use wasip2::io::streams::{InputStream, StreamError};

use super::{Error, Label};
use crate::activities::wait;

/// Bytes that are read at once.
const CHUNK_BYTES: u64 = 64 << 10;

/// A response that has begun.
#[derive(Debug)]
pub struct Response {
    label: Label,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    // In the order in which the host wants them back: what was made of another goes first.
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

impl Response {
    pub(super) fn new(label: Label, response: IncomingResponse) -> Result<Self, Error> {
        let taken = |()| label.said("the response was taken");
        let body = response.consume().map_err(taken)?;
        let stream = body.stream().map_err(taken)?;
        Ok(Self {
            status: response.status(),
            headers: response.headers().entries(),
            stream,
            _body: body,
            _response: response,
            label,
        })
    }

    /// The status, such as 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of this name, in whatever case; none also if it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// All headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// An error if the status is 400 or above.
    ///
    /// # Errors
    /// [`Error::Status`].
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.status < 400 {
            return Ok(self);
        }
        Err(Error::Status {
            method: self.label.method,
            url: self.label.url,
            status: self.status,
        })
    }

    /// The next part of the body; none at its end. A body of any length takes no more memory than its parts.
    ///
    /// # Errors
    /// The body ended too early, or did not come in time.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            match self.stream.read(CHUNK_BYTES) {
                Ok(bytes) if bytes.is_empty() => wait(self.stream.subscribe()).await,
                Ok(bytes) => return Ok(Some(bytes)),
                Err(StreamError::Closed) => return Ok(None),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(match http_error_code(&error) {
                        Some(code) => self.label.failed(&code),
                        None => self.label.said(error.to_debug_string()),
                    });
                }
            }
        }
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// The body is longer, ended too early, or did not come in time.
    pub async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > limit {
                return Err(Error::TooLong {
                    method: self.label.method,
                    url: self.label.url,
                    limit,
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The whole body as text, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Response::bytes`], or it is not UTF-8.
    pub async fn text(self, limit: usize) -> Result<String, Error> {
        let label = self.label.clone();
        let bytes = self.bytes(limit).await?;
        String::from_utf8(bytes).map_err(|error| label.said(format!("the response is not text: {error}")))
    }
}
