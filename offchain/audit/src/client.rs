//! A client contract's history: paid in, charged, refunded.

use crate::channel::Channel;
use crate::facts::Settlement;
use crate::history::{ChainHistory, ContractHistory};
use crate::verdict::{ChannelReport, Difference, DifferenceKind as Kind, Role};
use cocoon_bindings::client::{ClientMessage, ClientState};
use cocoon_bindings::ton::{Address, Load, from_cell};
use cocoon_bindings::types::{ClientPayload, ClientStep, Lifecycle};
use cocoon_bindings::units::{Nanoton, TokenCount};
use cocoon_bindings::{Params, client_state_init};
use cocoon_chain::{ClientAccount, Message, Transaction};

/// First bits of a bounced message that brings its body along.
const RICH_BOUNCE: u32 = 0xffff_fffe;

/// The totals that the contract settled, and the one that it counts now.
pub(crate) fn points(contract: &ContractHistory<ClientAccount>) -> Vec<u64> {
    let mut points: Vec<u64> = contract
        .transactions
        .iter()
        .filter_map(charged)
        .map(TokenCount::get)
        .collect();
    points.push(contract.account.tokens_used.get());
    points.retain(|tokens| *tokens > 0);
    points
}

/// The total that a transaction charges up to, if it charges.
fn charged(transaction: &Transaction) -> Option<TokenCount> {
    let message = transaction.in_msg.as_ref().filter(|message| !message.bounced)?;
    if !transaction.success() {
        return None;
    }
    match ClientMessage::load_from(&mut message.body()).ok()? {
        ClientMessage::ChargeSigned(charge) => Some(charge.payload.new_tokens),
        ClientMessage::GrantRefundSigned(grant) => Some(grant.payload.new_tokens),
        // A claim by receipt: the contract tells what it settled.
        ClientMessage::SettleClaim(_) => reported(transaction).map(|state| state.tokens_used),
        _ => None,
    }
}

/// The charges that held: all of them, a charge is never taken back.
pub(crate) fn settlements(contract: &ContractHistory<ClientAccount>) -> Vec<Settlement> {
    let mut from = TokenCount::ZERO;
    let mut settled = Vec::new();
    for transaction in &contract.transactions {
        if let Some(tokens) = charged(transaction).filter(|tokens| *tokens > from) {
            let price = contract.account.params.price_per_token;
            settled.push(Settlement::new(from, tokens, price, transaction));
            from = tokens;
        }
    }
    settled
}

/// Whether an address follows from what its contract holds and from a proxy contract of this history.
pub(crate) fn is_of_proxy(address: &Address, account: &ClientAccount, chain: &ChainHistory) -> bool {
    let Some(proxy) = chain.contract(&account.constants.proxy) else {
        return false;
    };
    let (key, params) = (&proxy.account.proxy_public_key, &proxy.account.params);
    client_state_init(&account.constants.owner, &proxy.address, key, params)
        .is_ok_and(|state| crate::history::is_of(&state, address, &account.account))
}

