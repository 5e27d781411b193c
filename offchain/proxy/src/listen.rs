//! The two ports that peers connect to: proof of work, TLS, and then a task per connection.

use std::sync::Arc;
use std::time::Duration;

use cocoon_ratls::{Acceptor, Connection, Listener, Wire};
use cocoon_runner::limits::{FLUSH_TIMEOUT, MAX_UNVERIFIED_OF_NETWORK};
use cocoon_runner::link::{Link, LinkConfig, LinkHandle};
use cocoon_runner::off_thread;
use cocoon_runner::places::Places;
use tokio::sync::Semaphore;

use crate::limits::{MAX_CLIENT_CONNECTIONS, MAX_UNVERIFIED_CONNECTIONS, MAX_WORKER_CONNECTIONS};
use crate::state::Proxy;
use crate::{client, worker};

/// Which kind of peer a port is for: the port alone decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Worker,
}

/// Accepts connections until the daemon stops.
pub(crate) async fn run(proxy: Arc<Proxy>, mut listener: Listener, acceptor: Acceptor, role: Role) {
    let unverified = Places::new(MAX_UNVERIFIED_CONNECTIONS, MAX_UNVERIFIED_OF_NETWORK);
    let serving = Arc::new(Semaphore::new(match role {
        Role::Client => MAX_CLIENT_CONNECTIONS,
        Role::Worker => MAX_WORKER_CONNECTIONS,
    }));
    loop {
        let (tcp, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually too many open files: it passes when connections end.
                tracing::warn!(%error, ?role, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let (Some(unverified), Ok(serving)) = (unverified.take(from.ip()), Arc::clone(&serving).try_acquire_owned())
        else {
            tracing::warn!(?role, "too many connections: one is turned away");
            continue;
        };
        let (proxy, acceptor) = (Arc::clone(&proxy), acceptor.clone());
        proxy.shutdown.clone().spawn(async move {
            // The connection lives until the drain is over: running requests end on it.
            // Boxed: what the handshakes need is much more than what a connection needs that only waits.
            let opened = Box::pin(open(&proxy, &acceptor, tcp)).await;
            drop(unverified);
            if let Some(connection) = opened {
                serve(proxy, connection, role).await;
            }
            drop(serving);
        });
    }
}

async fn open(proxy: &Proxy, acceptor: &Acceptor, tcp: Wire) -> Option<Connection> {
    let accepted = proxy.shutdown.token().run_until_cancelled(acceptor.accept(tcp)).await?;
    accepted
        .inspect_err(|error| tracing::info!(%error, "a connection was refused"))
        .ok()
}

async fn serve(proxy: Arc<Proxy>, connection: Connection, role: Role) {
    let Connection {
        stream,
        peer,
        identity,
        session,
    } = connection;
    let opened = proxy
        .shutdown
        .token()
        .run_until_cancelled(Link::accept(stream, LinkConfig::default()))
        .await;
    let Some(Ok((link, events))) = opened else { return };
    let certificates = match role {
        Role::Client => vec![identity.certificate_der().to_vec()],
        Role::Worker => vec![identity.certificate_der().to_vec(), peer.certificate.clone()],
    };
    if !keep_evidence(&proxy, certificates).await {
        link.close().await;
        return;
    }
    let closer = {
        let (proxy, link) = (Arc::clone(&proxy), link.clone());
        // Who comes while the proxy recovers is refused by the handshake, with the reason, and not cut off here.
        let is_recovering = proxy.recovery.found().is_cancelled();
        tokio::spawn(async move {
            tokio::select! {
                () = proxy.drained.cancelled() => {}
                () = proxy.recovery.found().cancelled(), if !is_recovering => {}
            }
            link.close().await;
        })
    };
    match role {
        Role::Client => client::serve(proxy, (link, events), session, identity.evidence_hash().into()).await,
        Role::Worker => worker::serve(proxy, (link, events), session, peer).await,
    }
    closer.abort();
}

/// Keeps the certificates that receipts will name, before any receipt can name them.
pub(crate) async fn keep_evidence(proxy: &Proxy, certificates: Vec<Vec<u8>>) -> bool {
    let folder = proxy.books.reader().evidence().clone();
    let keep = move || {
        certificates
            .iter()
            .try_for_each(|certificate| folder.put(certificate).map(drop))
    };
    match off_thread(keep).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "evidence cannot be kept: the connection is closed");
            false
        }
        Err(_) => false,
    }
}

/// Closes a link and waits until what was queued before is on its way. The caller holds the link's events until then:
/// without a reader of events a link ends at once, and a refusal might be lost.
pub(crate) async fn close(link: &LinkHandle) {
    link.close().await;
    // A link whose peer takes nothing is given up by itself.
    let _ = tokio::time::timeout(FLUSH_TIMEOUT, link.closed()).await;
}
