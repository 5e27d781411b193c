//! What happened to the contracts, and what they hold.

use cocoon_bindings::proxy::ProxyStorage;
use cocoon_bindings::ton::{Address, Load as _};
use cocoon_bindings::types::{ClientStep, WorkerStep};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{BindingsError, Params, StateInit, client_state_init, worker_state_init};
use cocoon_chain::{ChainError, ClientAccount, Transaction, WorkerAccount};

use super::Reader;
use super::history::newest;
use crate::anchors::Anchor;
use crate::contracts::{Contracts, Held};
use crate::feed::Item;
use crate::limits::{CONTRACTS_IN_PASSING, CONTRACTS_OF_A_ROUND};
use crate::view::View;
use crate::words::Kind;

impl Reader {
    /// Reads what happened to the root contract.
    pub(super) async fn read_rules(&mut self) -> Result<(), String> {
        let root = self.root.clone();
        let is_due = |view: &View| view.contracts.get(&root).is_some_and(|contract| contract.is_due);
        if is_due(&self.view.read()) {
            let read = self.read_history(&root, Kind::Root).await;
            read.map_err(|error| format!("{error} ({})", error.hint()))?;
        }
        self.view.write().codes.is_read = true;
        Ok(())
    }

    /// Reads what happened to governor and proxies, and to clients and workers of which something was heard.
    pub(super) async fn look_at_contracts(&mut self) -> Result<(), String> {
        let told = |error: ChainError| format!("{error} ({})", error.hint());
        let first: Vec<(Address, Kind)> = {
            let view = self.view.read();
            let due = view.contracts.iter().filter(|(_, contract)| contract.is_due);
            let is_first = |kind| matches!(kind, Kind::Governor | Kind::Proxy);
            due.filter(|(_, contract)| is_first(contract.kind))
                .map(|(address, contract)| (address.clone(), contract.kind))
                .collect()
        };
        for (address, kind) in first {
            self.read_history(&address, kind).await.map_err(told)?;
        }
        for (address, kind) in self.children() {
            match kind {
                Kind::Client => self.read_client(&address).await.map_err(told)?,
                _ => self.read_worker(&address).await.map_err(told)?,
            }
        }
        Ok(())
    }

    /// Clients and workers that are looked at in this round.
    fn children(&mut self) -> Vec<(Address, Kind)> {
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
        let chosen = due.iter().take(CONTRACTS_OF_A_ROUND).chain(passing);
        let chosen = chosen
            .map(|(address, contract)| ((*address).clone(), contract.kind))
            .collect();
        self.turn = turn.saturating_add(CONTRACTS_IN_PASSING);
        chosen
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
        self.keep(address, &proxy, Held::Client(Box::new(account)), last, derive);
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
        self.keep(address, &proxy, Held::Worker(Box::new(account)), last, derive);
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
                contract.kind = Kind::Somebody;
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
                contract.held = held;
            } else {
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
        return;
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