/// Replays a client contract against its channel.
pub(crate) fn check(
    address: &Address,
    contract: Option<&ContractHistory<ClientAccount>>,
    channel: &Channel,
    chain: &ChainHistory,
) -> Result<ChannelReport, Difference> {
    let last = channel.covering(channel.tokens());
    let differs = |kind, what: &str| Difference::of_contract(kind, Role::Client, address, last, what);
    let Some(contract) = contract else {
        if chain.strangers.clients.contains(address) {
            return Err(differs(Kind::Contract, "it is not a client contract of this proxy"));
        }
        if chain.heard.clients.contains(address) {
            return Err(differs(
                Kind::Contract,
                "it wrote to its proxy contract, but is not there",
            ));
        }
        if channel.tokens() == TokenCount::ZERO {
            let nothing = Replay::new(Nanoton::ZERO, Nanoton::ZERO);
            return Ok(report(address, channel, &nothing, true));
        }
        return Err(differs(Kind::Contract, "there is no contract, but receipts charge it"));
    };
    let account = &contract.account;
    let Some(proxy) = chain.contract(&account.constants.proxy) else {
        return Err(differs(Kind::Contract, "it is not a client contract of this proxy"));
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
        return Err(differs(Kind::Contract, "it is not a client contract of this proxy"));
    }
    let terms = |params: &Params| (params.price_per_token, params.min_client_stake);
    if terms(&account.params) != terms(&proxy.account.params) {
        return Err(differs(Kind::Contract, "its terms are not those of its proxy contract"));
    }
    let mut replay = Replay::new(account.params.price_per_token, account.params.min_client_stake);
    for transaction in contract.transactions.iter().filter(|transaction| transaction.success()) {
        replay.step(address, transaction, channel)?;
    }
    if replay.tokens != account.tokens_used {
        let what = format!(
            "its history charges {} tokens, it says {}",
            replay.tokens, account.tokens_used
        );
        return Err(differs(Kind::Balance, &what));
    }
    if replay.balance != account.balance {
        let what = format!("its history leaves {}, it holds {}", replay.balance, account.balance);
        return Err(differs(Kind::Balance, &what));
    }
    let is_free = account.params.price_per_token == Nanoton::ZERO;
    Ok(report(address, channel, &replay, is_free))
}

fn report(address: &Address, channel: &Channel, replay: &Replay, is_free: bool) -> ChannelReport {
    let unsettled = channel.tokens().saturating_sub(replay.tokens);
    ChannelReport {
        role: Role::Client,
        contract: address.clone(),
        receipts: channel.receipts,
        tokens: channel.tokens(),
        settled: replay.tokens,
        // No proxy pays gas for a charge of nothing.
        open: if is_free { TokenCount::ZERO } else { unsettled },
        amount: replay.charged,
        settlements: replay.charges,
    }
}

/// The contract's books, kept once more.
struct Replay {
    price: Nanoton,
    stake: Nanoton,
    balance: Nanoton,
    tokens: TokenCount,
    charged: Nanoton,
    charges: u64,
}

impl Replay {
    fn new(price: Nanoton, stake: Nanoton) -> Self {
        let (balance, charged) = (Nanoton::ZERO, Nanoton::ZERO);
        Self {
            price,
            stake,
            balance,
            tokens: TokenCount::ZERO,
            charged,
            charges: 0,
        }
    }

    fn step(&mut self, address: &Address, transaction: &Transaction, channel: &Channel) -> Result<(), Difference> {
        let Some(message) = transaction.in_msg.as_ref() else {
            return Ok(());
        };
        let differs = |kind, tokens: TokenCount, what: String| {
            Difference::of_contract(kind, Role::Client, address, channel.covering(tokens), what).at(transaction.lt)
        };
        if message.bounced {
            self.undo(message);
            return Ok(());
        }
        let before = (self.balance, self.tokens);
        let reported = reported(transaction);
        let overflow = || differs(Kind::Amount, self.tokens, "an amount overflows".into());
        let paid_in = |amount: Nanoton| before.0.checked_add(amount).ok_or_else(overflow);
        let closed = reported.as_ref().is_some_and(|state| state.state == Lifecycle::Closed);
        match ClientMessage::load_from(&mut message.body()) {
            Ok(ClientMessage::AskToTopUp(ask)) => self.balance = paid_in(ask.top_up_amount)?,
            Ok(ClientMessage::TopUpWithSecretFromOwner(ask)) => self.balance = paid_in(ask.top_up_amount)?,
            Ok(ClientMessage::ReopenFromOwner(ask)) => self.balance = paid_in(ask.top_up_amount)?,
            Ok(ClientMessage::IncreaseStakeFromOwner(ask)) => self.stake = ask.new_stake,
            Ok(ClientMessage::WithdrawFromOwner(_)) => self.balance = self.stake,
            Ok(ClientMessage::RequestRefundFromOwner(_)) if closed => self.balance = Nanoton::ZERO,
            Ok(ClientMessage::RequestRefundFromOwner(_)) => self.balance = self.balance.min(self.stake),
            Ok(ClientMessage::ChargeSigned(charge)) => {
                let tokens = charge.payload.new_tokens;
                self.charge(tokens, channel)
                    .map_err(|(kind, what)| differs(kind, tokens, what))?;
            }
            Ok(ClientMessage::SettleClaim(_)) => {
                let tokens = charged(transaction).unwrap_or(self.tokens);
                self.charge(tokens, channel)
                    .map_err(|(kind, what)| differs(kind, tokens, what))?;
            }
            Ok(ClientMessage::GrantRefundSigned(grant)) => {
                let tokens = grant.payload.new_tokens;
                if tokens > self.tokens {
                    self.charge(tokens, channel)
                        .map_err(|(kind, what)| differs(kind, tokens, what))?;
                }
                self.balance = Nanoton::ZERO;
            }
            // Everything else leaves the books alone; a change there would show in what the contract reports.
            _ => {}
        }
        match reported {
            Some(state) if state.tokens_used != self.tokens => {
                let what = format!("it counts {} tokens after this, not {}", state.tokens_used, self.tokens);
                Err(differs(Kind::Balance, self.tokens, what))
            }
            Some(state) if state.balance != self.balance => {
                let what = format!(
                    "its balance went from {} to {} where {} follows from {} tokens at {}",
                    before.0,
                    state.balance,
                    self.balance,
                    self.tokens.saturating_sub(before.1),
                    self.price
                );
                Err(differs(Kind::Amount, self.tokens, what))
            }
            _ => Ok(()),
        }
    }

