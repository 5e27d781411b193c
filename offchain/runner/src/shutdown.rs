//! Stop and drain: one token that asks everything to end, one tracker that waits until it has.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::RunnerError;

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every task ended in time.
    Clean,
    /// Some were still running at the deadline.
    TimedOut {
        /// How many.
        left: usize,
    },
}

/// The stop signal and the tasks of one daemon.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// A daemon that ends when `token` is cancelled.
    pub fn new(token: CancellationToken) -> Self {
        Self {
            token,
            tasks: TaskTracker::new(),
        }
    }

    /// The token, to be awaited in tasks.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Runs a task that [`Shutdown::drain`] waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// Runs a task that is dropped at its next await once the stop was asked for.
    pub fn spawn_until_stop<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        self.tasks.spawn(async move {
            token.run_until_cancelled(task).await;
        });
    }

    /// Asks everything to end.
    pub fn stop(&self) {
        self.token.cancel();
    }

    /// Waits for all tasks, no longer than `limit`.
    pub async fn drain(&self, limit: Duration) -> Drained {
        self.tasks.close();
        match tokio::time::timeout(limit, self.tasks.wait()).await {
            Ok(()) => Drained::Clean,
            Err(_) => Drained::TimedOut { left: self.tasks.len() },
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn signal() -> Result<(), RunnerError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate()).map_err(RunnerError::Signals)?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result.map_err(RunnerError::Signals),
            _ = term.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(RunnerError::Signals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_tasks_and_gives_up_at_the_deadline() {
        let shutdown = Shutdown::default();
        shutdown.spawn(tokio::time::sleep(Duration::from_secs(3)));
        shutdown.spawn_until_stop(std::future::pending());
        shutdown.stop();
        assert_eq!(
            shutdown.drain(Duration::from_secs(1)).await,
            Drained::TimedOut { left: 1 }
        );
        assert_eq!(shutdown.drain(Duration::from_secs(5)).await, Drained::Clean);
    }
}
