//! Ctrl-C and SIGTERM, listened for before anybody is told that a daemon is ready.

use std::pin::Pin;
use std::task::Poll;

use cocoon_runner::RunnerError;

use crate::failure::{self, Failure};

/// The signal that ends a daemon. One that comes between the readiness and the wait for it is not lost.
pub(crate) struct Stop(Pin<Box<dyn Future<Output = Result<(), RunnerError>> + Send>>);

impl Stop {
    /// Listens from now on.
    pub(crate) async fn listen() -> Self {
        let mut signal: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(cocoon_runner::shutdown::signal());
        // Handlers are installed when it is asked for the first time.
        let first = std::future::poll_fn(|context| Poll::Ready(signal.as_mut().poll(context))).await;
        match first {
            Poll::Pending => Self(signal),
            Poll::Ready(ended) => Self(Box::pin(std::future::ready(ended))),
        }
    }

    /// Waits until it has come.
    pub(crate) async fn asked(self) -> Result<(), Failure> {
        self.0.await.map_err(failure::from_runner)
    }
}
