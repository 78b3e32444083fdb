//! Settings of the server: addresses and limits.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::Error;

/// Settings of a [`Server`](crate::Server). The defaults suit one machine; every limit is here.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on. Default: 127.0.0.1, so that nothing is reachable from outside unless asked for.
    pub ip: IpAddr,
    /// Port of gRPC; 0 takes a free one. Default: 7233, Temporal's.
    pub grpc_port: u16,
    /// Port of HTTP (`/metrics`, `/health`); 0 takes a free one. Default: 8233, Temporal's.
    pub http_port: u16,
    /// Largest request message in bytes, after decompression. A larger one is INVALID_ARGUMENT. Default: 4
    /// MiB, as with Temporal.
    pub request_max_bytes: usize,
    /// Answers below this size are not compressed: setting a compressor up costs more than it saves. Default:
    /// 1 KiB.
    pub gzip_min_bytes: usize,
    /// Open connections on each of the two ports; further ones wait in the system's queue. Default: 4,096.
    pub connections_max: usize,
    /// How long a new connection may send nothing before it is closed. Default: 10 s.
    pub first_byte_timeout: Duration,
    /// Requests that one connection may have open; HTTP/2 makes the client wait with the next. Default:
    /// 16,384, because the long polls of many callers may share one connection.
    pub streams_max: u32,
    /// Requests that the server has in hand at once, long polls included; one more is RESOURCE_EXHAUSTED.
    /// Default: 65,536.
    pub requests_max: usize,
    /// How long a connection may be silent before it is probed. Default: 30 s.
    pub keep_alive_interval: Duration,
    /// How long the answer to a probe may take before the connection is closed. Default: 15 s.
    pub keep_alive_timeout: Duration,
    /// How long requests in hand may take to finish once the server is told to stop. Long polls end at once.
    /// Default: 10 s.
    pub shutdown_grace: Duration,
    /// Largest component that may be uploaded, in bytes; a larger one is RESOURCE_EXHAUSTED. Default: 64 MiB.
    pub module_max_bytes: usize,
    /// Uploads that are received at once, which bounds the memory that they take; further ones wait. Default:
    /// 4.
    pub uploads_max: usize,
    /// How long an upload may be silent between two chunks before it is DEADLINE_EXCEEDED. Default: 30 s.
    pub upload_idle_timeout: Duration,
    /// Health watchers at once; one more is RESOURCE_EXHAUSTED. Default: 256.
    pub health_watches_max: usize,
    /// How often health is looked at for a watcher; nothing is looked at while nobody watches. Default: 1 s.
    pub health_watch_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            grpc_port: 7233,
            http_port: 8233,
            request_max_bytes: 4 << 20,
            gzip_min_bytes: 1 << 10,
            connections_max: 4_096,
            first_byte_timeout: Duration::from_secs(10),
            streams_max: 16_384,
            requests_max: 65_536,
            keep_alive_interval: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(15),
            shutdown_grace: Duration::from_secs(10),
            module_max_bytes: 64 << 20,
            uploads_max: 4,
            upload_idle_timeout: Duration::from_secs(30),
            health_watches_max: 256,
            health_watch_interval: Duration::from_secs(1),
        }
    }
}

impl Options {
    /// Where gRPC shall listen.
    pub(crate) fn grpc_addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.grpc_port)
    }

    /// Where HTTP shall listen.
    pub(crate) fn http_addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.http_port)
    }

    /// Refuses settings with which nothing could be served.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let counts = [
            ("connections_max", self.connections_max),
            (
                "streams_max",
                usize::try_from(self.streams_max).unwrap_or(usize::MAX),
            ),
            ("requests_max", self.requests_max),
            ("uploads_max", self.uploads_max),
            ("health_watches_max", self.health_watches_max),
        ];
        let sizes = [
            ("request_max_bytes", self.request_max_bytes),
            ("module_max_bytes", self.module_max_bytes),
        ];
        let times = [
            ("first_byte_timeout", self.first_byte_timeout),
            ("keep_alive_interval", self.keep_alive_interval),
            ("keep_alive_timeout", self.keep_alive_timeout),
            ("upload_idle_timeout", self.upload_idle_timeout),
            ("health_watch_interval", self.health_watch_interval),
        ];
        for (name, value) in counts.into_iter().chain(sizes) {
            if value == 0 {
                return Err(Error::Option {
                    name,
                    reason: "it is 0, but must be at least 1".into(),
                });
            }
        }
        for (name, value) in counts {
            if value > Semaphore::MAX_PERMITS {
                return Err(Error::Option {
                    name,
                    reason: format!("it is over {}", Semaphore::MAX_PERMITS),
                });
            }
        }
        for (name, value) in times {
            if value.is_zero() {
                return Err(Error::Option {
                    name,
                    reason: "it is 0, but must be longer".into(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_accepted() {
        Options::default().check().unwrap();
    }

    #[test]
    fn a_zero_is_refused_by_name() {
        let error = Options {
            uploads_max: 0,
            ..Options::default()
        }
        .check()
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server's setting uploads_max cannot be used: it is 0, but must be at least 1"
        );
        let error = Options {
            keep_alive_timeout: Duration::ZERO,
            ..Options::default()
        }
        .check()
        .unwrap_err();
        assert!(error.to_string().contains("keep_alive_timeout"), "{error}");
    }
}
