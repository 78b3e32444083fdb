//! Looking names up.

use std::{fmt, io, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// Most addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 64;
/// Names that are looked up at once; further lookups wait.
const LOOKUPS_MAX: usize = 64;
/// The same for one module, so that the names of one, whose servers may not answer, do not keep the others waiting.
const LOOKUPS_OF_MODULE: usize = 8;
/// Longest wait until a lookup begins.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Finds the addresses of a name. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    resolve: Arc<dyn Resolve>,
    turns: Arc<Semaphore>,
    wait_max: Duration,
}

/// How names are looked up.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, the best first. It has to end at some time, also if there is no answer: whoever asked may have gone, and
    /// a lookup that has begun is waited for all the same.
    fn resolve(&self, name: String) -> Resolving;
}

/// Lookups of one module.
#[derive(Clone)]
pub(crate) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_OF_MODULE)))
    }
}

/// Addresses to come.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

impl Resolver {
    /// Look names up in another way than the system's.
    pub fn new(resolve: impl Resolve + 'static) -> Self {
        Self {
            resolve: Arc::new(resolve),
            turns: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            wait_max: WAIT_MAX,
        }
    }

    /// As one of the lookups of a module. Dropping the future gives up the wait; a lookup that has begun keeps its turn until it has
    /// ended, because the system does not end it earlier.
    pub(crate) async fn resolve(&self, name: String, module: &Lookups) -> io::Result<Vec<IpAddr>> {
        let turns = async {
            // Fails only for closed semaphores, and these are never closed.
            let of_module = module.0.clone().acquire_owned().await.ok();
            (of_module, self.turns.clone().acquire_owned().await.ok())
        };
        let turns = timeout(self.wait_max, turns).await.map_err(|_| {
            let why = "too many lookups of this module, or of all together, are under way, and none of them has ended for some time";
            io::Error::new(io::ErrorKind::TimedOut, why)
        })?;
        let lookup = self.resolve.resolve(name);
        let lookup = tokio::spawn(async move {
            let _turns = turns;
            lookup.await
        });
        let mut addresses = lookup.await.map_err(io::Error::other)??;
        addresses.truncate(ADDRESSES_MAX);
        Ok(addresses)
    }
}

/// The system's way.
impl Default for Resolver {
    fn default() -> Self {
        Self::new(System)
    }
}

/// Two are equal if they are the same one; the system's is equal to itself only through its clones.
impl PartialEq for Resolver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.resolve, &other.resolve)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Each lookup holds a thread until it is answered, and activities share these threads with each other's files.
struct System;

impl Resolve for System {
    fn resolve(&self, name: String) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip().to_canonical()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A name server that says nothing until it is let.
    #[derive(Clone)]
    struct Silent {
        asked: Arc<AtomicUsize>,
        answers: Arc<Semaphore>,
    }

    impl Resolve for Silent {
        fn resolve(&self, _: String) -> Resolving {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let answers = self.answers.clone();
            Box::pin(async move {
                answers.acquire().await.unwrap().forget();
                Ok(vec!["8.8.8.8".parse().unwrap()])
            })
        }
    }

    fn silent() -> (Silent, Resolver) {
        let silent = Silent {
            asked: Arc::default(),
            answers: Arc::new(Semaphore::new(0)),
        };
        (silent.clone(), Resolver::new(silent))
    }

    /// Ask, and go away without the answer.
    async fn ask_and_go(resolver: &Resolver, module: &Lookups) {
        tokio::select! {
            biased;
            answer = resolver.resolve("a.example".to_owned(), module) => panic!("{answer:?}"),
            () = tokio::task::yield_now() => {}
        }
    }

    // C4
    #[tokio::test]
    async fn a_lookup_keeps_its_turn_until_it_has_ended_though_nobody_waits_for_it() {
        let (silent, resolver) = silent();
        let one = Lookups::default();
        for _ in 0..10 * LOOKUPS_OF_MODULE {
            ask_and_go(&resolver, &one).await;
        }
        assert_eq!(silent.asked.load(Ordering::Relaxed), LOOKUPS_OF_MODULE);
        // Other modules have turns, until all are taken.
        let others: Vec<Lookups> = (0..2 * LOOKUPS_MAX).map(|_| Lookups::default()).collect();
        ask_and_go(&resolver, &others[0]).await;
        assert_eq!(silent.asked.load(Ordering::Relaxed), LOOKUPS_OF_MODULE + 1);
        for module in &others {
            ask_and_go(&resolver, module).await;
        }
        assert_eq!(silent.asked.load(Ordering::Relaxed), LOOKUPS_MAX);
        // When they end, the next ones begin.
        silent.answers.add_permits(LOOKUPS_MAX + 1);
        let answer = resolver.resolve("a.example".to_owned(), &one).await.unwrap();
        assert_eq!(answer.len(), 1);
    }

    // C4
    #[tokio::test]
    async fn whoever_waits_too_long_for_a_turn_is_told() {
        let (_, mut resolver) = silent();
        resolver.wait_max = Duration::from_millis(1);
        let module = Lookups::default();
        for _ in 0..LOOKUPS_OF_MODULE {
            ask_and_go(&resolver, &module).await;
        }
        let error = resolver
            .resolve("a.example".to_owned(), &module)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("under way"), "{error}");
    }
}
