//! What a request may cost at most, and what the contract at a proxy still covers: by the arithmetic of the proxy.

use cocoon_bindings::Multipliers;
use cocoon_bindings::units::{Coefficient, Nanoton};
use cocoon_chain::ClientAccount;
use cocoon_ledger::reservation;
use cocoon_openai::ApiError;
use tokio::time::Instant;

use super::{App, guard};
use crate::access::attempt::{Asker, Attempt, Cost, NotMade};
use crate::calls::RequestId;
use crate::connection::ProxyConnection;
use crate::driver::{Job, Unsent};
use crate::limits::{CHANNEL_LOOK_EVERY, HOLD_MARGIN_TOKENS};

/// Holds the most that an attempt may cost. `bytes`: of what is sent.
pub(super) async fn hold(
    app: &App,
    asker: &Asker,
    connection: &ProxyConnection,
    id: RequestId,
    (job, bytes): (&Job, usize),
) -> Result<Attempt, Unsent> {
    let seen = app.accounts.borrow().clients.get(&connection.client_contract).cloned();
    see(app, connection, seen.as_ref());
    let refused = match Attempt::begin(
        &app.access,
        asker,
        id,
        cost(app, connection, seen.as_ref(), job, bytes)?,
    )
    .await
    {
        Err(NotMade::Elsewhere(_)) if look_again(app, connection).await => {
            Attempt::begin(
                &app.access,
                asker,
                id,
                cost(app, connection, seen.as_ref(), job, bytes)?,
            )
            .await
        }
        begun => begun,
    };
    refused.map_err(|not_made| match not_made {
        NotMade::Elsewhere(refusal) => Unsent::Elsewhere(guard::refused(app, refusal)),
        NotMade::Never(refusal) => Unsent::Never(guard::refused(app, refusal)),
        NotMade::Broken(error) => Unsent::Never(error),
    })
}

fn cost(
    app: &App,
    connection: &ProxyConnection,
    account: Option<&ClientAccount>,
    job: &Job,
    bytes: usize,
) -> Result<Cost, Unsent> {
    let root = app.context.root();
    let amount = |multipliers: &Multipliers| {
        let coefficient = Coefficient::new(job.max_coefficient);
        let amount = reservation::amount(job.max_tokens.into(), bytes as u64, coefficient, multipliers);
        amount.map_err(|error| Unsent::Never(ApiError::too_large(format!("{error}."))))
    };
    let mut tokens = amount(&root.params.multipliers)?;
    if let Some(account) = account {
        tokens = tokens.max(amount(&account.params.multipliers)?);
    }
    // Terms may be about to change: the higher ones count.
    let of_contract = account.map_or(Nanoton::ZERO, |account| account.params.price_per_token);
    Ok(Cost {
        channel: connection.client_contract.clone(),
        proxy: connection.proxy.contract.clone(),
        tokens: tokens.get().saturating_add(HOLD_MARGIN_TOKENS),
        price: root.params.price_per_token.max(of_contract),
        now: app.context.clock.now(),
    })
}

/// Takes note of what chain and proxy say of a channel.
fn see(app: &App, connection: &ProxyConnection, account: Option<&ClientAccount>) {
    let payments = connection.payments();
    let counted = payments.max.max(account.map_or(0, |account| account.tokens_used.get()));
    let cover = account.and_then(cover);
    app.access
        .spending
        .see_channel(&connection.client_contract, cover, counted, payments.asked);
}

/// Adjusted tokens that balance and stake cover, used ones included. `None`: tokens cost nothing, or the contract is being wound up,
/// of which the proxy says more.
fn cover(account: &ClientAccount) -> Option<u64> {
    if account.state as u8 != 0 {
        return None;
    }
    let covered = account.balance.min(account.stake);
    let tokens = covered.checked_div(account.params.price_per_token)?;
    let tokens = u64::try_from(tokens).unwrap_or(u64::MAX);
    // What is held has the margin too.
    Some(
        tokens
            .saturating_add(account.tokens_used.get())
            .saturating_add(HOLD_MARGIN_TOKENS),
    )
}

/// Reads the contract again, since somebody may just have paid in. Says whether it was read; not too often.
async fn look_again(app: &App, connection: &ProxyConnection) -> bool {
    let mut looked = app.channels_looked.lock().await;
    let contract = &connection.client_contract;
    let recent = looked.get(contract).filter(|(at, _)| at.elapsed() < CHANNEL_LOOK_EVERY);
    let account = match recent {
        Some((_, account)) => account.clone(),
        None => {
            let account = ClientAccount::fetch(app.context.chain.as_ref(), contract).await.ok();
            // A chain that is away is not asked by each request either.
            looked.insert(contract.clone(), (Instant::now(), account.clone()));
            account
        }
    };
    // What was seen of it since the start of this request is older.
    if let Some(account) = &account {
        see(app, connection, Some(account));
    }
    account.is_some()
}
