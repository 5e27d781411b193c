//! One replica: the secret once it is there, and the answers to questions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use cocoon_bindings::units::{ImageHash, PublicKey};
use cocoon_protocol::ErrorCode;
use cocoon_protocol::codec::encode;
use cocoon_protocol::key::{GetKey, GiveShare, Key, KeyRoot, ShareTaken};
use cocoon_protocol::message::KeyQuery;
use cocoon_ratls::Peer;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::gather::Gather;
use crate::http::Status;
use crate::policy::{NotAllowed, Policies};
use crate::sharefile::ShareFile;
use crate::{BackupConfig, KeyAsked, KeyManagerError, RootSecret, Start};

pub(crate) struct Replica {
    pub(crate) policies: Policies,
    pub(crate) is_simulated: bool,
    own_image: ImageHash,
    backup: Option<BackupConfig>,
    start: Start,
    held: OnceLock<Held>,
    /// Cancelled when the secret is there.
    ready: CancellationToken,
    gather: Option<Mutex<Gather>>,
    keys_given: AtomicU64,
    secrets_given: AtomicU64,
    refused: AtomicU64,
}

struct Held {
    secret: RootSecret,
    id: PublicKey,
    shares: OnceLock<Vec<ShareFile>>,
}

/// Who is at the other end: it decides what may be asked.
pub(crate) enum Asker<'a> {
    /// An image that was judged.
    Attested(&'a Peer),
    /// Anybody, while this replica waits for shares.
    Anybody,
}

/// Why a question is not answered, as the peer reads it.
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }
}

impl From<NotAllowed> for Refusal {
    fn from(reason: NotAllowed) -> Self {
        Self::new(ErrorCode::NotAllowed, reason)
    }
}

