//! Looking names up.

use std::{fmt, io, net::IpAddr, pin::Pin, sync::Arc};

use tokio::sync::Semaphore;

/// Most addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 64;
/// Names that are looked up at once; further lookups wait.
const LOOKUPS_MAX: usize = 64;

/// Finds the addresses of a name. Cheap to clone.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Resolve>);

/// How names are looked up.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, the best first.
    fn resolve(&self, name: String) -> Resolving;
}

/// Addresses to come.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

impl Resolver {
    /// Look names up in another way than the system's.
    pub fn new(resolve: impl Resolve + 'static) -> Self {
        Self(Arc::new(resolve))
    }

    pub(crate) async fn resolve(&self, name: String) -> io::Result<Vec<IpAddr>> {
        let mut addresses = self.0.resolve(name).await?;
        addresses.truncate(ADDRESSES_MAX);
        Ok(addresses)
    }
}

/// The system's way.
impl Default for Resolver {
    fn default() -> Self {
        Self::new(System {
            turns: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        })
    }
}

/// Two are equal if they are the same one; the system's is equal to itself only through its clones.
impl PartialEq for Resolver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Each lookup holds a thread until it is answered, and activities share these threads with each other's files.
struct System {
    turns: Arc<Semaphore>,
}

impl Resolve for System {
    fn resolve(&self, name: String) -> Resolving {
        let turns = self.turns.clone();
        Box::pin(async move {
            // Fails only for a closed semaphore, and this one is never closed.
            let _turn = turns.acquire().await.ok();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip().to_canonical()).collect())
        })
    }
}
