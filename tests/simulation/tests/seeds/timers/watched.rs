//! Chain and network of one node, watched: what it did when.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_chain::{AccountState, ChainClient, ChainError, GetterResult, SharedChain, Transaction, TransactionId};
use cocoon_ratls::{Listener, Network, Wire};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::SLACK_MS;
use crate::host::Time;

/// What a node did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Read an account.
    Read(Address),
    /// Sent to the chain.
    Sent,
    Dialed(SocketAddr),
    /// Wrote so many bytes on a connection that it dialed.
    Wrote(SocketAddr, usize),
    /// Let go of a connection that it dialed.
    HungUp(SocketAddr),
    /// The inference server was asked, or saw its connection end.
    UpstreamAsked,
    UpstreamEnded,
}

/// Who did what when, milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) time: Arc<Time>,
    pub(super) acts: Arc<Mutex<Vec<(u64, IpAddr, Act)>>>,
}

impl Log {
    pub(super) fn note(&self, who: IpAddr, act: Act) {
        self.acts.lock().unwrap().push((self.time.ms(), who, act));
    }

    /// When `who` did such things from `since` on.
    pub(super) fn times(&self, since: u64, who: IpAddr, is_it: impl Fn(&Act) -> bool) -> Vec<u64> {
        let acts = self.acts.lock().unwrap();
        let acts = acts
            .iter()
            .filter(|(at, by, act)| *at >= since && *by == who && is_it(act));
        acts.map(|(at, ..)| *at).collect()
    }

    /// Time between two of them.
    pub(super) fn pauses(&self, since: u64, who: IpAddr, is_it: impl Fn(&Act) -> bool) -> Vec<u64> {
        self.times(since, who, is_it)
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect()
    }
}

#[track_caller]
pub(super) fn assert_within(what: &str, pauses: &[u64], least: u64, most: u64, count: usize) {
    assert!(pauses.len() >= count, "{what}: only {pauses:?}");
    let is_within = |pause: &u64| (least..=most + SLACK_MS).contains(pause);
    assert!(
        pauses.iter().all(is_within),
        "{what}: not {least}..{most} ms: {pauses:?}"
    );
}

/// The chain, watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) chain: SharedChain,
    pub(super) log: Log,
    pub(super) who: IpAddr,
}

#[async_trait]
impl ChainClient for Watched {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.log.note(self.who, Act::Read(address.clone()));
        self.chain.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.chain.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.chain.transactions(address, limit, from).await
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        self.log.note(self.who, Act::Sent);
        self.chain.send_boc(message).await
    }

    async fn now(&self) -> Result<u32, ChainError> {
        self.chain.now().await
    }
}

/// The network, watched.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) network: Arc<dyn Network>,
    pub(super) log: Log,
    pub(super) who: IpAddr,
}

#[async_trait]
impl Network for Wires {
    async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        self.network.listen(address).await
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Wire> {
        self.log.note(self.who, Act::Dialed(address));
        let wire = self.network.dial(address).await?;
        let end = Dialed {
            wire,
            log: self.log.clone(),
            who: self.who,
            to: address,
        };
        Ok(Wire::other(Box::new(end), address))
    }
}

#[derive(Debug)]
struct Dialed {
    wire: Wire,
    log: Log,
    who: IpAddr,
    to: SocketAddr,
}

impl Drop for Dialed {
    fn drop(&mut self) {
        self.log.note(self.who, Act::HungUp(self.to));
    }
}

impl AsyncRead for Dialed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dialed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = written {
            self.log.note(self.who, Act::Wrote(self.to, written));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
