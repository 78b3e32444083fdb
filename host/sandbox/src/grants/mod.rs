//! What an activity may use of the machine, in the sandbox's own types.

pub(crate) mod address;
mod destination;

use std::path::PathBuf;

pub use destination::{BadDestination, Destination, Host, Port};
pub(crate) use destination::{Forbidden, written};

/// What an activity may use of the machine. Clocks, waiting, random numbers and logging are always granted, because nothing outside of
/// the attempt can be reached with them; by default nothing else is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The environment variables that it sees.
    pub env: Vec<(String, String)>,
    /// Further environment variables that it sees, by their names. The values are read from this process's environment when an
    /// attempt starts, where the names begin with [`SECRET_PREFIX`]; nothing keeps them.
    pub secrets: Vec<String>,
    /// The folders that it sees.
    pub folders: Vec<Folder>,
    /// Where it may send HTTP requests.
    pub http: Reach,
    /// Where it may connect to, or send datagrams to.
    pub sockets: Reach,
}

/// What the names of the process's environment variables begin with that can be granted as secrets. The rest of the environment
/// cannot be granted, neither by name nor as a file of a folder: who uploads a module chooses the names.
pub const SECRET_PREFIX: &str = "LONGHAUL_SECRET_";

/// A folder that an activity may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Where it is on this machine, without symbolic links; see [`FolderError`](crate::FolderError) for what is refused.
    pub host: PathBuf,
    /// The path under which the guest sees it.
    pub guest: String,
    /// True if the guest may change what is in it.
    pub write: bool,
}

/// Other machines that an activity may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Which ones.
    pub destinations: Vec<Destination>,
    /// True if their names may also stand for loopback and private addresses. Without it a name that resolves to such an address is
    /// refused, because whoever serves the name chooses the address.
    pub private: bool,
}

impl Reach {
    /// Whether nothing at all can be reached.
    pub fn is_empty(&self) -> bool {
        self.destinations.is_empty()
    }
}
