//! What happened to the contracts, and what they hold.

use cocoon_bindings::proxy::ProxyStorage;
use cocoon_bindings::ton::{Address, Load as _};
use cocoon_bindings::types::{ClientStep, WorkerStep};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{BindingsError, Params, StateInit, client_state_init, worker_state_init};
use cocoon_chain::{ChainError, ClientAccount, Transaction, WorkerAccount};
use tokio::time::Instant;

use super::Reader;
use super::chain::NoChain;
use super::history::newest;
use crate::anchors::Anchor;
use crate::contracts::{Contracts, Held};
use crate::feed::Item;
use crate::limits::{CONTRACTS_IN_PASSING, CONTRACTS_OF_A_ROUND, CONTRACTS_TIME};
use crate::view::View;
use crate::words::Kind;

/// A client or worker contract that is looked at.
struct Child {
    address: Address,
    kind: Kind,
    /// Whether something was heard of it.
    is_due: bool,
}

impl Reader {
    /// Reads what happened to the root contract.
    pub(super) async fn read_rules(&mut self) -> Result<(), NoChain> {
        let root = self.root.clone();
        let is_due = |view: &View| view.contracts.get(&root).is_some_and(|contract| contract.is_due);
        if is_due(&self.view.read()) {
            self.read_history(&root, Kind::Root).await?;
        }
        let mut view = self.view.write();
        view.codes.is_cut = view.contracts.get(&root).is_some_and(|contract| !contract.is_whole);
        view.codes.is_read = true;
        Ok(())
    }

