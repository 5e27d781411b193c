//! What is only looked at: trials, contracts on chain, earnings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cocoon_bindings::Nanoton;
use cocoon_chain::{ChainClient, ClientAccount, ProxyAccount, WorkerAccount};
use cocoon_owner::{
    Fact, Manner, Next, Operation, Origin, Payout, Preview, Role, Step, earnings as read_earnings, facts, look_ahead,
};
use serde::Serialize;
use serde_json::json;

use super::{About, With, owner_error};
use crate::args::Global;
use crate::args::governance::Place;
use crate::args::operate::{Role as Runner, StatusArgs};
use crate::args::owner::EarningsArgs;
use crate::command::network::resolve;
use crate::command::root::{date, open};
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Trial {
    step: &'static str,
    says: String,
    to: String,
    value: Nanoton,
    #[serde(flatten)]
    preview: Preview,
}

/// `--dry-run`: the next message on the live state.
pub(super) async fn try_out(
    operation: &dyn Operation,
    chain: &dyn ChainClient,
    origin: Origin<'_>,
    manner: &Manner,
    (steps, about): (&[Step], Option<&About<'_>>),
    output: Output,
) -> Result<Exit, Failure> {
    let (next, preview) = look_ahead(operation, chain, origin, manner, steps)
        .await
        .map_err(owner_error)?;
    let (Next::Send(order), Some(preview)) = (&next, preview) else {
        return nothing_to_send(next, chain, about, output).await;
    };
    let trial = Trial {
        step: order.step,
        says: order.says.clone(),
        to: order.message.to.to_string(),
        value: order.message.value,
        preview,
    };
    let told = With {
        told: &trial,
        change: about.map(|about| about.before(output)),
    };
    output.result(&told, |with| {
        format!("would {}\n{}", with.told.says, preview_text(&with.told.preview))
    })?;
    match &trial.preview.refused {
        None => Ok(Exit::Done),
        Some(refused) => {
            output.note(format!("hint: {}", refused.hint()));
            Ok(Exit::Negative)
        }
    }
}

/// What is told when no message is due. What is proposed by a message that was signed elsewhere has its file written here.
pub(super) async fn nothing_to_send(
    next: Next,
    chain: &dyn ChainClient,
    about: Option<&About<'_>>,
    output: Output,
) -> Result<Exit, Failure> {
    let is_awaited = matches!(next, Next::Await(_));
    let told = match next {
        Next::Await(awaited) => json!({ "step": null, "awaits": awaited }),
        Next::Done(says) => json!({ "step": null, "says": says }),
        Next::Send(_) | Next::Unseen(_) => return Err(anyhow::anyhow!("a message without a trial").into()),
    };
    let change = match about {
        Some(about) => Some(about.after(chain, is_awaited, output).await?),
        None => None,
    };
    let with = With { told: &told, change };
    output.result(&with, |with| match with.told["awaits"]["what"].as_str() {
        Some(what) => {
            let until = with.told["awaits"]["until"]
                .as_u64()
                .and_then(|time| u32::try_from(time).ok());
            format!("nothing to send now: awaits {what}{}", until_text(until))
        }
        None => format!("nothing to send: {}", with.told["says"].as_str().unwrap_or_default()),
    })?;
    Ok(Exit::Done)
}

pub(super) fn until_text(until: Option<u32>) -> String {
    until.map_or_else(String::new, |until| format!(", until {}", date(until)))
}

/// Old and new of each account, and the fees.
pub(super) fn preview_text(preview: &Preview) -> String {
    let mut text = String::new();
    for account in &preview.accounts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {} {}", account.role.name(), account.address);
        for change in &account.changes {
            let _ = writeln!(text, "    {:<16} {} -> {}", change.name, change.old, change.new);
        }
    }
    let _ = write!(text, "  fees {} in {} transactions", preview.fees, preview.transactions);
    if let Some(refused) = &preview.refused {
        let _ = write!(text, "\n  REFUSED: {refused}");
    }
    text
}

#[derive(Serialize)]
struct Contract {
    role: Role,
    address: String,
    coins: Nanoton,
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    facts: Vec<Fact>,
    /// What the owner can do now.
    next: String,
}

