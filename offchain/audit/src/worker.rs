//! A worker contract's history: paid and, if the proxy could not pay, unpaid again.

use crate::channel::Channel;
use crate::facts::Settlement;
use crate::history::{ChainHistory, ContractHistory};
use crate::verdict::{ChannelReport, Difference, DifferenceKind as Kind, Role};
use cocoon_bindings::ton::{Address, Load, from_cell};
use cocoon_bindings::types::{WorkerPayoutPayload, WorkerStep};
use cocoon_bindings::units::{Nanoton, TokenCount};
use cocoon_bindings::worker::WorkerMessage;
use cocoon_bindings::{Params, worker_state_init};
use cocoon_chain::{Message, Transaction, WorkerAccount};

/// First bits of a bounced message that brings its body along.
const RICH_BOUNCE: u32 = 0xffff_fffe;

/// The totals that the contract had paid, and the one that it counts now.
pub(crate) fn points(contract: &ContractHistory<WorkerAccount>) -> Vec<u64> {
    let mut points: Vec<u64> = contract
        .transactions
        .iter()
        .filter_map(asked_up_to)
        .map(TokenCount::get)
        .collect();
    points.push(contract.account.tokens.get());
    points.retain(|tokens| *tokens > 0);
    points
}

/// The total that a transaction asks payment up to, if it asks.
fn asked_up_to(transaction: &Transaction) -> Option<TokenCount> {
    let message = transaction.in_msg.as_ref().filter(|message| !message.bounced)?;
    if !transaction.success() {
        return None;
    }
    match WorkerMessage::load_from(&mut message.body()).ok()? {
        WorkerMessage::PayoutSigned(payout) => Some(payout.payload.new_tokens),
        WorkerMessage::LastPayoutSigned(payout) => Some(payout.payload.new_tokens),
        // A claim by statement: the contract tells the proxy contract what it counts.
        WorkerMessage::SettleClaim(_) => steps(transaction).map(|step| step.tokens).next(),
        _ => None,
    }
}

/// The payouts that held: one that bounced is taken back.
pub(crate) fn settlements(contract: &ContractHistory<WorkerAccount>) -> Vec<Settlement> {
    let params = &contract.account.params;
    let mut replay = Replay::new(params.price_per_token, params.worker_fee_per_token);
    let mut settled: Vec<Settlement> = Vec::new();
    for transaction in contract.transactions.iter().filter(|transaction| transaction.success()) {
        let Some(message) = transaction.in_msg.as_ref() else {
            continue;
        };
        if message.bounced {
            let before = replay.tokens;
            replay.undo(message);
            let delta = before.saturating_sub(replay.tokens);
            let is_it = |one: &Settlement| one.tokens.saturating_sub(one.from) == delta;
            if let Some(at) = settled.iter().rposition(is_it) {
                settled.remove(at);
            }
        } else if let Some(tokens) = asked_up_to(transaction).filter(|tokens| *tokens > replay.tokens) {
            let price = params.worker_fee_per_token;
            settled.push(Settlement::new(replay.tokens, tokens, price, transaction));
            replay.tokens = tokens;
        }
    }
    settled
}

/// Whether an address follows from what its contract holds and from a proxy contract of this history.
pub(crate) fn is_of_proxy(address: &Address, account: &WorkerAccount, chain: &ChainHistory) -> bool {
    let Some(proxy) = chain.contract(&account.proxy) else {
        return false;
    };
    let (key, params) = (&proxy.account.proxy_public_key, &proxy.account.params);
    worker_state_init(&account.owner, &proxy.address, key, params)
        .is_ok_and(|state| crate::history::is_of(&state, address, &account.account))
}

/// Replays a worker contract against its channel.
pub(crate) fn check(
    address: &Address,
    contract: Option<&ContractHistory<WorkerAccount>>,
    channel: &Channel,
    chain: &ChainHistory,
) -> Result<ChannelReport, Difference> {
    let last = channel.covering(channel.tokens());
    let differs = |kind, what: &str| Difference::of_contract(kind, Role::Worker, address, last, what);
    // A worker may deploy its contract when there is something to be paid.
    let Some(contract) = contract else {
        if chain.strangers.workers.contains(address) {
            return Err(differs(Kind::Contract, "it is not a worker contract of this proxy"));
        }
        if chain.heard.workers.contains(address) {
            return Err(differs(
                Kind::Contract,
                "it wrote to its proxy contract, but is not there",
            ));
        }
        let proxy = channel.proxy.as_ref().and_then(|proxy| chain.contract(proxy));
        let is_free = proxy.is_some_and(|proxy| proxy.account.params.worker_fee_per_token == Nanoton::ZERO);
        let nothing = Replay::new(Nanoton::ZERO, Nanoton::ZERO);
        return Ok(report(address, channel, &nothing, is_free));
    };
    let account = &contract.account;
    let Some(proxy) = chain.contract(&account.proxy) else {
        return Err(differs(Kind::Contract, "it is not a worker contract of this proxy"));
    };
    if channel
        .proxy
        .as_ref()
        .is_some_and(|of_receipts| *of_receipts != proxy.address)
    {
        return Err(differs(
            Kind::Contract,
            "it is of another proxy contract than its receipts",
        ));
    }
    if !is_of_proxy(address, account, chain) {
        return Err(differs(Kind::Contract, "it is not a worker contract of this proxy"));
    }
    let terms = |params: &Params| (params.price_per_token, params.worker_fee_per_token);
    if terms(&account.params) != terms(&proxy.account.params) {
        return Err(differs(Kind::Contract, "its terms are not those of its proxy contract"));
    }
    let mut replay = Replay::new(account.params.price_per_token, account.params.worker_fee_per_token);
    for transaction in contract.transactions.iter().filter(|transaction| transaction.success()) {
        replay.step(address, transaction, channel)?;
    }
    if replay.tokens != account.tokens {
        let what = format!("its history pays {} tokens, it says {}", replay.tokens, account.tokens);
        return Err(differs(Kind::Balance, &what));
    }
    let is_free = account.params.worker_fee_per_token == Nanoton::ZERO;
    Ok(report(address, channel, &replay, is_free))
}

