//! Channels as they were last seen, less what is used and not charged yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::ClientAccount;
use cocoon_owner::lifecycle;
use serde_json::{Value, json};

use super::App;
use crate::account::Accounts;
use crate::channel::Wish;
use crate::closed::ClosedContract;
use crate::connection::ProxyConnection;
use crate::payments::Payments;

/// The contracts of this client: of connected proxies and of those that were seen.
pub(super) fn contracts(app: &App) -> BTreeSet<Address> {
    let connected = app.upstream.borrow().by_contract().into_keys().collect::<BTreeSet<_>>();
    let accounts = app.accounts.borrow();
    let closed = accounts.closed.iter().map(|closed| closed.contract.clone());
    let seen = accounts.clients.keys().cloned().chain(closed).collect();
    &connected | &seen
}

/// What is left of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    /// Used and not charged.
    owed: Nanoton,
    /// Paid in, less that.
    left: Nanoton,
    /// What it buys at the network's price.
    tokens: Option<u64>,
}

impl Left {
    fn of(balance: Nanoton, price: Nanoton, used: u64, charged: u64) -> Self {
        let owed = price.checked_mul(used.saturating_sub(charged)).unwrap_or(Nanoton::MAX);
        let left = balance.saturating_sub(owed);
        let tokens = left.checked_div(price).and_then(|tokens| u64::try_from(tokens).ok());
        Self { owed, left, tokens }
    }
}

fn left(account: &ClientAccount, payments: &Payments) -> Left {
    let price = account.params.price_per_token;
    Left::of(account.balance, price, payments.max, account.tokens_used.get())
}

/// The sums.
pub(super) fn balance(app: &App) -> Value {
    let accounts = app.accounts.borrow().clone();
    let connected = app.upstream.borrow().by_contract();
    let (mut paid_in, mut rest, mut tokens) = (Nanoton::ZERO, Nanoton::ZERO, Some(0_u64));
    for (contract, account) in &accounts.clients {
        let payments = connected
            .get(contract)
            .map(|connection| connection.payments())
            .unwrap_or_default();
        let left = left(account, &payments);
        paid_in = paid_in.checked_add(account.balance).unwrap_or(Nanoton::MAX);
        rest = rest.checked_add(left.left).unwrap_or(Nanoton::MAX);
        tokens = tokens.zip(left.tokens).and_then(|(sum, more)| sum.checked_add(more));
    }
    json!({
        "balance": paid_in,
        "left": rest,
        "left_tokens": tokens,
        "wallet": accounts.wallet_balance,
        "channels": accounts.clients.len(),
        "as_of": as_of(app, &accounts),
    })
}

/// All of it.
pub(super) fn channels(app: &App) -> Value {
    let accounts = app.accounts.borrow().clone();
    let connected = app.upstream.borrow().by_contract();
    let known: BTreeSet<&Address> = connected.keys().chain(accounts.clients.keys()).collect();
    let rows = known.into_iter().map(|contract| {
        let (connection, account) = (connected.get(contract), accounts.clients.get(contract));
        channel(app, contract, connection, account)
    });
    let wallet = &app.context.wallet;
    json!({
        "as_of": as_of(app, &accounts),
        "simulated": app.context.trust.is_simulated(),
        "operations_allowed": true,
        "wallet": {
            "address": wallet.address().to_string(),
            "owner": owner(app),
            "balance": accounts.wallet_balance,
            "seqno": accounts.wallet_seqno,
            "is_sending": wallet.is_sending(),
        },
        "channels": rows.collect::<Vec<_>>(),
        "closed": accounts.closed.iter().map(closed).collect::<Vec<_>>(),
    })
}

fn owner(app: &App) -> Option<String> {
    let owner = cocoon_bindings::ton::parse_address(&app.owner).ok();
    owner.map(|owner| owner.to_string())
}

fn as_of(app: &App, accounts: &Accounts) -> Value {
    let time = Some(accounts.synced_at).filter(|time| *time != 0);
    let age = time.map(|time| app.context.clock.now().saturating_sub(u64::from(time)));
    json!({ "time": time, "age_seconds": age })
}

fn channel(
    app: &App,
    contract: &Address,
    connection: Option<&Arc<ProxyConnection>>,
    account: Option<&ClientAccount>,
) -> Value {
    let payments = connection.map(|connection| connection.payments()).unwrap_or_default();
    let left = account.map(|account| left(account, &payments));
    let state = account.map(|account| account.state);
    let proxy = connection.map(|connection| &connection.proxy.contract);
    let proxy = proxy.or(account.map(|account| &account.constants.proxy));
    let is_closing = state == Some(Lifecycle::Closing);
    json!({
        "contract": contract.to_string(),
        "proxy": proxy.map(ToString::to_string),
        "proxy_address": connection.map(|connection| connection.address.clone()),
        "is_connected": connection.is_some_and(|connection| !connection.is_closed()),
        "state": state.map_or("absent", lifecycle),
        "unlocks_at": account.filter(|_| is_closing).map(|account| account.unlock_ts),
        "balance": account.map(|account| account.balance),
        "stake": account.map(|account| account.stake),
        "price_per_token": account.map(|account| account.params.price_per_token),
        "params_version": account.map(|account| account.params.params_version),
        "tokens_charged": account.map(|account| account.tokens_used.get()),
        "tokens_signed": connection.map(|_| payments.signed),
        "tokens_used": connection.map(|_| payments.max),
        "owed": left.map(|left| left.owed),
        "left": left.map(|left| left.left),
        "left_tokens": left.and_then(|left| left.tokens),
        "reserved": null,
        "requests_running": connection.map_or(0, |connection| connection.running_requests()),
        "operations": account.map(possible).unwrap_or_default(),
        "pending": app.book.pending(contract),
    })
}

/// What may be asked for in this state; whether it can be done the trial says.
fn possible(account: &ClientAccount) -> Vec<&'static str> {
    let is_possible = |name: &&str| match (account.state, *name) {
        (Lifecycle::Normal, "withdraw") => account.balance > account.stake,
        (Lifecycle::Normal, _) => true,
        (Lifecycle::Closing, name) => name == "close",
        (Lifecycle::Closed, _) => false,
    };
    Wish::NAMES.into_iter().filter(is_possible).collect()
}

fn closed(closed: &ClosedContract) -> Value {
    json!({
        "contract": closed.contract.to_string(),
        "tokens_charged": closed.charged,
        "tokens_of_receipts": closed.receipts,
        "unexplained": closed.unexplained(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_and_not_charged_is_not_left() {
        let ton = Nanoton::from_ton(1);
        let price = Nanoton::new(10_000);
        let left = Left::of(ton, price, 25, 12);
        assert_eq!(left.owed, Nanoton::new(130_000));
        assert_eq!(left.left, Nanoton::new(999_870_000));
        assert_eq!(left.tokens, Some(99_987));
        // More was used than is paid for, and nothing is known of what was used.
        assert_eq!(Left::of(price, price, 3, 1).left, Nanoton::ZERO);
        assert_eq!(Left::of(ton, price, 0, 12).left, ton);
        assert_eq!(Left::of(ton, Nanoton::ZERO, 3, 1).tokens, None);
        assert_eq!(Left::of(ton, Nanoton::MAX, u64::MAX, 0).left, Nanoton::ZERO);
    }
}
