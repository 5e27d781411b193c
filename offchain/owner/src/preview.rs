//! A message tried out before it is sent: the live state of all accounts that it reaches, in an emulator.
//!
//! Fees are those that the emulator knows as today's; a chain with other prices charges other fees for the same way.

use std::collections::BTreeMap;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::units::Nanoton;
use cocoon_bindings::wallets::WalletContract;
use cocoon_chain::{AccountState, ChainClient, ChainError, Transaction};
use cocoon_emulator::{AdoptedAccount, Emulator, EmulatorError, NetworkConfig};
use ed25519_dalek::SigningKey;
use serde::Serialize;

use crate::OwnerError;
use crate::facts::{Change, Role, changes};
use crate::limits::MAX_TRACE;
use crate::sender::{check_balance, with_modes};
use crate::trace::refusal;

/// Who would send.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// A wallet of a kind that we know: its own transaction is tried out too.
    Wallet(&'a WalletContract),
    /// Any contract, such as a multisig: only what follows is tried out.
    Address(&'a Address),
}

/// What a message would do.
#[derive(Debug, Serialize)]
pub struct Preview {
    /// Accounts that it would change, in the order in which it reaches them.
    pub accounts: Vec<AccountPreview>,
    /// What validators would take, in nanoton.
    pub fees: Nanoton,
    /// Number of transactions.
    pub transactions: usize,
    /// Why it would fail, if it would.
    #[serde(serialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub refused: Option<OwnerError>,
}

/// One account, before and after.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct AccountPreview {
    /// What it is.
    pub role: Role,
    /// Its address.
    pub address: String,
    /// What would change.
    pub changes: Vec<Change>,
}

fn words<S: serde::Serializer>(error: &Option<OwnerError>, serializer: S) -> Result<S::Ok, S::Error> {
    match error {
        Some(error) => serializer.collect_str(error),
        None => serializer.serialize_none(),
    }
}

/// Tries out what `origin` would send. `roles` names accounts whose data is to be shown in words.
pub async fn preview(
    chain: &dyn ChainClient,
    origin: Origin<'_>,
    messages: &[InternalMessage],
    roles: &[(Address, Role)],
) -> Result<Preview, OwnerError> {
    let now = chain.now().await?;
    let mut trial = Trial {
        chain,
        emulator: Emulator::new(&NetworkConfig::default(), now)?,
        before: BTreeMap::new(),
        order: Vec::new(),
        done: Vec::new(),
        refused: None,
        roles,
    };
    match origin {
        Origin::Wallet(wallet) => trial.external(wallet, messages, now).await?,
        Origin::Address(from) => {
            trial.meet(from).await?;
            for message in messages {
                if !trial.pay(from, message.value)? {
                    break;
                }
                trial.meet(&message.to).await?;
                let report = trial.emulator.send_internal(from, message)?;
                trial.done.push(report.as_ref().clone());
            }
        }
    }
    trial.follow().await?;
    trial.finish()
}

/// A trial under way.
struct Trial<'a> {
    chain: &'a dyn ChainClient,
    emulator: Emulator,
    /// Accounts as they are on the chain.
    before: BTreeMap<Address, AccountState>,
    order: Vec<Address>,
    done: Vec<Transaction>,
    /// Why the sender would not send.
    refused: Option<OwnerError>,
    roles: &'a [(Address, Role)],
}

