//! What an audit says.

use crate::reputation::Reputations;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Nanoton, ParamsVersion, TokenCount};
use cocoon_receipt::ReceiptId;
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::challenges::ChallengeTotals;

/// The outcome in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Receipts and chain agree to the last token.
    Equal,
    /// They agree as far as is settled; some tokens are not settled yet.
    Open,
    /// Something differs.
    Different,
}

/// What kind of thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The receipt log was changed after it was written.
    Log,
    /// A signature does not verify.
    Signature,
    /// A receipt is for another proxy, root or version of the terms.
    Terms,
    /// Adjusted tokens do not follow from the counts.
    Price,
    /// A receipt does not continue its channel.
    Channel,
    /// The certificate behind a receipt is missing or does not fit.
    Evidence,
    /// A contract is missing or is not what it should be.
    Contract,
    /// A charge or payout does not end where a receipt ends.
    Settlement,
    /// An amount is not tokens times price.
    Amount,
    /// A balance or counter on chain is not what its history gives.
    Balance,
    /// A checkpoint on chain is not one of this log.
    Anchor,
    /// What a bundle says in plain is not what its transactions say.
    Bundle,
}

/// The first thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: DifferenceKind,
    /// The receipt concerned.
    pub receipt: Option<String>,
    /// Raw address of the contract concerned.
    pub contract: Option<String>,
    /// Logical time of the transaction concerned.
    pub transaction: Option<u64>,
    /// All of it in one sentence.
    pub sentence: String,
}

impl Difference {
    /// Of a receipt.
    pub(crate) fn of_receipt(kind: DifferenceKind, receipt: ReceiptId, what: impl fmt::Display) -> Self {
        let sentence = format!("Receipt {receipt}: {what}.");
        Self {
            kind,
            receipt: Some(receipt.to_string()),
            contract: None,
            transaction: None,
            sentence,
        }
    }

    /// Of the log as a whole.
    pub(crate) fn of_log(what: impl fmt::Display) -> Self {
        Self {
            kind: DifferenceKind::Log,
            receipt: None,
            contract: None,
            transaction: None,
            sentence: format!("The log: {what}."),
        }
    }

    /// Of a contract, and of the receipt that it should agree with.
    pub(crate) fn of_contract(
        kind: DifferenceKind,
        role: Role,
        contract: &Address,
        receipt: Option<ReceiptId>,
        what: impl fmt::Display,
    ) -> Self {
        let at = receipt
            .map(|receipt| format!("Receipt {receipt}: "))
            .unwrap_or_default();
        Self {
            kind,
            receipt: receipt.map(|receipt| receipt.to_string()),
            contract: Some(contract.to_string()),
            transaction: None,
            sentence: format!("{at}{role} contract {contract}: {what}."),
        }
    }

    /// In a certain transaction.
    pub(crate) fn at(self, lt: u64) -> Self {
        Self {
            transaction: Some(lt),
            ..self
        }
    }
}

/// Which side of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Pays.
    Client,
    /// Stands between.
    Proxy,
    /// Is paid.
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::Worker => "worker",
        })
    }
}

/// One channel, by receipts and by chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelReport {
    /// Whose contract.
    pub role: Role,
    /// The contract.
    pub contract: Address,
    /// Receipts of the channel.
    pub receipts: u64,
    /// Tokens that the receipts sum to.
    pub tokens: TokenCount,
    /// Tokens that the contract has settled.
    pub settled: TokenCount,
    /// Tokens that it has not and that somebody owes for: none where a token costs nothing.
    pub open: TokenCount,
    /// What the settled tokens cost the client, or earned the worker.
    pub amount: Nanoton,
    /// Charges or payouts in the contract's history.
    pub settlements: u64,
}

/// Numbers over all receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Receipts.
    pub receipts: u64,
    /// Tokens charged by them.
    pub tokens: TokenCount,
    /// Receipts that the worker signed too.
    pub signed_by_worker: u64,
    /// Receipts without raw counts: their price cannot be recomputed.
    pub without_counts: u64,
    /// Receipts that charge less than was used, because no more was reserved.
    pub capped: u64,
    /// Certificates looked at.
    pub certificates: u64,
}

/// One contract of the proxy: each version of the terms made another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyReport {
    /// The contract.
    pub contract: Address,
    /// Version of its terms.
    pub params_version: ParamsVersion,
    /// What a client pays for a token.
    pub price_per_token: Nanoton,
    /// What of it the worker gets.
    pub worker_fee_per_token: Nanoton,
    /// Checkpoints of the log that it kept; each is the root of its beginning.
    pub anchors: u64,
}

/// The log as the receipts make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Receipts.
    pub size: u64,
    /// Root of the tree over their ids.
    pub root: HashBytes,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In one word.
    pub verdict: Verdict,
    /// The first difference.
    pub difference: Option<Difference>,
    /// The proxy contract.
    pub proxy: Address,
    /// The root contract.
    pub root: Address,
    /// Whether the root contract says that this is a test network, with simulated evidence.
    pub test_network: bool,
    /// Version of the terms.
    pub params_version: ParamsVersion,
    /// What a client pays for a token.
    pub price_per_token: Nanoton,
    /// What of it the worker gets.
    pub worker_fee_per_token: Nanoton,
    /// All contracts of the proxy, the one above first.
    pub proxies: Vec<ProxyReport>,
    /// The log, as far as it was read.
    pub log: LogReport,
    /// Numbers over all receipts.
    pub totals: Totals,
    /// What the receipts say about their workers; of all receipts only when nothing differs.
    pub reputations: Reputations,
    /// What the log says of requests that two workers answered, if it says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenges: Option<ChallengeTotals>,
    /// Channels that were compared; up to the first difference.
    pub channels: Vec<ChannelReport>,
}

impl Report {
    /// 0 only if everything is equal to the last token.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.verdict != Verdict::Equal)
    }

    /// Whether a later reading of log and chain may find what this one lacks: tokens that are not settled yet, or receipts that a
    /// published log does not have yet although the chain has settled them.
    pub fn may_change(&self) -> bool {
        let kind = self.difference.as_ref().map(|difference| difference.kind);
        match self.verdict {
            Verdict::Equal => false,
            Verdict::Open => true,
            Verdict::Different => matches!(kind, Some(DifferenceKind::Settlement | DifferenceKind::Anchor)),
        }
    }

    /// The verdict in one sentence.
    pub fn sentence(&self) -> String {
        let receipts = counted(self.totals.receipts, "receipt");
        let tokens = counted(self.totals.tokens.get(), "token");
        match (&self.difference, self.verdict) {
            (Some(difference), _) => difference.sentence.clone(),
            (None, Verdict::Open) => {
                let open: Vec<String> = self.channels.iter().filter_map(ChannelReport::open_text).collect();
                format!(
                    "Equal as far as settled: {receipts} over {tokens}; not settled yet: {}.",
                    open.join(", ")
                )
            }
            (None, _) => {
                format!("Equal: {receipts} over {tokens}, charged and paid to the last token.")
            }
        }
    }
}

/// `1 receipt`, `2 receipts`.
pub fn counted(number: u64, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

impl ChannelReport {
    fn open_text(&self) -> Option<String> {
        (self.open > TokenCount::ZERO).then(|| format!("{} tokens of {} {}", self.open, self.role, self.contract))
    }
}