    /// A voucher: must end where a receipt ends, and takes tokens times price.
    fn charge(&mut self, tokens: TokenCount, channel: &Channel) -> Result<(), (Kind, String)> {
        if tokens > channel.tokens() {
            let what = format!("{tokens} tokens were charged, the receipts sum to {}", channel.tokens());
            return Err((Kind::Settlement, what));
        }
        if !channel.ends_at(tokens) {
            return Err((
                Kind::Settlement,
                format!("{tokens} tokens were charged, but no receipt ends there"),
            ));
        }
        let delta = tokens.saturating_sub(self.tokens);
        let amount = self
            .price
            .checked_mul_tokens(delta)
            .filter(|amount| *amount <= self.balance);
        let Some(amount) = amount else {
            let what = format!(
                "{delta} tokens at {} were charged against a balance of {}",
                self.price, self.balance
            );
            return Err((Kind::Amount, what));
        };
        self.balance = self.balance.saturating_sub(amount);
        self.charged = self.charged.checked_add(amount).unwrap_or(Nanoton::MAX);
        self.tokens = tokens;
        self.charges = self.charges.saturating_add(1);
        Ok(())
    }

    /// The proxy contract refused a step: it is undone.
    fn undo(&mut self, message: &Message) {
        let mut body = message.body();
        if body.load_u32() != Ok(RICH_BOUNCE) {
            return;
        }
        let step = body
            .load_reference_cloned()
            .and_then(|original| from_cell::<ClientStep>(&original));
        match step.ok().and_then(|step| step.payload) {
            Some(ClientPayload::TopUpPayload(top_up)) => {
                self.balance = self.balance.saturating_sub(top_up.top_up_amount);
            }
            Some(ClientPayload::RefundPayload(refund)) => self.put_back(refund.refund_amount),
            Some(ClientPayload::ForcedRefundPayload(refund)) => self.put_back(refund.refund_amount),
            Some(ClientPayload::RegisterPayload(_)) | None => {}
        }
    }

    fn put_back(&mut self, amount: Nanoton) {
        self.balance = self.balance.checked_add(amount).unwrap_or(Nanoton::MAX);
    }
}

/// The state that the contract told its proxy.
fn reported(transaction: &Transaction) -> Option<ClientState> {
    let steps = transaction
        .out_msgs
        .iter()
        .filter_map(|message| ClientStep::load_from(&mut message.body()).ok());
    steps.map(|step| step.client_state).next()
}