/// `status --contract`.
pub(crate) async fn status(global: &Global, role: Runner, args: StatusArgs, output: Output) -> Result<Exit, Failure> {
    let Some(address) = args.contract else {
        return Err(anyhow::anyhow!("no contract is named").into());
    };
    let chain = match &args.chain_url {
        Some(url) => open(url, &address.to_string())?.0,
        None => resolve(global, &Place::default())?.open()?.0,
    };
    let chain = chain.as_ref();
    let (role, account, owner, proxy, next) = match role {
        Runner::Client => {
            let client = ClientAccount::fetch(chain, &address)
                .await
                .map_err(failure::from_chain)?;
            let next = client_next(&client);
            let parties = &client.constants;
            (
                Role::Client,
                client.account.clone(),
                parties.owner.clone(),
                Some(parties.proxy.clone()),
                next,
            )
        }
        Runner::Worker => {
            let worker = WorkerAccount::fetch(chain, &address)
                .await
                .map_err(failure::from_chain)?;
            let next = "payouts go to the owner at once".to_owned();
            (
                Role::Worker,
                worker.account.clone(),
                worker.owner.clone(),
                Some(worker.proxy.clone()),
                next,
            )
        }
        Runner::Proxy => {
            let proxy = ProxyAccount::fetch(chain, &address)
                .await
                .map_err(failure::from_chain)?;
            let next = match proxy.state {
                cocoon_bindings::types::Lifecycle::Closed => "nothing: it is closed".to_owned(),
                cocoon_bindings::types::Lifecycle::Closing => format!("close on, from {}", date(proxy.unlock_ts)),
                cocoon_bindings::types::Lifecycle::Normal => format!("withdraw {}, stake, close", proxy.balance),
            };
            (Role::Proxy, proxy.account.clone(), proxy.owner.clone(), None, next)
        }
    };
    let contract = Contract {
        role,
        address: address.to_string(),
        coins: account.balance,
        owner: owner.to_string(),
        proxy: proxy.map(|proxy| proxy.to_string()),
        facts: account.data.as_ref().map_or_else(Vec::new, |data| facts(role, data)),
        next,
    };
    output.result(&contract, contract_text)?;
    Ok(Exit::Done)
}

fn client_next(client: &ClientAccount) -> String {
    use cocoon_bindings::types::Lifecycle::{Closed, Closing, Normal};
    let free = client.balance.saturating_sub(client.stake);
    match client.state {
        Closed => "topup --reopen uses it again".to_owned(),
        Closing if client.account.time <= client.unlock_ts => format!("close on, after {}", date(client.unlock_ts)),
        Closing => "close on: the delay is over".to_owned(),
        Normal => format!("withdraw {free}, topup, stake, close"),
    }
}

fn contract_text(contract: &Contract) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<16} {value}");
    };
    line(contract.role.name(), &contract.address);
    line("owner", &contract.owner);
    if let Some(proxy) = &contract.proxy {
        line("at proxy", proxy);
    }
    line("coins", &contract.coins.to_string());
    for fact in &contract.facts {
        line(fact.name, &fact.value);
    }
    line("owner can", &contract.next);
    text
}

#[derive(Serialize)]
struct Earnings {
    contract: String,
    payouts: usize,
    tokens: u64,
    owner: Nanoton,
    days: Vec<Day>,
}

#[derive(Serialize)]
struct Day {
    day: String,
    payouts: usize,
    owner: Nanoton,
}

/// `worker earnings`.
pub(super) async fn earnings(global: &Global, args: EarningsArgs, output: Output) -> Result<Exit, Failure> {
    let (chain, _) = resolve(global, &args.place)?.open()?;
    let payouts = read_earnings(chain.as_ref(), &args.contract)
        .await
        .map_err(owner_error)?;
    // One that is closed and frozen was paid all the same. Where nothing was paid and there is no contract, it would look like a
    // worker without work.
    if payouts.is_empty() {
        WorkerAccount::fetch(chain.as_ref(), &args.contract)
            .await
            .map_err(failure::from_chain)?;
    }
    let earnings = by_day(args.contract.to_string(), &payouts)?;
    output.result(&earnings, earnings_text)?;
    Ok(Exit::Done)
}

fn by_day(contract: String, payouts: &[Payout]) -> Result<Earnings, Failure> {
    let add = |sum: Nanoton, part: Nanoton| {
        sum.checked_add(part)
            .ok_or_else(|| Failure::from(anyhow::anyhow!("an amount is out of range")))
    };
    let mut days: BTreeMap<String, (usize, Nanoton)> = BTreeMap::new();
    let mut total = Nanoton::ZERO;
    for payout in payouts {
        let day = date(payout.time).chars().take(10).collect();
        let (count, sum) = days.entry(day).or_insert((0, Nanoton::ZERO));
        *count += 1;
        *sum = add(*sum, payout.owner)?;
        total = add(total, payout.owner)?;
    }
    Ok(Earnings {
        contract,
        payouts: payouts.len(),
        tokens: payouts.last().map_or(0, |payout| payout.tokens.get()),
        owner: total,
        days: days
            .into_iter()
            .map(|(day, (payouts, owner))| Day { day, payouts, owner })
            .collect(),
    })
}

fn earnings_text(earnings: &Earnings) -> String {
    let mut lines: Vec<String> = earnings
        .days
        .iter()
        .map(|day| format!("{}  {:>5} payouts  {}", day.day, day.payouts, day.owner))
        .collect();
    lines.push(format!(
        "{} payouts, {} tokens, {} in all",
        earnings.payouts, earnings.tokens, earnings.owner
    ));
    lines.join("\n")
}
