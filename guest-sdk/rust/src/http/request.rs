//! Requests.

use std::time::Duration;

use serde::Serialize;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Headers, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::{OutputStream, StreamError};

use super::{Error, Label, Response};
use crate::activities::wait;

/// A request that is not sent yet.
#[derive(Debug, Clone)]
pub struct Request {
    label: Label,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    timeout: Option<Duration>,
    /// What was wrong with an earlier call; told by `send`.
    wrong: Option<Error>,
}

/// A request with method GET.
pub fn get(url: &str) -> Request {
    Request::new("GET", url)
}

/// A request with method POST.
pub fn post(url: &str) -> Request {
    Request::new("POST", url)
}

/// A request with method PUT.
pub fn put(url: &str) -> Request {
    Request::new("PUT", url)
}

/// A request with method DELETE.
pub fn delete(url: &str) -> Request {
    Request::new("DELETE", url)
}

impl Request {
    /// A request with any method. `url` begins with `http://` or `https://`.
    pub fn new(method: &str, url: &str) -> Self {
        let wrong = Parts::of(url).err();
        let url = match &wrong {
            None => url.to_owned(),
            // It is told and never sent.
            Some(_) => without_secrets(url),
        };
        Self {
            label: Label {
                method: method.to_owned(),
                url,
            },
            headers: Vec::new(),
            body: None,
            timeout: None,
            wrong,
        }
    }

    /// Add a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Send these bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Send this value as JSON.
    #[must_use]
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("content-type", "application/json").body(body),
            Err(error) => {
                let wrong = self.label.not_allowed(format!("the body ({error})"));
                self.wrong.get_or_insert(wrong);
                self
            }
        }
    }

    /// Longest time to connect, until the response begins, and between two parts of it, each. By default 30 s to connect and 60 s for the
    /// others.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Send it, and wait until the response begins.
    ///
    /// # Errors
    /// The request is not allowed, not granted, or there is no response. A response with an error's status is a response.
    pub async fn send(self) -> Result<Response, Error> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let label = self.label;
        let parts = Parts::of(&label.url)?;
        let headers = Headers::new();
        for (name, value) in &self.headers {
            let added = headers.append(name, value);
            added.map_err(|error| label.not_allowed(format!("the header {name:?} ({error:?})")))?;
        }
        if let Some(body) = &self.body {
            let length = body.len().to_string();
            let added = headers.append("content-length", length.as_bytes());
            added.map_err(|error| label.not_allowed(format!("the body's length ({error:?})")))?;
        }
        let request = OutgoingRequest::new(headers);
        let scheme = if parts.encrypted {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let set = request.set_method(&method(&label.method));
        set.map_err(|()| label.not_allowed("the method"))?;
        let set = request
            .set_scheme(Some(&scheme))
            .and_then(|()| request.set_authority(Some(parts.authority)))
            .and_then(|()| request.set_path_with_query(Some(&parts.path)));
        set.map_err(|()| Error::Url {
            url: without_secrets(&label.url),
            why: "it has characters that an address must not have",
        })?;
        let options = RequestOptions::new();
        if let Some(timeout) = self.timeout {
            let ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            // A host that does not know one of them has a limit of its own.
            let _ = options.set_connect_timeout(Some(ns));
            let _ = options.set_first_byte_timeout(Some(ns));
            let _ = options.set_between_bytes_timeout(Some(ns));
        }
        let outgoing = match &self.body {
            None => None,
            Some(_) => Some(request.body().map_err(|()| label.said("the body was taken"))?),
        };
        let pending = handle(request, Some(options)).map_err(|code| label.failed(&code))?;
        if let (Some(outgoing), Some(body)) = (outgoing, &self.body) {
            let stream = outgoing.write().map_err(|()| label.said("the body was taken"))?;
            let sent = write(&stream, body).await;
            drop(stream);
            // Where the connection failed, the answer to the request says why.
            if sent.is_ok() {
                OutgoingBody::finish(outgoing, None).map_err(|code| label.failed(&code))?;
            }
        }
        wait(pending.subscribe()).await;
        match pending.get() {
            Some(Ok(Ok(response))) => Response::new(label, response),
            Some(Ok(Err(code))) => Err(label.failed(&code)),
            Some(Err(())) | None => Err(label.said("the response was taken")),
        }
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

async fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            wait(stream.subscribe()).await;
            continue;
        }
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    stream.flush()?;
    wait(stream.subscribe()).await;
    stream.check_write().map(|_| ())
}

/// An address for the eyes of people: without whatever may be a name and a password in it. Where it cannot be taken apart, that is all
/// before the last `@`.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains([':', '@', '/']) => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{scheme}***@{rest}"),
        None => url.to_owned(),
    }
}

/// An address, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    encrypted: bool,
    authority: &'a str,
    path: String,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, Error> {
        let wrong = |why| Error::Url {
            url: without_secrets(url),
            why,
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("it begins with `http://` or `https://`"))?;
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("it begins with `http://` or `https://`")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.is_empty() {
            return Err(wrong("it has no host"));
        }
        if authority.contains('@') {
            return Err(wrong("a name and a password go into the header `authorization`"));
        }
        let port = authority.rsplit_once(':').map(|(_, port)| port);
        if port.is_some_and(|port| !port.ends_with(']') && !port.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(wrong("its port is no number"));
        }
        // What is behind `#` is for the reader of the answer, not for the server.
        let path = rest.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            encrypted,
            authority,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, encrypted, authority, path) in [
            ("http://a", false, "a", "/"),
            ("HTTPS://a:8443/b?c=d#e", true, "a:8443", "/b?c=d"),
            ("http://[::1]:80?x", false, "[::1]:80", "/?x"),
            ("http://[::1]", false, "[::1]", "/"),
        ] {
            let parts = Parts::of(url).unwrap();
            assert_eq!(
                (parts.encrypted, parts.authority, parts.path.as_str()),
                (encrypted, authority, path),
                "{url}"
            );
        }
        for (url, why) in [
            ("a/b", "begins with"),
            ("ftp://a", "begins with"),
            ("http:///b", "no host"),
            ("http://user:word@a", "authorization"),
            ("http://a:b", "port"),
            ("http://[::1]:b", "port"),
        ] {
            let error = Parts::of(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    /// Which has no JSON.
    struct Unwritable;

    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it has none"))
        }
    }

    #[test]
    fn nobody_is_told_a_name_or_a_password_that_stands_in_an_address() {
        for (url, shown) in [
            ("http://eve:xyzzy@a/b?c", "http://***@a/b?c"),
            ("http://xyzzy@a", "http://***@a"),
            ("http://eve:xyz/zy@a", "http://***@a"),
            ("http://eve:xyz@zy@a", "http://***@a"),
            ("http://eve:xyz#zy://@a", "http://***@a"),
            ("ftp://eve:xyzzy@a", "ftp://***@a"),
            ("eve:xyzzy@a/b", "***@a/b"),
            ("eve:xyz://zy@a", "***@a"),
            ("http:eve:xyzzy@a", "***@a"),
        ] {
            let request = get(url);
            let error = request.wrong.as_ref().unwrap_or_else(|| panic!("{url} is taken"));
            let told = format!("{error} {error:?} {request:?}");
            assert!(told.contains(&format!("{shown:?}")), "{url}: {told}");
            for secret in ["eve", "xyz", "zy"] {
                assert!(!told.contains(secret), "{url}: {told}");
            }
        }
        // What is wrong first is told.
        let error = get("http://eve:xyzzy@a").json(&Unwritable).wrong.unwrap();
        assert!(error.to_string().contains("authorization"), "{error}");
    }
}