impl Replica {
    pub(crate) fn new(
        policies: Policies,
        own_image: ImageHash,
        is_simulated: bool,
        start: Start,
        id: Option<PublicKey>,
        backup: Option<BackupConfig>,
    ) -> Self {
        let gather = id.filter(|_| start == Start::Restore);
        Self {
            policies,
            is_simulated,
            own_image,
            backup,
            start,
            held: OnceLock::new(),
            ready: CancellationToken::new(),
            gather: gather.map(|id| Mutex::new(Gather::new(id))),
            keys_given: AtomicU64::new(0),
            secrets_given: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes the secret; the first one stays.
    pub(crate) fn adopt(&self, secret: RootSecret) -> Result<PublicKey, KeyManagerError> {
        let id = secret.id()?;
        let held = self.held.get_or_init(|| Held {
            secret,
            id,
            shares: OnceLock::new(),
        });
        self.ready.cancel();
        Ok(held.id)
    }

    /// Waits for the secret.
    pub(crate) async fn ready(&self) {
        self.ready.cancelled().await;
    }

    /// Public id of the secret, once it is there.
    pub(crate) fn id(&self) -> Option<PublicKey> {
        self.held.get().map(|held| held.id)
    }

    /// Whether owners may give shares now.
    pub(crate) fn awaits_shares(&self) -> bool {
        self.gather.is_some() && self.held.get().is_none()
    }

    /// The answer to one question, after the session was proven.
    pub(crate) fn answer(&self, asker: &Asker<'_>, question: &KeyQuery) -> Result<Bytes, Refusal> {
        let answer = match (question, asker) {
            (KeyQuery::GetKey(asked), Asker::Attested(peer)) => self.key(peer, asked),
            (KeyQuery::GetKeyRoot(_), Asker::Attested(peer)) => self.secret(peer),
            (KeyQuery::GiveShare(given), Asker::Anybody) => self.take_share(given),
            (KeyQuery::GetKey(_) | KeyQuery::GetKeyRoot(_), Asker::Anybody) => Err(self.not_ready()),
            (KeyQuery::GiveShare(_), Asker::Attested(_)) => {
                Err(Refusal::new(ErrorCode::NotAllowed, "this replica does not restore"))
            }
            _ => Err(Refusal::new(
                ErrorCode::ProtocolViolation,
                "the session is proven already",
            )),
        };
        if answer.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    fn not_ready(&self) -> Refusal {
        let message = match self.start {
            Start::Restore => "this replica waits for shares",
            Start::Join | Start::New => "this replica has no secret yet",
        };
        Refusal::new(ErrorCode::NotReady, message)
    }

    fn key(&self, peer: &Peer, asked: &GetKey) -> Result<Bytes, Refusal> {
        // Before the secret is asked for: a stranger learns nothing of this replica.
        self.policies.allow_key(peer, &asked.policy)?;
        let held = self.held.get().ok_or_else(|| self.not_ready())?;
        let name = KeyAsked {
            policy: &asked.policy,
            role: &asked.role,
            node: &asked.node,
            purpose: &asked.purpose,
            owner: &asked.owner,
        };
        let seed = held.secret.key(&name).map_err(|error| match error {
            KeyManagerError::Name { .. } => Refusal::new(ErrorCode::BadRequest, error),
            other => Refusal::new(ErrorCode::Failure, other),
        })?;
        self.keys_given.fetch_add(1, Ordering::Relaxed);
        tracing::info!(policy = asked.policy, role = asked.role, purpose = asked.purpose, image = ?peer.image_hash,
            simulated = peer.simulated, "a key was given");
        Ok(encode(&Key {
            manager: *held.id.as_bytes(),
            seed: *seed,
        }))
    }

    fn secret(&self, peer: &Peer) -> Result<Bytes, Refusal> {
        self.policies.allow_secret(peer)?;
        let held = self.held.get().ok_or_else(|| self.not_ready())?;
        self.secrets_given.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(image = ?peer.image_hash, leaf_key = %peer.leaf_key, simulated = peer.simulated,
            "another replica was given the secret");
        Ok(encode(&KeyRoot {
            secret: *held.secret.bytes(),
        }))
    }

    fn take_share(&self, given: &GiveShare) -> Result<Bytes, Refusal> {
        let gather = self.gather.as_ref().filter(|_| self.held.get().is_none());
        let gather = gather.ok_or_else(|| Refusal::new(ErrorCode::NotAllowed, "this replica does not restore"))?;
        let share = Zeroizing::new(given.share);
        let taken = {
            let mut gather = gather.lock().unwrap_or_else(PoisonError::into_inner);
            gather.take(&given.backup, given.index.into(), share)
        };
        let taken = taken.map_err(|error| Refusal::new(ErrorCode::WrongShare, error))?;
        tracing::warn!(
            index = given.index,
            have = taken.have,
            need = taken.need,
            "an owner gave a share"
        );
        if let Some(secret) = taken.secret {
            let id = self
                .adopt(secret)
                .map_err(|error| Refusal::new(ErrorCode::Failure, error))?;
            tracing::warn!(%id, "the key manager is restored");
        }
        let number = |count| i32::try_from(count).unwrap_or(i32::MAX);
        Ok(encode(&ShareTaken {
            have: number(taken.have),
            need: number(taken.need),
        }))
    }

    /// The sealed shares, made once; `None` until the secret is there, or without owners.
    pub(crate) fn shares(&self) -> Result<Option<&[ShareFile]>, KeyManagerError> {
        let (Some(held), Some(backup)) = (self.held.get(), &self.backup) else {
            return Ok(None);
        };
        if let Some(shares) = held.shares.get() {
            return Ok(Some(shares));
        }
        let made = ShareFile::make_all(&held.secret, backup.threshold, &backup.keys(), self.is_simulated)?;
        Ok(Some(held.shares.get_or_init(|| made)))
    }

    pub(crate) fn status(&self) -> Status {
        let state = match (self.id(), self.start) {
            (Some(_), _) => "ready",
            (None, Start::Restore) => "waiting for shares",
            (None, Start::Join | Start::New) => "waiting for another replica",
        };
        Status {
            state: state.to_owned(),
            id: self.id(),
            image: self.own_image,
            simulated: self.is_simulated,
            has_backup: self.backup.is_some(),
            keys_given: self.keys_given.load(Ordering::Relaxed),
            secrets_given: self.secrets_given.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
