//! What comes before serving: the store, the contract, the channels, and the comparison with the chain.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::{Params, proxy_state_init};
use cocoon_chain::{ChainError, ProxyAccount, Retry, SharedChain};
use cocoon_runner::{NotDone, off_thread};
use cocoon_store::{ProxyStore, Recovered, SharedDisk};
use tokio::time::Instant;

use crate::anchor::Anchored;
use crate::commit::{CURSORS, Committer, Cursor, OLD_CURSOR};
use crate::config::ProxyConfig;
use crate::error::ProxyError;
use crate::instance::{Instance, Instances, StoredInstance};
use crate::limits::{AWAITED_POLL, DEPLOY_VALUE, FIRST_COMMIT_TIMEOUT, START_ATTEMPTS};
use crate::state::Proxy;
use crate::{anchor, challenge, contracts, winding};

/// Everything that comes before serving: the contract, the channels, and the comparison with the chain.
pub(crate) async fn begin(proxy: &Arc<Proxy>, committer: &Committer, root_params: &Params) -> Result<(), ProxyError> {
    if let Some(publication) = &proxy.publication {
        publication.begin(proxy).await?;
    }
    let current = proxy.on_chain();
    winding::remember(proxy).await?;
    deploy(proxy, &current, root_params).await?;
    for old in proxy.instances.old() {
        winding::retire(proxy, &old).await?;
    }
    contracts::refresh_all(proxy).await?;
    anchor::check(proxy).await?;
    committer.begin(&current.contract).await
}

/// What the store held.
pub(crate) struct Opened {
    pub(crate) store: ProxyStore,
    pub(crate) recovered: Recovered,
    pub(crate) blinding: [u8; 32],
    pub(crate) cursors: Vec<Cursor>,
    pub(crate) instances: Vec<StoredInstance>,
    pub(crate) anchored: Anchored,
    pub(crate) challenges: challenge::State,
}

/// Opens the store off the async threads: it reads the whole log.
pub(crate) async fn open_store(config: &ProxyConfig, disk: SharedDisk) -> Result<Opened, ProxyError> {
    let folder = config.store_dir.clone();
    let open = move || -> Result<Opened, ProxyError> {
        let (store, recovered) = ProxyStore::open_on(disk, &folder)?;
        let blinding = match store.state::<[u8; 32]>("blinding")? {
            Some(secret) => secret,
            None => {
                let secret: [u8; 32] = rand::random();
                store.put_state("blinding", &secret)?;
                secret
            }
        };
        let cursors = match store.state::<Vec<Cursor>>(CURSORS)? {
            Some(cursors) => cursors,
            None => store.state::<Cursor>(OLD_CURSOR)?.into_iter().collect(),
        };
        let instances = store.state(winding::INSTANCES)?.unwrap_or_default();
        let (anchored, is_new) = Anchored::marked(store.state(anchor::ANCHOR)?);
        if is_new {
            // Durable before the first checkpoint is signed: from now on an earlier version must not start here.
            store.put_state(anchor::ANCHOR, &anchored)?;
        }
        Ok(Opened {
            recovered,
            blinding,
            cursors,
            instances,
            anchored,
            challenges: store.state(challenge::CHALLENGES)?.unwrap_or_default(),
            store,
        })
    };
    let ended = |error: NotDone| ProxyError::WriterStopped {
        reason: error.to_string(),
    };
    off_thread(open).await.map_err(ended)?
}

/// Makes sure that wallet and contract are there and that the contract is ours and open. `root_params` are the parameters
/// with every code.
pub(crate) async fn deploy(proxy: &Proxy, instance: &Instance, root_params: &Params) -> Result<(), ProxyError> {
    patiently(|| proxy.wallet.ensure_deployed()).await?;
    let contract = &instance.contract;
    let wrong = |reason| ProxyError::Contract {
        contract: contract.clone(),
        reason,
    };
    if !proxy.chain.account(contract).await?.is_active() {
        let state_init = proxy_state_init(&instance.owner, &instance.public_key, &instance.root, root_params)?;
        if state_init.address()? != *contract {
            return Err(wrong("is not of the root contract's parameters and is not deployed"));
        }
        let note = cocoon_bindings::types::DoNotProcess {
            query_id: cocoon_bindings::QueryId::new(rand::random()),
            note: Default::default(),
        };
        let body = cocoon_bindings::ton::to_cell(&note)
            .map_err(|source| ChainError::Build(cocoon_bindings::BindingsError::layout("a note")(source)))?;
        let (to, state_init) = (contract.clone(), Some(state_init));
        let message = InternalMessage {
            to,
            value: DEPLOY_VALUE,
            bounce: false,
            body,
            state_init,
        };
        proxy.wallet.send(vec![message]).await?;
        let started = Instant::now();
        while !proxy.chain.account(contract).await?.is_active() {
            if started.elapsed() > FIRST_COMMIT_TIMEOUT {
                return Err(wrong("was not deployed in time"));
            }
            tokio::time::sleep(AWAITED_POLL).await;
        }
    }
    let account = ProxyAccount::fetch(proxy.chain.as_ref(), contract).await?;
    if account.proxy_public_key != instance.public_key || account.root != instance.root {
        return Err(wrong("holds another key or root contract"));
    }
    if account.state != cocoon_bindings::types::Lifecycle::Normal {
        return Err(wrong("is closing or closed"));
    }
    Ok(())
}

/// The instances that the store kept, with the newest one.
pub(crate) async fn instances_of(
    kept: Vec<StoredInstance>,
    cursors: &[Cursor],
    newest: Instance,
    chain: &SharedChain,
) -> Result<Instances, ProxyError> {
    let mut stored = Vec::new();
    for instance in kept {
        stored.push(Instance::read(instance, &newest.root, newest.public_key)?);
    }
    // A store from before instances were kept: its contract says what its terms were.
    for cursor in cursors {
        let is_known = stored
            .iter()
            .chain([&newest])
            .any(|known| known.contract == cursor.contract);
        if !is_known {
            let contract = cursor.contract.clone();
            let account = patiently(|| ProxyAccount::fetch(chain.as_ref(), &contract)).await?;
            stored.push(newest.with_terms(contract, account.owner.clone(), account.params.clone()));
        }
    }
    Ok(Instances::restore(newest, stored))
}

/// Asks the chain again when it may help: at start other processes are starting too.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, ChainError>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, ChainError> {
    let mut attempt = 1;
    loop {
        match ask().await {
            Err(error) if attempt < START_ATTEMPTS && error.retry() != Retry::Never => {
                tracing::info!(%error, "asking the chain again");
                tokio::time::sleep(Duration::from_millis(300 << attempt)).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}
