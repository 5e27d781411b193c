//! Keeps one connection to a proxy of the root contract: chooses, dials, and dials again.

use std::net::SocketAddr;
use std::sync::Arc;

use cocoon_chain::RootView;
use cocoon_ratls::{Connector, IdentityKeeper};
use cocoon_runner::backoff::Backoff;
use cocoon_runner::link::{Link, LinkConfig};
use cocoon_runner::standing::Standing;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::ProxyConnection;
use crate::context::Context;
use crate::error::ClientError;
use crate::limits::{REDIAL_CEILING, REDIAL_FIRST};

/// What the rest of the client sees of the dialer.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    /// The connection, while there is one.
    pub connection: Option<Arc<ProxyConnection>>,
    /// Why there is none, or why the last attempt failed.
    pub problem: Option<String>,
}

/// Dials until stopped. `upstream` always shows how it stands.
pub(crate) async fn keep_connected(
    context: Arc<Context>,
    identities: Arc<IdentityKeeper>,
    upstream: watch::Sender<Upstream>,
    stop: CancellationToken,
) {
    let connector = Connector::new(
        identities,
        context.trust.store(),
        context.trust.proxies(),
        context.clock.clone(),
    )
    .over(context.network.clone());
    let connector = context.trust.dialing(connector);
    let mut backoff = Backoff::new(REDIAL_FIRST, REDIAL_CEILING);
    let mut last_failed = None;
    loop {
        let attempt = stop
            .run_until_cancelled(connect(&context, &connector, &mut last_failed))
            .await;
        let problem = match attempt {
            None => return,
            Some(Ok(connection)) => {
                tracing::info!(proxy = %connection.proxy.contract, address = connection.address,
                    version = connection.version.to_wire(), "connected to a proxy");
                backoff.reset();
                let up = Upstream {
                    connection: Some(Arc::clone(&connection)),
                    problem: None,
                };
                upstream.send_replace(up);
                let ended = stop.run_until_cancelled(connection.closed()).await;
                let Some(reason) = ended else {
                    upstream.send_replace(Upstream {
                        connection: None,
                        problem: Some("stopping".into()),
                    });
                    connection.close().await;
                    return;
                };
                tracing::warn!(reason, "the connection to the proxy ended");
                reason
            }
            Some(Err(error)) => {
                tracing::warn!(%error, hint = error.hint(), "no connection to a proxy");
                error.to_string()
            }
        };
        upstream.send_replace(Upstream {
            connection: None,
            problem: Some(problem),
        });
        if stop.run_until_cancelled(backoff.wait()).await.is_none() {
            return;
        }
    }
}

async fn connect(
    context: &Context,
    connector: &Connector,
    last_failed: &mut Option<u32>,
) -> Result<Arc<ProxyConnection>, ClientError> {
    let (seqno, address) = choose(context, *last_failed)?;
    let result = connect_to(context, connector, seqno, address).await;
    *last_failed = result.is_err().then_some(seqno);
    result
}

async fn connect_to(
    context: &Context,
    connector: &Connector,
    seqno: u32,
    address: String,
) -> Result<Arc<ProxyConnection>, ClientError> {
    let socket = parse_endpoint(&address)?;
    let made = connector.connect(socket).await?;
    let (link, events) = Link::dial(made.stream, LinkConfig::default()).await?;
    let entry = address.clone();
    let is_listed = move |root: &RootView| root.data.proxies.get(&seqno).is_some_and(|p| p.clients == entry);
    let standing = Standing::of_proxy(context.root.clone(), &made.peer, is_listed);
    let connection = ProxyConnection::open(link, events, made.peer, made.session, address, context).await?;
    tokio::spawn(Arc::clone(&connection).keep_while(standing));
    Ok(connection)
}

/// A random proxy of the root contract; not the one that just failed if there is another.
fn choose(context: &Context, last_failed: Option<u32>) -> Result<(u32, String), ClientError> {
    let root = context.root();
    let all: Vec<(u32, &str)> = root
        .data
        .proxies
        .iter()
        .map(|(seqno, p)| (*seqno, p.clients.as_str()))
        .collect();
    let others: Vec<_> = all
        .iter()
        .copied()
        .filter(|(seqno, _)| Some(*seqno) != last_failed)
        .collect();
    let candidates = if others.is_empty() { &all } else { &others };
    let index = rand::random_range(0..candidates.len().max(1));
    candidates
        .get(index)
        .map(|(seqno, text)| (*seqno, (*text).to_owned()))
        .ok_or(ClientError::NoProxy)
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
