//! From the root contract's list to a serving connection, again and again.

use crate::balance::{Balance, Channel};
use crate::error::WorkerError;
use crate::limits::{DIAL_TIMEOUT, RECONNECT};
use crate::session::{Session, Told};
use crate::signing::{Parties, SignDesk};
use crate::worker::Worker;
use bytes::Bytes;
use cocoon_bindings::ton::{Address, friendly, parse_address};
use cocoon_bindings::units::{Coefficient, PublicKey};
use cocoon_bindings::{proxy_state_init, worker_state_init};
use cocoon_chain::RootView;
use cocoon_protocol::Version;
use cocoon_protocol::extension::Proof;
use cocoon_protocol::handshake::{ProxyIdentity, WorkerConnected, WorkerConnecting, WorkerFinishing, WorkerOffer};
use cocoon_protocol::limits::HANDSHAKE_TIMEOUT;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{Connection, Connector, Identity, SessionBinding};
use cocoon_runner::Retry;
use cocoon_runner::backoff::Backoff;
use cocoon_runner::choice::{Choice, Choices};
use cocoon_runner::link::{Link, LinkConfig, LinkHandle, OpenLink, prove_session};
use cocoon_runner::off_thread;
use cocoon_runner::standing::Standing;
use cocoon_runner::trust::Trust;
use cocoon_runner::wear::Wear;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// How connections are made.
#[derive(Clone)]
pub(crate) struct Dialing {
    pub(crate) connector: Connector,
    pub(crate) trust: Trust,
    /// Takes the failure that ends the worker.
    pub(crate) fatal: mpsc::Sender<WorkerError>,
}

/// What one connection is made with.
pub(crate) struct TlsSession {
    pub(crate) identity: Arc<Identity>,
    /// What can be proven of it.
    pub(crate) binding: Option<SessionBinding>,
    /// What is offered on it.
    pub(crate) versions: VersionRange,
    /// Its certificates.
    pub(crate) wear: Option<Wear>,
}

/// Keeps one connection to some proxy, until the worker's own disk fails: a database that met an error of the disk takes
/// nothing more until it is opened again.
pub(crate) async fn keep_connected(worker: Arc<Worker>, dialing: Dialing, choices: Choices) {
    let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1);
    let (mut choice, mut last): (Option<Choice>, _) = (None, None);
    loop {
        let root = worker.root.borrow().clone();
        let listed = root.data.proxies.keys().copied();
        let kept = choice.take().filter(|held| address(&root, held.seqno()).is_some());
        let held = kept.or_else(|| choices.choose(listed, last));
        if let Some(mut held) = held
            && let Some(address) = address(&root, held.seqno())
        {
            last = Some(held.seqno());
            let mut has_served = false;
            let outcome = connect(&worker, &dialing, (held.seqno(), address), || {
                has_served = true;
                backoff.reset();
            })
            .await;
            let retry = match outcome {
                Ok(reason) => {
                    tracing::info!(%address, %reason, "connection to the proxy has ended");
                    Retry::SamePeer
                }
                Err(error @ WorkerError::Store(_)) => {
                    tracing::error!(%error, hint = error.hint(), "the store failed: the worker stops");
                    // A full queue already holds an earlier failure.
                    let _ = dialing.fatal.try_send(error);
                    return;
                }
                Err(error) => {
                    tracing::warn!(%address, %error, hint = error.hint(), "no connection to the proxy");
                    error.retry()
                }
            };
            if has_served {
                held.serves();
            }
            choice = held.is_kept(retry).then_some(held);
        }
        backoff.wait().await;
    }
}

fn address(root: &RootView, seqno: u32) -> Option<&str> {
    root.data
        .proxies
        .get(&seqno)
        .map(|endpoints| endpoints.workers.as_str())
}

/// Connects, shakes hands and serves until the connection ends, or until the root contract revokes the proxy.
async fn connect(
    worker: &Arc<Worker>,
    dialing: &Dialing,
    (seqno, listed): (u32, &str),
    on_ready: impl FnOnce(),
) -> Result<String, WorkerError> {
    let dial = tokio::time::timeout(DIAL_TIMEOUT, dialing.connector.connect(listed));
    let Connection {
        stream,
        peer,
        identity,
        session,
    } = dial.await.map_err(|_| WorkerError::Timeout { what: "dialing" })??;
    let link = Link::dial(stream, LinkConfig::default()).await?;
    tracing::debug!(address = listed, image = ?peer.image_hash, "connected");
    let entry = listed.to_owned();
    let is_listed = move |root: &RootView| address(root, seqno) == Some(entry.as_str());
    let mut standing = Standing::of_proxy(worker.root.clone(), &peer, is_listed);
    let wear = Wear::new(worker.clock.clone(), [peer.not_after, Some(identity.expires_at())]);
    let handle = link.0.clone();
    let session = TlsSession {
        identity,
        versions: dialing.trust.versions(VersionRange::OFFERED, session.is_some()),
        binding: session,
        wear: Some(wear),
    };
    tokio::select! {
        biased;
        revoked = standing.revoked() => {
            tracing::warn!(address = listed, image = ?peer.image_hash, %revoked, "proxy dropped");
            handle.revoke(revoked);
            Ok(handle.closed().await.to_string())
        }
        served = serve_link(worker, link, session, on_ready) => served,
    }
}