impl Trial<'_> {
    /// Takes over an account, unless it is there.
    async fn meet(&mut self, address: &Address) -> Result<(), OwnerError> {
        if self.before.contains_key(address) {
            return Ok(());
        }
        let account = self.chain.account(address).await?;
        if let Some(last) = account.last {
            let newest = self.chain.transactions(address, 1, None).await?;
            let contract = account
                .is_active()
                .then(|| account.code.clone().zip(account.data.clone()));
            self.emulator.adopt(&AdoptedAccount {
                address: address.clone(),
                balance: account.balance,
                contract: contract.flatten(),
                last_lt: last.lt,
                last_hash: last.hash,
                last_paid: newest.first().map_or(account.time, |transaction| transaction.now),
            })?;
        }
        self.order.push(address.clone());
        self.before.insert(address.clone(), account);
        Ok(())
    }

    /// Takes the value off a sender whose own transaction is not tried out. False if it does not hold so much.
    fn pay(&mut self, from: &Address, value: Nanoton) -> Result<bool, OwnerError> {
        let balance = self
            .emulator
            .account(from)?
            .map_or(Nanoton::ZERO, |account| account.balance);
        let Some(left) = balance.checked_sub(value) else {
            self.refused = Some(OwnerError::Balance {
                wallet: from.clone(),
                balance,
                needed: value,
            });
            return Ok(false);
        };
        if value > Nanoton::ZERO {
            self.emulator.set_balance(from, left)?;
        }
        Ok(true)
    }

    /// The wallet's own transaction. Its signature is trusted, so any key does; those that contracts check later are not.
    async fn external(
        &mut self,
        wallet: &WalletContract,
        messages: &[InternalMessage],
        now: u32,
    ) -> Result<(), OwnerError> {
        let address = wallet.address()?;
        self.meet(&address).await?;
        if let Some(account) = self.before.get(&address)
            && let Err(error) = check_balance(wallet, account, messages)
        {
            self.refused = Some(error);
            return Ok(());
        }
        let account = self.before.get(&address).filter(|account| account.is_active());
        let seqno = match account.and_then(|account| account.data.as_ref()) {
            Some(data) => wallet.kind().seqno(data)?,
            None => 0,
        };
        let (key, deploys) = (SigningKey::from_bytes(&[1; 32]), account.is_none());
        let message = wallet.external(seqno, now.saturating_add(60), &with_modes(messages), &key, deploys)?;
        self.emulator.trust_signatures(true);
        let outcome = self.emulator.send_external(message);
        self.emulator.trust_signatures(false);
        match outcome {
            Ok(report) => {
                let (sent, asked) = (report.out_msgs.len(), messages.len());
                if sent < asked {
                    let wallet = address;
                    let action_code = report.action_code();
                    let error = ChainError::NotSent {
                        wallet,
                        sent,
                        asked,
                        action_code,
                    };
                    self.refused = Some(error.into());
                }
                self.done.push(report.as_ref().clone());
            }
            Err(EmulatorError::ExternalRefused { exit_code, .. }) => {
                self.refused = Some(OwnerError::Refused {
                    would: true,
                    address,
                    exit_code,
                });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Delivers what is under way, each receiver taken over when it is reached.
    async fn follow(&mut self) -> Result<(), OwnerError> {
        while let Some(next) = self.emulator.pending()?.into_iter().next() {
            if let Some(to) = &next.destination {
                self.meet(to).await?;
            }
            let Some(report) = self.emulator.step()? else { break };
            self.done.push(report.as_ref().clone());
            if self.done.len() > MAX_TRACE {
                return Err(EmulatorError::Restless { limit: MAX_TRACE }.into());
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Preview, OwnerError> {
        let mut fees = Nanoton::ZERO;
        for transaction in &self.done {
            // The half of the forwarding fee that travels on is taken where it arrives.
            let on_arrival = transaction
                .in_msg
                .as_ref()
                .map_or(Nanoton::ZERO, |message| message.forward_fee);
            let taken = transaction.fees.total.checked_add(on_arrival);
            fees = taken
                .and_then(|taken| fees.checked_add(taken))
                .ok_or(OwnerError::AmountRange)?;
        }
        let mut accounts = Vec::new();
        for address in &self.order {
            let role = self.roles.iter().find(|(known, _)| known == address);
            let role = role.map_or(Role::Other, |(_, role)| *role);
            let after = self.emulator.account(address)?;
            let new = after
                .as_ref()
                .map_or((Nanoton::ZERO, None), |after| (after.balance, after.data.as_ref()));
            let old: (Nanoton, Option<&Cell>) = self
                .before
                .get(address)
                .map_or((Nanoton::ZERO, None), |before| (before.balance, before.data.as_ref()));
            let changes = changes(role, old, new);
            if !changes.is_empty() {
                let address = address.to_string();
                accounts.push(AccountPreview { role, address, changes });
            }
        }
        Ok(Preview {
            accounts,
            fees,
            transactions: self.done.len(),
            refused: self.refused.or_else(|| refusal(&self.done, true)),
        })
    }
}
