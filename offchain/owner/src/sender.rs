//! An owner's wallet that sends: each message once, also when the process is killed in the middle.

use std::path::Path;

use cocoon_bindings::message::{InternalMessage, SEND_IGNORE_ERRORS, SEND_PAY_FEES_SEPARATELY};
use cocoon_bindings::ton::Address;
use cocoon_bindings::wallets::{WalletContract, WalletKind};
use cocoon_chain::{AccountState, ChainError, SharedChain, SignedMessage, Transaction};
use ed25519_dalek::SigningKey;

use crate::OwnerError;
use crate::journal::Journal;
use crate::limits::{MESSAGE_LIFETIME, NODE_WALLET_RESERVE, WALLET_MARGIN};

/// A wallet with its journal.
#[derive(Debug)]
pub struct Sender {
    chain: SharedChain,
    contract: WalletContract,
    address: Address,
    journal: Journal,
}

impl Sender {
    /// The wallet's sender on a chain whose journals are in `folder`. Refused while another process has it.
    pub fn open(chain: SharedChain, contract: WalletContract, folder: &Path) -> Result<Self, OwnerError> {
        let address = contract.address()?;
        let journal = Journal::open(folder, &address)?;
        Ok(Self {
            chain,
            contract,
            address,
            journal,
        })
    }

    /// The wallet.
    pub fn contract(&self) -> &WalletContract {
        &self.contract
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The chain.
    pub fn chain(&self) -> &SharedChain {
        &self.chain
    }

    /// What its operations have come to.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Learns what became of a message that a process before this one had noted down, and sends the same again as long
    /// as it may still be executed. Nothing new can be sent before.
    pub async fn recover(&mut self) -> Result<Option<Transaction>, OwnerError> {
        let Some(message) = self.journal.pending()? else {
            return Ok(None);
        };
        let outcome = message.resume(self.chain.as_ref()).await;
        match self.conclude(outcome) {
            Ok(transaction) => Ok(Some(transaction)),
            // It never will be executed: what was to be sent is decided anew.
            Err(OwnerError::Chain(ChainError::NotIncluded { .. } | ChainError::SeqnoTaken { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends messages as a step of an operation and waits until the wallet has executed them.
    pub async fn send(
        &mut self,
        operation: &str,
        step: &str,
        messages: &[InternalMessage],
        key: &SigningKey,
    ) -> Result<Transaction, OwnerError> {
        self.recover().await?;
        let account = self.chain.account(&self.address).await?;
        check_balance(&self.contract, &account, messages)?;
        let message = self.sign(&account, messages, key).await?;
        self.journal.begin(operation, step, &message, messages.len())?;
        let outcome = message.deliver(self.chain.as_ref()).await;
        self.conclude(outcome)
    }

    /// Writes down what became of the message, if that is certain. A wallet that executed it and sent less than it was asked
    /// to has made no step.
    fn conclude(&mut self, outcome: Result<Transaction, ChainError>) -> Result<Transaction, OwnerError> {
        match &outcome {
            Ok(transaction) => {
                let (sent, asked) = (transaction.out_msgs.len(), self.journal.asked());
                if !transaction.success() || sent < asked {
                    self.journal.dropped()?;
                    let wallet = self.address.clone();
                    return Err(ChainError::NotSent {
                        wallet,
                        sent,
                        asked,
                        action_code: transaction.action_code(),
                    }
                    .into());
                }
                self.journal.executed(transaction)?;
            }
            Err(ChainError::NotIncluded { .. } | ChainError::SeqnoTaken { .. } | ChainError::MessageRefused { .. }) => {
                self.journal.dropped()?
            }
            // It may still be executed: the journal keeps it.
            Err(_) => {}
        }
        Ok(outcome?)
    }

    async fn sign(
        &self,
        account: &AccountState,
        messages: &[InternalMessage],
        key: &SigningKey,
    ) -> Result<SignedMessage, OwnerError> {
        let kind = self.contract.kind();
        let is_active = account.is_active();
        let seqno = match account.data.as_ref().filter(|_| is_active) {
            Some(data) => kind.seqno(data)?,
            None => 0,
        };
        let lifetime = u32::try_from(MESSAGE_LIFETIME.as_secs()).unwrap_or(u32::MAX);
        let valid_until = self.chain.now().await?.saturating_add(lifetime);
        let cell = self
            .contract
            .external(seqno, valid_until, &with_modes(messages), key, !is_active)?;
        Ok(SignedMessage {
            wallet: self.address.clone(),
            kind,
            cell,
            seqno,
            valid_until,
            after: account.last.map_or(0, |last| last.lt),
        })
    }
}

/// Refuses what a wallet cannot pay: it would skip the messages, and its transaction would look like a success.
pub(crate) fn check_balance(
    contract: &WalletContract,
    account: &AccountState,
    messages: &[InternalMessage],
) -> Result<(), OwnerError> {
    let mut needed = WALLET_MARGIN;
    for message in messages {
        needed = needed.checked_add(message.value).ok_or(OwnerError::AmountRange)?;
    }
    if contract.kind() == WalletKind::Node {
        needed = needed.max(NODE_WALLET_RESERVE);
    }
    if account.balance < needed {
        return Err(OwnerError::Balance {
            wallet: account.address.clone(),
            balance: account.balance,
            needed,
        });
    }
    Ok(())
}

/// With the send modes of a wallet: values arrive whole, and a message that fails does not block the next seqno.
pub(crate) fn with_modes(messages: &[InternalMessage]) -> Vec<(u8, InternalMessage)> {
    let mode = SEND_PAY_FEES_SEPARATELY | SEND_IGNORE_ERRORS;
    messages.iter().map(|message| (mode, message.clone())).collect()
}
