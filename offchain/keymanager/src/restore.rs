//! The owner's side of a restore: opens the own shares and gives them to a replica whose image is believed. The secret comes
//! together there and nowhere else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cocoon_bindings::units::{ImageHash, PublicKey};
use cocoon_protocol::codec::decode;
use cocoon_protocol::key::{GiveShare, ShareTaken};
use cocoon_protocol::message::KeyQuery;
use cocoon_ratls::{Connector, IdentityKeeper, NoEvidence, PeerPolicy, SystemClock, TrustStore};
use cocoon_runner::config::{AttestationConfig, ChainConfig, NamesFiles};
use cocoon_runner::seal::{KeyLink, SealError};
use cocoon_runner::trust::Trust;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::shamir::Block;
use crate::start::watch;
use crate::{Backup, BackupProblem, KeyManagerError, OwnerKey, ShareFile};

/// What an owner's machine is told. TOML; unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerConfig {
    /// Image hashes of key managers that may see shares.
    pub images: Vec<ImageHash>,
    /// The chain and the root contract, which says whether the network is a test.
    pub chain: ChainConfig,
    /// How the replica is believed.
    #[serde(default)]
    pub attestation: AttestationConfig,
}

/// What became of the shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Public id of the key manager.
    pub id: PublicKey,
    /// Image of the replica.
    pub image: Option<ImageHash>,
    /// Whether the replica's platform is SIMULATED.
    pub simulated: bool,
    /// Shares that it has now.
    pub have: i32,
    /// Shares that it needs.
    pub need: i32,
}

impl NamesFiles for OwnerConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let chain = self.chain.files_mut().into_iter();
        chain.chain(self.attestation.files_mut()).collect()
    }
}

impl OwnerConfig {
    /// Reads a file; paths inside are taken relative to it.
    pub fn load(path: &Path) -> Result<Self, KeyManagerError> {
        Ok(cocoon_runner::config::load(path)?)
    }

    /// Opens the shares and gives them to the replica at `to` (`host:port`).
    pub fn give<'a>(
        &'a self,
        to: &'a str,
        files: &'a [ShareFile],
        keys: &'a [OwnerKey],
    ) -> BoxFuture<'a, Result<Given, KeyManagerError>> {
        Box::pin(self.give_here(to, files, keys))
    }

    async fn give_here(&self, to: &str, files: &[ShareFile], keys: &[OwnerKey]) -> Result<Given, KeyManagerError> {
        // Mistakes on this machine are told before anybody is connected.
        let shares = open_all(files, keys)?;
        let root = watch(&self.chain).await?;
        let trust = Trust::load(&self.attestation, root, SystemClock::shared())?;
        give_opened(to, shares, trust.store(), &self.images).await
    }
}

/// The same with given trust: opens `files` with `keys` and gives the shares to the replica at `to`, if its image is one of
/// `images`.
pub fn give_shares<'a>(
    to: &'a str,
    files: &'a [ShareFile],
    keys: &'a [OwnerKey],
    trust: Arc<TrustStore>,
    images: &'a [ImageHash],
) -> BoxFuture<'a, Result<Given, KeyManagerError>> {
    Box::pin(give_all(to, files, keys, trust, images))
}

async fn give_all(
    to: &str,
    files: &[ShareFile],
    keys: &[OwnerKey],
    trust: Arc<TrustStore>,
    images: &[ImageHash],
) -> Result<Given, KeyManagerError> {
    give_opened(to, open_all(files, keys)?, trust, images).await
}

type Opened = (Backup, u8, Block);

/// Every share with its owner's key; all must be of one backup.
fn open_all(files: &[ShareFile], keys: &[OwnerKey]) -> Result<Vec<Opened>, KeyManagerError> {
    let mut opened: Vec<Opened> = Vec::with_capacity(files.len());
    for file in files {
        let key = keys.iter().find(|key| key.public() == file.owner);
        let key = key.ok_or(KeyManagerError::OtherOwner {
            index: file.index,
            owner: file.owner,
        })?;
        let (backup, share) = file.open(key)?;
        if opened.first().is_some_and(|(first, ..)| *first != backup) {
            return Err(BackupProblem::OtherBackup.into());
        }
        opened.push((backup, file.index, share));
    }
    Ok(opened)
}

async fn give_opened(
    to: &str,
    shares: Vec<Opened>,
    trust: Arc<TrustStore>,
    images: &[ImageHash],
) -> Result<Given, KeyManagerError> {
    let none = KeyManagerError::Setting {
        key: "share",
        problem: "must be given at least once",
    };
    let id = shares.first().ok_or(none)?.0.id;
    let clock = SystemClock::shared();
    let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), Arc::clone(&clock))?);
    let images = images.to_vec();
    let policy = PeerPolicy::attested(move |image| images.contains(image));
    let connector = Connector::new(identities, trust, policy, clock);
    let link = KeyLink::open(&connector, to).await.map_err(KeyManagerError::Replica)?;
    let mut last = ShareTaken { have: 0, need: 0 };
    for (backup, index, share) in shares {
        let question = KeyQuery::from(GiveShare {
            backup: Bytes::from(backup.to_bytes()),
            index: index.into(),
            share: *share,
        });
        let answer = link.ask(&question).await.map_err(KeyManagerError::Replica)?;
        last = decode(&answer).map_err(|error| KeyManagerError::Replica(SealError::Malformed(error)))?;
        if last.have >= last.need {
            break;
        }
    }
    let peer = link.peer().clone();
    link.close().await;
    Ok(Given {
        id,
        image: peer.image_hash,
        simulated: peer.simulated,
        have: last.have,
        need: last.need,
    })
}
