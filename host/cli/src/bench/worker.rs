//! A worker that does nothing but to poll for activities and to complete them at once, with their arguments as result.

use tokio::task::JoinSet;

use super::caller::Caller;
use crate::Error;

/// Polls under way. Dropped, they are given up.
pub(super) struct Worker(JoinSet<Error>);

impl Worker {
    /// Have so many polls open at once, on these clients in turn.
    pub(super) fn start(callers: &[Caller], pollers: usize) -> Self {
        let mut polls = JoinSet::new();
        for caller in callers.iter().cycle().take(pollers) {
            let caller = caller.clone();
            polls.spawn(async move {
                match work(&caller).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                }
            });
        }
        Self(polls)
    }

    /// What the first poll or answer that was refused has said.
    pub(super) async fn failed(&mut self) -> Error {
        match self.0.join_next().await {
            Some(Ok(error)) => error,
            Some(Err(error)) => Error::Defect(error.to_string()),
            None => Error::Defect("a worker without polls".to_owned()),
        }
    }

    /// Give the polls up.
    pub(super) async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

async fn work(caller: &Caller) -> Result<std::convert::Infallible, Error> {
    loop {
        if let Some(task) = caller.poll_activity().await? {
            caller.complete_activity(task.task_token, task.input).await?;
        }
    }
}
