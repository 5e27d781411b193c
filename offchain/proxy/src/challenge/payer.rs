//! The client that pays for challenges: an ordinary client contract, spoken for by the proxy itself.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::ClientAccount;
use cocoon_ledger::ContractState;
use cocoon_protocol::Version;
use cocoon_ratls::IdentityKeeper;
use cocoon_runner::link::{Link, LinkConfig, LinkEvent};
use tokio::time::Instant;

use crate::client::ClientPeer;
use crate::contracts;
use crate::instance::Instance;
use crate::limits::{CHALLENGE_PIPE_BYTES, PAYER_RETRY};
use crate::listen::keep_evidence;
use crate::state::Proxy;

/// The payer, once its contract was read.
pub(super) struct Payer {
    identities: Arc<IdentityKeeper>,
    client: Option<Arc<ClientPeer>>,
    /// When the contract was looked for without success.
    failed: Option<Instant>,
}

impl Payer {
    pub(super) fn new(identities: Arc<IdentityKeeper>) -> Self {
        Self {
            identities,
            client: None,
            failed: None,
        }
    }

    /// The client, of the contract that serves now. `None` when it has none that is open.
    pub(super) async fn client(&mut self, proxy: &Arc<Proxy>) -> Option<Arc<ClientPeer>> {
        let evidence = HashBytes(self.identities.peek().evidence_hash());
        if let Some(client) = &self.client {
            let is_current = !client.instance.is_retired() && !client.link.is_closed() && client.evidence == evidence;
            if is_current {
                return Some(Arc::clone(client));
            }
            proxy.clients.remove(client.id);
            client.link.close().await;
            self.client = None;
        }
        if self.failed.is_some_and(|at| at.elapsed() < PAYER_RETRY) {
            return None;
        }
        self.client = self.open(proxy).await;
        self.failed = self.client.is_none().then(Instant::now);
        self.client.clone()
    }

    async fn open(&self, proxy: &Arc<Proxy>) -> Option<Arc<ClientPeer>> {
        let owner = proxy.config.challenge.payer()?;
        let instance = proxy.on_chain();
        let contract = instance.client_contract(&owner).ok()?;
        if let Err(reason) = know(proxy, &instance, &owner, &contract).await {
            tracing::warn!(%contract, reason, "nobody pays for challenges");
            return None;
        }
        let identity = self.identities.current().ok()?;
        if !keep_evidence(proxy, vec![identity.certificate_der().to_vec()]).await {
            return None;
        }
        let (near, far) = tokio::io::duplex(CHALLENGE_PIPE_BYTES);
        let (ours, theirs) = tokio::join!(
            Link::accept(near, LinkConfig::default()),
            Link::dial(far, LinkConfig::default())
        );
        let ((link, mut questions), (answers, mut events)) = (ours.ok()?, theirs.ok()?);
        // Nobody asks anything, and what is answered was taken on its way.
        proxy.shutdown.spawn(async move {
            let _open = answers;
            loop {
                tokio::select! {
                    event = events.recv() => if matches!(event, None | Some(LinkEvent::Closed(_))) { return },
                    question = questions.recv() => if matches!(question, None | Some(LinkEvent::Closed(_))) { return },
                }
            }
        });
        let evidence = HashBytes(identity.evidence_hash());
        let client = ClientPeer::open(proxy, instance, contract, Version::V3, evidence, link.clone());
        let (proxy, id) = (Arc::clone(proxy), client.id);
        proxy.shutdown.clone().spawn(async move {
            tokio::select! {
                () = proxy.drained.cancelled() => {}
                _ = link.closed() => {}
            }
            link.close().await;
            // Among the clients it would hold the proxy, and that it.
            proxy.clients.remove(id);
        });
        Some(client)
    }
}

/// Has the ledger know the contract, as when a client connects.
async fn know(proxy: &Proxy, instance: &Instance, owner: &Address, contract: &Address) -> Result<(), &'static str> {
    let account = ClientAccount::fetch(proxy.chain.as_ref(), contract).await;
    let account = account.map_err(|_| "its contract is not there, or cannot be read")?;
    if account.constants.owner != *owner {
        return Err("its contract is of another owner");
    }
    let seen = contracts::client_state(&account);
    if seen.state != ContractState::Normal {
        return Err("its contract is closing or closed");
    }
    let durable = contracts::see_client(proxy, instance, owner, contract, seen).map_err(|error| {
        proxy.fail(error);
        "the proxy stops"
    })?;
    let known = tokio::time::timeout(Duration::from_secs(10), durable).await;
    known.ok().and_then(Result::ok).ok_or("it could not be written down")
}
