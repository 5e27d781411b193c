//! Keeps connections to proxies of the root contract: chooses, dials, and dials again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_chain::RootView;
use cocoon_ratls::{Connector, IdentityKeeper};
use cocoon_runner::Retry;
use cocoon_runner::backoff::Backoff;
use cocoon_runner::choice::{Choice, Choices};
use cocoon_runner::link::{Link, LinkConfig};
use cocoon_runner::standing::Standing;
use cocoon_runner::wear::Wear;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::ProxyConnection;
use crate::context::Context;
use crate::error::ClientError;
use crate::limits::{REDIAL_CEILING, REDIAL_FIRST};

/// What the rest of the client sees of the dialers.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    /// The oldest connection, while there is one.
    pub connection: Option<Arc<ProxyConnection>>,
    /// All connections, the oldest first.
    pub connections: Vec<Arc<ProxyConnection>>,
    /// Why there is none, or why the last attempt failed.
    pub problem: Option<String>,
}

impl Upstream {
    /// The connection with the fewest requests of those that live, are admitted and are not among `tried`.
    pub(crate) fn least_busy(
        &self,
        tried: &[Arc<ProxyConnection>],
        is_admitted: impl Fn(&ProxyConnection) -> bool,
    ) -> Option<Arc<ProxyConnection>> {
        let is_tried = |connection: &Arc<ProxyConnection>| tried.iter().any(|other| Arc::ptr_eq(other, connection));
        let usable = self
            .connections
            .iter()
            .filter(|c| !c.is_closed() && !is_tried(c) && is_admitted(c));
        usable.min_by_key(|connection| connection.running_requests()).cloned()
    }

    /// The connections by our contract at their proxies, the newest of each: what a proxy counts is counted once.
    pub(crate) fn by_contract(&self) -> BTreeMap<Address, Arc<ProxyConnection>> {
        let named = |connection: &Arc<ProxyConnection>| (connection.client_contract.clone(), Arc::clone(connection));
        self.connections.iter().map(named).collect()
    }

    fn begins(&mut self, connection: &Arc<ProxyConnection>) {
        self.connections.push(Arc::clone(connection));
        self.connection = self.connections.first().cloned();
        self.problem = None;
    }

    fn ends(&mut self, connection: &Arc<ProxyConnection>) {
        self.connections.retain(|other| !Arc::ptr_eq(other, connection));
        self.connection = self.connections.first().cloned();
    }
}

/// What all dialers of a client share.
pub(crate) struct Dialing {
    context: Arc<Context>,
    connector: Connector,
    choices: Choices,
    upstream: watch::Sender<Upstream>,
    stop: CancellationToken,
}

impl Dialing {
    pub(crate) fn new(
        context: Arc<Context>,
        identities: Arc<IdentityKeeper>,
        upstream: watch::Sender<Upstream>,
        stop: CancellationToken,
    ) -> Self {
        let (store, proxies) = (context.trust.store(), context.trust.proxies());
        let connector = Connector::new(identities, store, proxies, context.clock.clone()).over(context.network.clone());
        Self {
            connector: context.trust.dialing(connector),
            context,
            choices: Choices::default(),
            upstream,
            stop,
        }
    }

    /// Keeps one connection, to a proxy that no other dialer has, until stopped. `upstream` always shows how it stands.
    pub(crate) async fn keep_connected(self: Arc<Self>) {
        let mut backoff = Backoff::new(REDIAL_FIRST, REDIAL_CEILING);
        let (mut choice, mut last): (Option<Choice>, _) = (None, None);
        loop {
            let root = self.context.root();
            let is_listed = |held: &Choice| root.data.proxies.contains_key(&held.seqno());
            let held = choice
                .take()
                .filter(is_listed)
                .or_else(|| self.choices.choose(root.data.proxies.keys().copied(), last));
            let outcome = match held {
                None => Err(ClientError::NoProxy),
                Some(mut held) => {
                    last = Some(held.seqno());
                    let attempt = self.stop.run_until_cancelled(self.connect(held.seqno())).await;
                    let Some(connected) = attempt else { return };
                    let connected = match connected {
                        Ok(connection) => {
                            backoff.reset();
                            held.serves();
                            if self.serve(&connection).await.is_none() {
                                return;
                            }
                            held.serves();
                            Ok(())
                        }
                        Err(error) => Err(error),
                    };
                    let retry = connected.as_ref().err().map_or(Retry::SamePeer, ClientError::retry);
                    choice = held.is_kept(retry).then_some(held);
                    connected
                }
            };
            if let Err(error) = outcome {
                self.failed(&error);
            }
            if self.stop.run_until_cancelled(backoff.wait()).await.is_none() {
                return;
            }
        }
    }

