//! What the chain says, in plain: the half of a bundle that needs no reader of cells.

use crate::evidence::Certificates;
use crate::history::ChainHistory;
use crate::limits::{CLOCK_SKEW_SECONDS, LISTING_GRACE_SECONDS};
use crate::root::Listed;
use crate::{client, proxy, worker};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Nanoton, ParamsVersion, PublicKey, TokenCount};
use cocoon_bindings::{ImageHash, Multipliers};
use cocoon_chain::Transaction;
use serde::Serialize;

/// A charge or payout that held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Settlement {
    /// What the contract counted before.
    pub from: TokenCount,
    /// What it counted after: a receipt ends there.
    pub tokens: TokenCount,
    /// What it cost the client, or earned the worker.
    pub amount: Nanoton,
    /// Logical time.
    pub lt: u64,
    /// Unix seconds.
    pub time: u32,
}

impl Settlement {
    /// For the tokens between two totals, at a price.
    pub(crate) fn new(from: TokenCount, tokens: TokenCount, price: Nanoton, transaction: &Transaction) -> Self {
        let amount = price.checked_mul_tokens(tokens.saturating_sub(from));
        Self {
            from,
            tokens,
            amount: amount.unwrap_or(Nanoton::MAX),
            lt: transaction.lt,
            time: transaction.now,
        }
    }
}

/// When something was on one of the root contract's lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListingFact {
    /// Which list.
    pub kind: Listed,
    /// What was listed.
    pub hash: HashBytes,
    /// First second, Unix time.
    pub from: u32,
    /// Last second; none while it lasts.
    pub until: Option<u32>,
}

/// One version of the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParamsFact {
    /// The version.
    pub version: ParamsVersion,
    /// Since when, Unix seconds.
    pub from: u32,
    /// What a client pays for a token.
    pub price_per_token: Nanoton,
    /// What of it the worker gets.
    pub worker_fee_per_token: Nanoton,
    /// Weights of the token classes.
    pub multipliers: Multipliers,
}

/// A checkpoint that a proxy contract kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnchorFact {
    /// Its number.
    pub seqno: u64,
    /// Receipts.
    pub size: u64,
    /// Root of the tree over their ids.
    pub root: HashBytes,
    /// When it was made, Unix seconds.
    pub time: u64,
}

/// A proxy contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyFact {
    /// The contract.
    pub address: Address,
    /// Version of its terms.
    pub params_version: ParamsVersion,
    /// Earned and not withdrawn.
    pub balance: Nanoton,
    /// Checkpoints that it kept, in their order.
    pub anchors: Vec<AnchorFact>,
}

/// A client contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientFact {
    /// The contract.
    pub address: Address,
    /// The proxy contract that holds its coins.
    pub proxy: Address,
    /// Tokens charged.
    pub tokens: TokenCount,
    /// Paid in and neither charged nor refunded.
    pub balance: Nanoton,
    /// The charges.
    pub settlements: Vec<Settlement>,
}

/// A worker contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerFact {
    /// The contract.
    pub address: Address,
    /// The proxy contract that pays.
    pub proxy: Address,
    /// Tokens paid for.
    pub tokens: TokenCount,
    /// The payouts.
    pub settlements: Vec<Settlement>,
}

/// A certificate that receipts name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateFact {
    /// SHA-256 of its DER.
    pub hash: HashBytes,
    /// Its Ed25519 key.
    pub key: PublicKey,
    /// The image that its quote shows.
    pub image: ImageHash,
}

/// Everything that a reader of the log needs of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Whether the root contract says that this is a test network, with simulated evidence.
    pub test_network: bool,
    /// Seconds for which a receipt may still name what was taken off a list.
    pub grace: u64,
    /// Seconds by which clocks may differ.
    pub skew: u64,
    /// What was listed when, by list, hash and time.
    pub listings: Vec<ListingFact>,
    /// Every version of the terms.
    pub params: Vec<ParamsFact>,
    /// The proxy's contracts, by version.
    pub proxies: Vec<ProxyFact>,
    /// Client contracts that exist, by address.
    pub clients: Vec<ClientFact>,
    /// Worker contracts that exist, by address.
    pub workers: Vec<WorkerFact>,
    /// Certificates, by hash.
    pub certificates: Vec<CertificateFact>,
}

impl Facts {
    /// Out of a history and the certificates that the receipts named.
    pub(crate) fn of(history: &ChainHistory, certificates: &Certificates) -> Self {
        let root = &history.root;
        let listing = |(kind, hash, window): (Listed, HashBytes, crate::root::Window)| ListingFact {
            kind,
            hash,
            from: window.from,
            until: window.until,
        };
        let params = root.terms.values().map(|terms| ParamsFact {
            version: terms.params.params_version,
            from: terms.from,
            price_per_token: terms.params.price_per_token,
            worker_fee_per_token: terms.params.worker_fee_per_token,
            multipliers: terms.params.multipliers,
        });
        let mut proxies: Vec<ProxyFact> = history.contracts().map(proxy_fact).collect();
        proxies.sort_by_key(|fact| (fact.params_version, fact.address.clone()));
        let clients = history.clients.values().flatten().map(|contract| ClientFact {
            address: contract.address.clone(),
            proxy: contract.account.constants.proxy.clone(),
            tokens: contract.account.tokens_used,
            balance: contract.account.balance,
            settlements: client::settlements(contract),
        });
        let workers = history.workers.values().flatten().map(|contract| WorkerFact {
            address: contract.address.clone(),
            proxy: contract.account.proxy.clone(),
            tokens: contract.account.tokens,
            settlements: worker::settlements(contract),
        });
        let certificates = certificates.sound().into_iter().map(|(hash, known)| CertificateFact {
            hash,
            key: known.leaf_key,
            image: known.image,
        });
        Self {
            test_network: root.is_test,
            grace: LISTING_GRACE_SECONDS,
            skew: CLOCK_SKEW_SECONDS,
            listings: root.listings.iter().map(listing).collect(),
            params: params.collect(),
            proxies,
            clients: clients.collect(),
            workers: workers.collect(),
            certificates: certificates.collect(),
        }
    }
}

fn proxy_fact(contract: &crate::ContractHistory<cocoon_chain::ProxyAccount>) -> ProxyFact {
    let anchors = proxy::anchors(contract).into_iter().map(|anchor| AnchorFact {
        seqno: anchor.seqno,
        size: anchor.size,
        root: anchor.root,
        time: anchor.time,
    });
    ProxyFact {
        address: contract.address.clone(),
        params_version: contract.account.params.params_version,
        balance: contract.account.balance,
        anchors: anchors.collect(),
    }
}