    /// Reads what happened to governor and proxies, and to clients and workers of which something was heard.
    pub(super) async fn look_at_contracts(&mut self) -> Result<(), NoChain> {
        let first: Vec<(Address, Kind)> = {
            let view = self.view.read();
            let due = view.contracts.iter().filter(|(_, contract)| contract.is_due);
            let is_first = |kind| matches!(kind, Kind::Governor | Kind::Proxy);
            due.filter(|(_, contract)| is_first(contract.kind))
                .map(|(address, contract)| (address.clone(), contract.kind))
                .collect()
        };
        for (address, kind) in first {
            self.read_history(&address, kind).await?;
        }
        let began = Instant::now();
        let mut unreadable = None;
        for child in self.children() {
            if began.elapsed() > CONTRACTS_TIME {
                break;
            }
            let read = self.read_child(&child).await;
            if child.is_due {
                self.behind = Some(child.address);
            }
            match read {
                Ok(()) => {}
                // Receipts name any account: what a server cannot tell of one must not keep the others from being read.
                Err(error @ ChainError::Response { .. }) => unreadable = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Clients and workers that are looked at in this round: behind the one that was the last, so that each has its turn.
    fn children(&mut self) -> Vec<Child> {
        let view = self.view.read();
        let is_child = |kind| matches!(kind, Kind::Client | Kind::Worker);
        let all = view.contracts.iter().filter(|(_, contract)| is_child(contract.kind));
        let (due, others): (Vec<_>, Vec<_>) = all.partition(|(_, contract)| contract.is_due);
        let turn = self.turn.checked_rem(others.len()).unwrap_or(0);
        let passing = others
            .iter()
            .cycle()
            .skip(turn)
            .take(CONTRACTS_IN_PASSING.min(others.len()));
        let is_before = |address: &Address| self.behind.as_ref().is_some_and(|behind| address <= behind);
        let (before, after): (Vec<_>, Vec<_>) = due.iter().partition(|(address, _)| is_before(address));
        let due = after.into_iter().chain(before).take(CONTRACTS_OF_A_ROUND);
        let chosen = due.chain(passing);
        let chosen = chosen
            .map(|(address, contract)| Child {
                address: (*address).clone(),
                kind: contract.kind,
                is_due: contract.is_due,
            })
            .collect();
        self.turn = turn.saturating_add(CONTRACTS_IN_PASSING);
        chosen
    }

    /// Reads a client or worker contract. A receipt may name a worker as a client: what is not the one may be the other.
    async fn read_child(&self, child: &Child) -> Result<(), ChainError> {
        let known = self.view.read().contracts.get(&child.address).cloned();
        let is_verified = known.is_some_and(|contract| contract.is_verified);
        let (one, other) = match child.kind {
            Kind::Client => (Kind::Client, Kind::Worker),
            _ => (Kind::Worker, Kind::Client),
        };
        self.read_as(&child.address, one).await?;
        let is_nothing = self.view.read().contracts.kind(&child.address) == Kind::Somebody;
        if is_nothing && !is_verified {
            self.read_as(&child.address, other).await?;
        }
        Ok(())
    }

    async fn read_as(&self, address: &Address, kind: Kind) -> Result<(), ChainError> {
        match kind {
            Kind::Client => self.read_client(address).await,
            _ => self.read_worker(address).await,
        }
    }

    async fn read_client(&self, address: &Address) -> Result<(), ChainError> {
        let account = match ClientAccount::fetch(self.chain.as_ref(), address).await {
            Ok(account) => account,
            Err(error) => return self.not_there(address, error),
        };
        let last = account.account.last.map_or(0, |last| last.lt);
        let proxy = account.constants.proxy.clone();
        let owner = account.constants.owner.clone();
        let derive = |key: &PublicKey, params: &Params| client_state_init(&owner, &proxy, key, params);
        self.keep(
            address,
            Kind::Client,
            &proxy,
            Held::Client(Box::new(account)),
            last,
            derive,
        );
        self.read_history_since(address, Kind::Client, last).await
    }

    async fn read_worker(&self, address: &Address) -> Result<(), ChainError> {
        let account = match WorkerAccount::fetch(self.chain.as_ref(), address).await {
            Ok(account) => account,
            Err(error) => return self.not_there(address, error),
        };
        let last = account.account.last.map_or(0, |last| last.lt);
        let proxy = account.proxy.clone();
        let owner = account.owner.clone();
        let derive = |key: &PublicKey, params: &Params| worker_state_init(&owner, &proxy, key, params);
        self.keep(
            address,
            Kind::Worker,
            &proxy,
            Held::Worker(Box::new(account)),
            last,
            derive,
        );
        self.read_history_since(address, Kind::Worker, last).await
    }

    /// Receipts may name any address: what is not there yet may come, what is something else is somebody.
    fn not_there(&self, address: &Address, error: ChainError) -> Result<(), ChainError> {
        let mut view = self.view.write();
        let Some(contract) = view.contracts.get_mut(address) else {
            return Ok(());
        };
        match error {
            ChainError::NotDeployed { .. } => contract.is_due = false,
            ChainError::Data { .. } => {
                contract.is_due = false;
                if !contract.is_verified {
                    contract.kind = Kind::Somebody;
                }
            }
            error => return Err(error),
        }
        Ok(())
    }

    /// Keeps what a contract holds, if its address follows from its owner and its proxy contract: `derive` makes it from the key
    /// and the terms of that.
    fn keep(
        &self,
        address: &Address,
        kind: Kind,
        proxy: &Address,
        held: Held,
        last: u64,
        derive: impl FnOnce(&PublicKey, &Params) -> Result<StateInit, BindingsError>,
    ) {
        let mut view = self.view.write();
        let is_ours = match view.contracts.get(proxy).map(|contract| &contract.held) {
            Some(Held::Proxy(proxy)) => {
                let derived = derive(&proxy.account.proxy_public_key, &proxy.account.params);
                let derived = derived.and_then(|init| init.address());
                derived.is_ok_and(|derived| derived == *address)
            }
            _ => false,
        };
        if let Some(contract) = view.contracts.get_mut(address) {
            if is_ours {
                (contract.kind, contract.is_verified, contract.held) = (kind, true, held);
            } else if !contract.is_verified {
                // A contract of the same form at a proxy that is none of this view, or of other code.
                contract.kind = Kind::Somebody;
            }
            contract.is_due = is_ours && last > contract.lt;
        }
    }

    async fn read_history_since(&self, address: &Address, kind: Kind, last: u64) -> Result<(), ChainError> {
        let is_due = |view: &View| {
            view.contracts
                .get(address)
                .is_some_and(|contract| contract.is_due && contract.lt < last)
        };
        if !is_due(&self.view.read()) {
            return Ok(());
        }
        self.read_history(address, kind).await
    }

    /// Reads the transactions since the last look.
    async fn read_history(&self, address: &Address, kind: Kind) -> Result<(), ChainError> {
        let after = self
            .view
            .read()
            .contracts
            .get(address)
            .map_or(0, |contract| contract.lt);
        let (transactions, is_whole) = newest(self.chain.as_ref(), address, after).await?;
        let mut view = self.view.write();
        let View {
            contracts,
            feed,
            anchors,
            codes,
            ..
        } = &mut *view;
        for transaction in &transactions {
            if kind == Kind::Root {
                codes.hear(transaction);
            }
            if kind == Kind::Proxy {
                hear(contracts, address, transaction);
                if let Some(anchor) = Anchor::of(transaction) {
                    anchors.add((transaction.lt, transaction.hash), anchor);
                }
            }
            feed.add(Item::of(transaction, kind, |other| contracts.kind(other)));
        }
        if let Some(contract) = contracts.get_mut(address) {
            contract.is_due = false;
            contract.is_whole &= is_whole;
            contract.lt = transactions.last().map_or(contract.lt, |last| last.lt.max(contract.lt));
        }
        Ok(())
    }
}

/// Follows clients and workers that wrote to a proxy contract. Anyone may send such a message; only contracts of this proxy have the
/// addresses that follow from its terms.
fn hear(contracts: &mut Contracts, proxy: &Address, transaction: &Transaction) {
    let Some(message) = transaction.in_msg.as_ref() else {
        return;
    };
    let Some(source) = message.source.as_ref() else { return };
    if let Some(known) = contracts.get_mut(source) {
        known.is_due = true;
        if known.is_verified {
            return;
        }
    }
    let Some(Held::Proxy(held)) = contracts.get(proxy).map(|contract| &contract.held) else {
        return;
    };
    let kind = kind_of(proxy, &held.account.data, source, message);
    if let Some(kind) = kind {
        contracts.follow(source, kind);
    }
}

fn kind_of(proxy: &Address, terms: &ProxyStorage, source: &Address, message: &cocoon_chain::Message) -> Option<Kind> {
    let (key, params) = (&terms.proxy_public_key, &terms.params);
    if let Ok(step) = ClientStep::load_from(&mut message.body()) {
        let derived = client_state_init(&step.owner, proxy, key, params).and_then(|init| init.address());
        return derived.is_ok_and(|derived| derived == *source).then_some(Kind::Client);
    }
    let step = WorkerStep::load_from(&mut message.body()).ok()?;
    let derived = worker_state_init(&step.owner, proxy, key, params).and_then(|init| init.address());
    derived.is_ok_and(|derived| derived == *source).then_some(Kind::Worker)
}
