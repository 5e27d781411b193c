//! One running runner: how to stop it, and how to learn that it ended.

use std::net::SocketAddr;

use cocoon_client::ClientConfig;
use cocoon_proxy::ProxyConfig;
#[cfg(feature = "engine")]
use cocoon_worker::WorkerConfig;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::{self, Exit, Failure};

/// A runner in this process.
pub(crate) struct Part {
    name: &'static str,
    address: SocketAddr,
    stop: CancellationToken,
    /// None once its end was seen.
    task: Option<JoinHandle<Result<(), Failure>>>,
}

impl Part {
    /// Starts a proxy.
    pub(crate) async fn proxy(config: ProxyConfig) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let running = cocoon_proxy::start(config, stop.clone())
            .await
            .map_err(failure::from_proxy)?;
        let address = running.http;
        Ok(Self::new("proxy", address, stop, async {
            running.join().await.map_err(failure::from_proxy)
        }))
    }

    /// Starts a worker.
    #[cfg(feature = "engine")]
    pub(crate) async fn worker(config: WorkerConfig) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let running = cocoon_worker::start(config, stop.clone())
            .await
            .map_err(failure::from_worker)?;
        let end = async {
            let ended = running
                .join
                .await
                .map_err(|error| Failure::from(anyhow::Error::from(error)));
            ended?.map_err(failure::from_worker)
        };
        Ok(Self::new("worker", running.http, stop, end))
    }

    /// Starts a client.
    pub(crate) async fn client(config: ClientConfig) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let mut running = cocoon_client::start(config, stop.clone())
            .await
            .map_err(failure::from_client)?;
        let address = running.address();
        Ok(Self::new("client", address, stop, async move {
            running.join().await.map_err(failure::from_client)
        }))
    }

    fn new(
        name: &'static str,
        address: SocketAddr,
        stop: CancellationToken,
        end: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            address,
            stop,
            task: Some(tokio::spawn(end)),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where its HTTP is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it ends by a drain that its operator asked for; any other end is a failure.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        match self.end().await {
            Some(Ok(())) if self.stop.is_cancelled() => Ok(()),
            Some(Ok(())) => Err(self.by_itself()),
            Some(failed) => failed,
            None => std::future::pending().await,
        }
    }

    /// Waits until it ends although nobody here asked it to.
    #[cfg(feature = "engine")]
    pub(crate) async fn failed(&mut self) -> Failure {
        match self.ended().await {
            Ok(()) => self.by_itself(),
            Err(failure) => failure,
        }
    }

    fn by_itself(&self) -> Failure {
        Failure::new(
            Exit::Defect,
            anyhow::anyhow!("the {} ended by itself", self.name),
            "run it again with -v and report what it prints",
        )
    }

    /// Asks it to end and waits until it has drained.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.stop.cancel();
        self.end().await.unwrap_or(Ok(()))
    }

    async fn end(&mut self) -> Option<Result<(), Failure>> {
        let ended = self.task.as_mut()?.await;
        self.task = None;
        Some(ended.unwrap_or_else(|error| Err(anyhow::Error::from(error).into())))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
