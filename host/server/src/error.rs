//! Why a server cannot start or has to end.

use std::{io, net::SocketAddr};

/// A server that cannot start, or that ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else listens there.
    #[error(
        "cannot serve {what} on {addr}: the port is in use, perhaps by another Longhaul server or by \
         Temporal's (`ss -ltnp 'sport = :{port}'` or `lsof -i :{port}` names the process); \
         stop it, or choose another port with {flag}",
        port = addr.port()
    )]
    PortInUse {
        /// `gRPC` or `HTTP`.
        what: &'static str,
        /// The address that is taken.
        addr: SocketAddr,
        /// The flag of `longhaul server start` that changes it.
        flag: &'static str,
    },

    /// The address cannot be listened on.
    #[error("cannot serve {what} on {addr}: {reason}; {hint}")]
    Bind {
        /// `gRPC` or `HTTP`.
        what: &'static str,
        /// The address.
        addr: SocketAddr,
        /// What to do.
        hint: String,
        /// What the system said.
        reason: io::Error,
    },

    /// A setting with which the server could not work.
    #[error("the server's setting {name} cannot be used: {reason}")]
    Option {
        /// The field of [`Options`](crate::Options).
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// Serving ended though nobody asked for it.
    #[error("serving {what} failed: {reason}")]
    Serve {
        /// `gRPC` or `HTTP`.
        what: &'static str,
        /// What went wrong.
        reason: String,
    },
}

impl Error {
    /// Names what the system said when `addr` was asked for.
    pub(crate) fn bind(what: &'static str, addr: SocketAddr, flag: &'static str, reason: io::Error) -> Self {
        let hint = match reason.kind() {
            io::ErrorKind::AddrInUse => return Self::PortInUse { what, addr, flag },
            io::ErrorKind::AddrNotAvailable => {
                format!(
                    "{} is not an address of this machine, choose another with --ip",
                    addr.ip()
                )
            }
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 are often reserved for the system, choose another with {flag}")
            }
            _ => format!("choose another address with --ip or {flag}"),
        };
        Self::Bind {
            what,
            addr,
            hint,
            reason,
        }
    }
}