/// Shakes hands on an open link and serves until it ends; says why it ended.
pub(crate) async fn serve_link(
    worker: &Arc<Worker>,
    (link, events): OpenLink,
    session: TlsSession,
    on_ready: impl FnOnce(),
) -> Result<String, WorkerError> {
    let root = worker.root.borrow().clone();
    let told = Told {
        is_disabled: worker.switch.state().is_disabled(),
        coefficient: *worker.coefficient().borrow(),
    };
    let (proxy, balance) = shake_hands(worker, &root, &link, &session, told).await?;
    tracing::info!(proxy = %proxy.contract_address, version = ?proxy.version, "serving a proxy");
    on_ready();
    let parties = Parties {
        root: root.address.clone(),
        params_version: root.params.params_version,
        model: worker.model.model_hash(),
    };
    let desk = SignDesk::new(parties, balance, session.identity);
    let session = Session {
        worker: worker.clone(),
        link,
        version: proxy.version,
        multipliers: root.params.multipliers,
        price: root.params.price_per_token,
        desk: Arc::new(Mutex::new(desk)),
        told,
        // Nothing names certificates at deployed proxies, and when those renew theirs is not known.
        wear: session.wear.filter(|_| proxy.version.has_extensions()),
    };
    Ok(session.serve(events).await?.to_string())
}

/// The questions of the handshake.
async fn shake_hands(
    worker: &Arc<Worker>,
    root: &RootView,
    link: &LinkHandle,
    session: &TlsSession,
    told: Told,
) -> Result<(ProxyIdentity, Balance), WorkerError> {
    let ask = |question: Bytes| link.query(question, HANDSHAKE_TIMEOUT);
    let (connecting, question) = WorkerConnecting::start(offer(worker, root, session.versions, told.coefficient));
    let step = connecting.connected(&ask(question).await?)?;
    let binding = session.binding.as_ref();
    let connected = prove_session::<_, WorkerError>(link, step, binding, Role::Worker).await?;
    let proxy = connected.proxy.clone();
    let channel = channel(worker, root, &connected)?;
    let opening = worker.clone();
    let open = off_thread(move || opening.balance(channel));
    let balance = open.await.map_err(|_| WorkerError::Task)??;

    let (comparing, question) = connected.compare(balance.known_to(proxy.version));
    let comparing = match proof(&balance, proxy.version).await? {
        Some(proof) => comparing.with_proof(&proof),
        None => comparing,
    };
    let finishing = match comparing.compared(&ask(question).await?)? {
        Ok(finishing) => finishing,
        Err((extending, question)) => extending.extended(&ask(question).await?)?,
    };
    let WorkerFinishing {
        signed_payment,
        tokens_committed_to_db,
        max_tokens,
    } = &finishing;
    let (payment, db, max) = (signed_payment.clone(), *tokens_committed_to_db, *max_tokens);
    let beginning = balance.clone();
    let begin = off_thread(move || beginning.begin(&payment, db, max));
    begin.await.map_err(|_| WorkerError::Task)??;

    let (completing, question) = finishing.complete(told.is_disabled);
    completing.completed(&ask(question).await?)?;
    Ok((proxy, balance))
}

/// What the proxy is shown if it knows less than we do; a deployed one expects nothing there.
async fn proof(balance: &Balance, version: Version) -> Result<Option<Proof>, WorkerError> {
    if !version.has_extensions() {
        return Ok(None);
    }
    let balance = balance.clone();
    let read = off_thread(move || balance.proof());
    Ok(read.await.map_err(|_| WorkerError::Task)??)
}

fn offer(worker: &Worker, root: &RootView, versions: VersionRange, coefficient: Coefficient) -> WorkerOffer {
    WorkerOffer {
        owner_address: friendly(&worker.owner, false, root.is_test()),
        model: worker.model.to_string(),
        coefficient: i32::try_from(coefficient.get()).unwrap_or(i32::MAX),
        is_test: root.is_test(),
        proxy_cnt: i32::try_from(worker.proxy_connections).unwrap_or(1),
        max_active_requests: i32::try_from(worker.max_active_requests).unwrap_or(i32::MAX),
        versions,
    }
}

/// Computes both contracts from the root contract's parameters; the proxy must name the same.
fn channel(worker: &Worker, root: &RootView, connected: &WorkerConnected) -> Result<Channel, WorkerError> {
    let ProxyIdentity {
        public_key,
        owner_address,
        contract_address,
        ..
    } = &connected.proxy;
    let proxy_key = PublicKey::new(*public_key);
    let address = |text: &str, which| parse_address(text).map_err(|_| WorkerError::ForeignContract { which });
    let owner = address(owner_address, "proxy")?;
    let proxy = proxy_state_init(&owner, &proxy_key, &root.address, &root.params)?.address()?;
    same(&proxy, &address(contract_address, "proxy")?, "proxy")?;
    let own = worker_state_init(&worker.owner, &proxy, &proxy_key, &root.params)?.address()?;
    same(&own, &address(&connected.worker_contract_address, "worker")?, "worker")?;
    Ok(Channel {
        proxy,
        worker: own,
        proxy_key,
    })
}

fn same(computed: &Address, named: &Address, which: &'static str) -> Result<(), WorkerError> {
    if computed == named {
        Ok(())
    } else {
        Err(WorkerError::ForeignContract { which })
    }
}
