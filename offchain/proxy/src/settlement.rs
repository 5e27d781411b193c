//! Settlement: vouchers that are worth the gas go to the chain.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::message::{InternalMessage, MAX_WALLET_MESSAGES};
use cocoon_bindings::ton::Address;
use cocoon_bindings::voucher::VoucherOp;
use cocoon_chain::AccountStatus;
use cocoon_ledger::Settlement;

use crate::contracts;
use crate::error::ProxyError;
use crate::limits::VOUCHER_VALUE;
use crate::state::Proxy;
use crate::timing::{Round, round};

/// Settles on the timer until dropped.
pub(crate) async fn keep_settling(proxy: Arc<Proxy>) {
    let pause = Duration::from_secs_f64(proxy.config.timers.settlement);
    loop {
        tokio::time::sleep(pause).await;
        match round(Round::Settlement, settle(&proxy)).await {
            Ok(()) => {}
            Err(ProxyError::Chain(error)) => tracing::warn!(%error, "vouchers were not submitted"),
            Err(error) => return proxy.fail(error),
        }
    }
}

/// One round: everything that is due, as many vouchers per external message as the wallet takes.
async fn settle(proxy: &Proxy) -> Result<(), ProxyError> {
    let due = proxy
        .books
        .ledger()
        .settlements(proxy.clock.now(), &proxy.live.get().settlement);
    for group in due.chunks(MAX_WALLET_MESSAGES) {
        let mut messages = Vec::new();
        for settlement in group {
            messages.push(message(proxy, settlement).await?);
            // Marked before it is sent: a voucher that is sent twice only costs gas, but it costs it every round.
            proxy.books.ledger().submitted(settlement, proxy.clock.now())?;
        }
        proxy.wallet.send(messages).await?;
        for settlement in group {
            tracing::info!(contract = %settlement.contract(), tokens = %settlement.tokens(), "voucher submitted");
        }
    }
    Ok(())
}

async fn message(proxy: &Proxy, settlement: &Settlement) -> Result<InternalMessage, ProxyError> {
    let (op, contract) = match settlement {
        Settlement::ClientCharge { client, .. } => (VoucherOp::ClientCharge, client),
        Settlement::ClientRefund { client, .. } => (VoucherOp::ClientRefund, client),
        Settlement::WorkerPayout { worker, .. } => (VoucherOp::WorkerPayout, worker),
        Settlement::WorkerLastPayout { worker, .. } => (VoucherOp::WorkerLastPayout, worker),
    };
    let voucher = proxy.vouchers.sign(op, contract, settlement.tokens())?;
    let state_init = match settlement {
        Settlement::WorkerPayout { worker, .. } | Settlement::WorkerLastPayout { worker, .. } => {
            undeployed_worker(proxy, worker).await?
        }
        _ => None,
    };
    let body = voucher.to_cell()?;
    Ok(InternalMessage {
        to: contract.clone(),
        value: VOUCHER_VALUE,
        bounce: true,
        body,
        state_init,
    })
}

/// A worker's contract is deployed by its first payout, unless somebody did it before.
async fn undeployed_worker(proxy: &Proxy, worker: &Address) -> Result<Option<cocoon_bindings::StateInit>, ProxyError> {
    if proxy.chain.account(worker).await?.status == AccountStatus::Active {
        return Ok(None);
    }
    let owner = proxy.books.ledger().worker(worker).map(|channel| channel.owner.clone());
    let Some(owner) = owner else { return Ok(None) };
    let state_init = contracts::worker_instance(proxy, worker).worker_state_init(&owner)?;
    // A channel of an instance that is closed: its contract must be there.
    Ok((state_init.address()? == *worker).then_some(state_init))
}

/// Submits what one contract owes or is owed, whatever the thresholds: asked for by the operator.
pub(crate) async fn settle_now(proxy: &Proxy, contract: &Address, is_client: bool) -> Result<bool, ProxyError> {
    refuse_old(proxy)?;
    if is_client {
        contracts::refresh_client(proxy, contract).await?;
    } else {
        contracts::refresh_worker(proxy, contract).await?;
    }
    let thresholds = cocoon_ledger::Thresholds {
        client_charge: cocoon_bindings::Nanoton::ZERO,
        worker_payout: cocoon_bindings::Nanoton::ZERO,
        ..proxy.live.get().settlement
    };
    let due = proxy.books.ledger().settlements(proxy.clock.now(), &thresholds);
    let Some(settlement) = due.into_iter().find(|settlement| settlement.contract() == contract) else {
        return Ok(false);
    };
    let message = message(proxy, &settlement).await?;
    proxy.books.ledger().submitted(&settlement, proxy.clock.now())?;
    proxy.wallet.send(vec![message]).await?;
    Ok(true)
}

/// With an old database nothing is signed.
fn refuse_old(proxy: &Proxy) -> Result<(), ProxyError> {
    match proxy.recovery.error() {
        Some(error) => Err(ProxyError::RolledBack(error.clone())),
        None => Ok(()),
    }
}

/// Has the proxy contract pay its earnings to its owner: asked for by the operator.
pub(crate) async fn withdraw(proxy: &Proxy) -> Result<(), ProxyError> {
    let ask = cocoon_bindings::proxy::AskToWithdrawEarnings {
        query_id: cocoon_bindings::QueryId::new(rand::random()),
        send_excesses_to: proxy.wallet.address().clone(),
    };
    let body = cocoon_bindings::ton::to_cell(&ask).map_err(cocoon_bindings::BindingsError::layout("a withdrawal"))?;
    let to = proxy.on_chain().contract.clone();
    let message = InternalMessage {
        to,
        value: VOUCHER_VALUE,
        bounce: true,
        body,
        state_init: None,
    };
    proxy.wallet.send(vec![message]).await?;
    Ok(())
}
