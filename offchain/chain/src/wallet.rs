//! The runner's wallet: sends messages in order, each once.

mod delivery;

use std::fmt;

use cocoon_bindings::message::{
    DO_NOT_PROCESS, InternalMessage, MAX_WALLET_MESSAGES, SEND_IGNORE_ERRORS, SEND_PAY_FEES_SEPARATELY, wallet_external,
};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, Load as _};
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::wallet::WalletStorage;
use cocoon_bindings::wallets::WalletKind;
use cocoon_bindings::{BindingsError, StateInit, wallet_state_init};
use ed25519_dalek::SigningKey;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use self::delivery::{SignedMessage, wallet_seqno};
use crate::ChainError;
use crate::client::{SharedChain, Transaction};
use crate::limits::{INCLUSION_POLL, MESSAGE_LIFETIME, WALLET_RESERVE};

/// Subwallet id of every runner's wallet.
const SUBWALLET: u32 = 0;

/// A runner's wallet at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalletView {
    /// What it holds.
    pub balance: Nanoton,
    /// Messages that it has sent; 0 before it is deployed.
    pub seqno: u32,
    /// The chain's time of this view, seconds since 1970.
    pub time: u32,
}

/// A wallet contract whose key is ours. Its owner, another address, stays in control of the money.
pub struct NodeWallet {
    chain: SharedChain,
    key: SigningKey,
    state_init: StateInit,
    address: Address,
    /// The seqno that the next message must have at least, once we know. Held while a message is under way, so that
    /// messages go out one after the other.
    turn: Mutex<u32>,
}

impl NodeWallet {
    /// The wallet of a key and an owner. Its address follows from them; nothing is sent.
    pub fn new(chain: SharedChain, key: SigningKey, owner: Address) -> Result<Self, ChainError> {
        let state_init = wallet_state_init(&PublicKey::from(&key), &owner)?;
        let address = state_init.address()?;
        Ok(Self {
            chain,
            key,
            state_init,
            address,
            turn: Mutex::new(0),
        })
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it holds.
    pub async fn balance(&self) -> Result<Nanoton, ChainError> {
        Ok(self.chain.account(&self.address).await?.balance)
    }

    /// What is seen of it on chain, for statistics.
    pub async fn look(&self) -> Result<WalletView, ChainError> {
        let account = self.chain.account(&self.address).await?;
        let seqno = account.data.as_ref().and_then(|data| {
            let mut slice = data.as_ref().as_slice().ok()?;
            WalletStorage::load_from(&mut slice).ok().map(|storage| storage.seqno)
        });
        Ok(WalletView {
            balance: account.balance,
            seqno: seqno.unwrap_or(0),
            time: account.time,
        })
    }

    /// Whether a message of it is under way; there is never more than one.
    pub fn is_sending(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    /// Deploys the wallet unless it is there already.
    pub async fn ensure_deployed(&self) -> Result<(), ChainError> {
        if self.chain.account(&self.address).await?.is_active() {
            return Ok(());
        }
        // The wallet sends at least one message; this one it ignores itself.
        let body = note().map_err(BindingsError::layout("a note"))?;
        let (to, value) = (self.address.clone(), Nanoton::new(1));
        self.send(vec![InternalMessage {
            to,
            value,
            bounce: false,
            body,
            state_init: None,
        }])
        .await
        .map(drop)
    }

    /// Sends up to four messages in one external message and waits until the wallet has executed it.
    ///
    /// The transaction of the wallet is returned. After an error that says [`crate::Retry::Later`] nothing was sent and nothing
    /// will be: sending again is safe.
    pub async fn send(&self, messages: Vec<InternalMessage>) -> Result<Transaction, ChainError> {
        if messages.is_empty() || messages.len() > MAX_WALLET_MESSAGES {
            return Err(ChainError::TooManyMessages {
                given: messages.len(),
                limit: MAX_WALLET_MESSAGES,
            });
        }
        let mut turn = self.turn.lock().await;
        let account = self.chain.account(&self.address).await?;
        if account.balance < WALLET_RESERVE {
            let wallet = self.address.clone();
            return Err(ChainError::WalletBalance {
                wallet,
                balance: account.balance,
                needed: WALLET_RESERVE,
            });
        }
        let seqno = self.seqno_from(*turn).await?;
        let deploy = (!account.is_active()).then_some(&self.state_init);
        let lifetime = u32::try_from(MESSAGE_LIFETIME.as_secs()).unwrap_or(u32::MAX);
        let valid_until = self.chain.now().await?.saturating_add(lifetime);
        let asked = messages.len();
        let mode = SEND_PAY_FEES_SEPARATELY | SEND_IGNORE_ERRORS;
        let messages: Vec<_> = messages.into_iter().map(|message| (mode, message)).collect();
        let cell = wallet_external(
            &self.address,
            seqno,
            valid_until,
            SUBWALLET,
            &messages,
            &self.key,
            deploy,
        )?;
        let message = SignedMessage {
            wallet: self.address.clone(),
            kind: WalletKind::Node,
            cell,
            seqno,
            valid_until,
            after: account.last.map_or(0, |last| last.lt),
        };
        let outcome = message.deliver(self.chain.as_ref()).await;
        if let Ok(transaction) = &outcome {
            *turn = seqno.saturating_add(1);
            let sent = transaction.out_msgs.len();
            if !transaction.success() || sent < asked {
                let wallet = self.address.clone();
                return Err(ChainError::NotSent {
                    wallet,
                    sent,
                    asked,
                    action_code: transaction.action_code(),
                });
            }
        }
        outcome
    }

    /// The wallet's seqno, which must have reached `least`: a server that is behind would make us send with an old one.
    async fn seqno_from(&self, least: u32) -> Result<u32, ChainError> {
        let deadline = Instant::now() + MESSAGE_LIFETIME;
        loop {
            let seqno = self.seqno().await?;
            if seqno >= least {
                return Ok(seqno);
            }
            if Instant::now() >= deadline {
                let reason = format!("seqno of wallet {} went back from {least} to {seqno}", self.address);
                return Err(ChainError::Response {
                    method: "runGetMethod",
                    reason,
                });
            }
            tokio::time::sleep(INCLUSION_POLL).await;
        }
    }

    /// The wallet's seqno; 0 before it is deployed.
    async fn seqno(&self) -> Result<u32, ChainError> {
        wallet_seqno(self.chain.as_ref(), &self.address, WalletKind::Node).await
    }
}

impl fmt::Debug for NodeWallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeWallet")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A message that every contract accepts and ignores.
fn note() -> Result<Cell, cocoon_bindings::ton::CellError> {
    let mut body = CellBuilder::new();
    body.store_u32(DO_NOT_PROCESS)?;
    body.store_u64(0)?;
    body.build()
}