    /// Shows a connection until it ends; `None` when that is because of the stop.
    async fn serve(&self, connection: &Arc<ProxyConnection>) -> Option<()> {
        tracing::info!(proxy = %connection.proxy.contract, address = connection.address,
            version = connection.version.to_wire(), "connected to a proxy");
        self.upstream.send_modify(|upstream| upstream.begins(connection));
        let ended = self.stop.run_until_cancelled(connection.closed()).await;
        let problem = ended.clone().unwrap_or_else(|| "stopping".into());
        self.upstream.send_modify(|upstream| {
            upstream.ends(connection);
            upstream.problem = Some(problem);
        });
        let Some(reason) = ended else {
            connection.close().await;
            return None;
        };
        tracing::warn!(reason, "the connection to the proxy ended");
        Some(())
    }

    fn failed(&self, error: &ClientError) {
        // A client that wants more proxies than there are has all that there are.
        let is_served = matches!(error, ClientError::NoProxy) && !self.upstream.borrow().connections.is_empty();
        if !is_served {
            tracing::warn!(%error, hint = error.hint(), "no connection to a proxy");
            self.upstream
                .send_modify(|upstream| upstream.problem = Some(error.to_string()));
        }
    }

    async fn connect(&self, seqno: u32) -> Result<Arc<ProxyConnection>, ClientError> {
        let context = self.context.as_ref();
        let listed = context.root().data.proxies.get(&seqno).map(|p| p.clients.clone());
        let address = listed.ok_or(ClientError::NoProxy)?;
        let socket = parse_endpoint(&address)?;
        let made = self.connector.connect(socket).await?;
        let (link, events) = Link::dial(made.stream, LinkConfig::default()).await?;
        let entry = address.clone();
        let is_listed = move |root: &RootView| root.data.proxies.get(&seqno).is_some_and(|p| p.clients == entry);
        let standing = Standing::of_proxy(context.root.clone(), &made.peer, is_listed);
        let peer = made.peer.clone();
        let connection = ProxyConnection::open(link, events, made.peer, made.session, address, context).await?;
        // Nothing names certificates of deployed proxies, and when those renew theirs is not known.
        let (standing, ends) = if connection.version.has_extensions() {
            (standing.until_certificate(context.clock.clone(), &peer), peer.not_after)
        } else {
            (standing, None)
        };
        let wear = Wear::new(context.clock.clone(), [ends]);
        tokio::spawn(Arc::clone(&connection).keep_while(standing, wear));
        Ok(connection)
    }
}

/// `ip:port`, with or without the square brackets that deployed entries have around both.
fn parse_endpoint(text: &str) -> Result<SocketAddr, ClientError> {
    let refused = || ClientError::ProxyAddress(text.chars().take(80).collect());
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_both_forms_are_read() {
        let plain: SocketAddr = "127.0.0.1:11002".parse().unwrap();
        assert_eq!(parse_endpoint("127.0.0.1:11002").unwrap(), plain);
        assert_eq!(parse_endpoint("[127.0.0.1:11002]").unwrap(), plain);
        assert!(parse_endpoint("proxy.example:1").is_err());
        assert!(parse_endpoint("[127.0.0.1:11002").is_err());
    }
}