fn report(address: &Address, channel: &Channel, replay: &Replay, is_free: bool) -> ChannelReport {
    let unsettled = channel.tokens().saturating_sub(replay.tokens);
    ChannelReport {
        role: Role::Worker,
        contract: address.clone(),
        receipts: channel.receipts,
        tokens: channel.tokens(),
        settled: replay.tokens,
        // No proxy pays gas for a payout of nothing.
        open: if is_free { TokenCount::ZERO } else { unsettled },
        amount: replay.paid,
        settlements: replay.payouts,
    }
}

/// The contract's counter, kept once more.
struct Replay {
    price: Nanoton,
    fee: Nanoton,
    tokens: TokenCount,
    paid: Nanoton,
    payouts: u64,
}

impl Replay {
    fn new(price: Nanoton, fee: Nanoton) -> Self {
        Self {
            price,
            fee,
            tokens: TokenCount::ZERO,
            paid: Nanoton::ZERO,
            payouts: 0,
        }
    }

    fn step(&mut self, address: &Address, transaction: &Transaction, channel: &Channel) -> Result<(), Difference> {
        let Some(message) = transaction.in_msg.as_ref() else {
            return Ok(());
        };
        if message.bounced {
            self.undo(message);
            return Ok(());
        }
        let Some(tokens) = asked_up_to(transaction) else {
            return Ok(());
        };
        let differs = |(kind, what): (Kind, String)| {
            Difference::of_contract(kind, Role::Worker, address, channel.covering(tokens), what).at(transaction.lt)
        };
        self.pay(tokens, channel, asked(transaction).as_ref()).map_err(differs)
    }

    /// A voucher: must end where a receipt ends, and asks for tokens times price, shared by fee.
    fn pay(
        &mut self,
        tokens: TokenCount,
        channel: &Channel,
        asked: Option<&WorkerPayoutPayload>,
    ) -> Result<(), (Kind, String)> {
        if tokens > channel.tokens() {
            let what = format!("{tokens} tokens were paid, the receipts sum to {}", channel.tokens());
            return Err((Kind::Settlement, what));
        }
        if !channel.ends_at(tokens) {
            return Err((
                Kind::Settlement,
                format!("{tokens} tokens were paid, but no receipt ends there"),
            ));
        }
        let delta = tokens.saturating_sub(self.tokens);
        let parts = || {
            let worker = self.fee.checked_mul_tokens(delta)?;
            Some((worker, self.price.checked_mul_tokens(delta)?.checked_sub(worker)?))
        };
        let expected = parts().ok_or_else(|| (Kind::Amount, format!("{delta} tokens have no amount")))?;
        let found = asked.map(|asked| (asked.worker_part, asked.proxy_part));
        if found != Some(expected) {
            let (worker, proxy) = found.unwrap_or_default();
            let what = format!(
                "for {delta} tokens it asked {worker} for the worker and {proxy} for the proxy, not {} and {}",
                expected.0, expected.1
            );
            return Err((Kind::Amount, what));
        }
        self.paid = self.paid.checked_add(expected.0).unwrap_or(Nanoton::MAX);
        self.tokens = tokens;
        self.payouts = self.payouts.saturating_add(1);
        Ok(())
    }

    /// The proxy contract did not pay: the tokens are unpaid again.
    fn undo(&mut self, message: &Message) {
        let mut body = message.body();
        if body.load_u32() != Ok(RICH_BOUNCE) {
            return;
        }
        let step = body
            .load_reference_cloned()
            .and_then(|original| from_cell::<WorkerStep>(&original));
        let Some(payout) = step.ok().and_then(|step| step.payload) else {
            return;
        };
        let whole = payout
            .worker_part
            .checked_add(payout.proxy_part)
            .unwrap_or(Nanoton::MAX);
        let delta = whole
            .checked_div(self.price)
            .and_then(|delta| u64::try_from(delta).ok())
            .unwrap_or(0);
        self.tokens = self.tokens.saturating_sub(TokenCount::new(delta));
        self.paid = self.paid.saturating_sub(payout.worker_part);
        self.payouts = self.payouts.saturating_sub(1);
    }
}

/// What the contract asked its proxy to pay.
fn asked(transaction: &Transaction) -> Option<WorkerPayoutPayload> {
    steps(transaction).filter_map(|step| step.payload).next()
}

/// What the contract told its proxy contract.
fn steps(transaction: &Transaction) -> impl Iterator<Item = WorkerStep> {
    let messages = transaction.out_msgs.iter();
    messages.filter_map(|message| WorkerStep::load_from(&mut message.body()).ok())
}
