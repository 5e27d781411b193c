//! One receipt traced through everything that it rests on: signatures, log, anchor, certificates, quotes, lists, terms, money.
//!
//! An audit says that a whole log is equal to the chain; this says of one receipt, years later, what can still be proven of it
//! and what cannot. Nobody's word is taken: the key comes from the proxy contract, whose address follows from what it holds.

mod evidence;
mod money;
mod place;
mod subject;
mod verdict;

pub use place::TraceLog;
pub use subject::{Subject, SubjectError};
pub use verdict::{Finding, Link, Step, Trace, TraceVerdict};

use crate::error::AuditError;
use crate::history::{ChainHistory, Named};
use crate::proxy;
use cocoon_attest::{Endorsements, Policy, TrustRoots};
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ChainClient, ChainError};
use cocoon_receipt::{ReceiptId, SignedReceipt};

/// By what a receipt is judged.
#[derive(Debug, Clone)]
pub struct Judging {
    /// The root contract that the reader trusts: anybody can deploy another one, so without it nothing is proven.
    pub root: Option<Address>,
    /// Who may vouch for platforms.
    pub roots: TrustRoots,
    /// Collateral of the receipt's time, as far as somebody kept it.
    pub endorsements: Endorsements,
    /// What is asked of platforms beyond being genuine; nothing when absent.
    pub policy: Option<Policy>,
    /// Whether every link must be proven, also those that depend on what others keep.
    pub strict: bool,
}

/// What was found, and in which words.
type Outcome = (Finding, String);

fn proven(says: impl Into<String>) -> Outcome {
    (Finding::Proven, says.into())
}

fn unknown(says: impl Into<String>) -> Outcome {
    (Finding::Unknown, says.into())
}

fn refuted(says: impl Into<String>) -> Outcome {
    (Finding::Refuted, says.into())
}

/// The links so far.
struct Links {
    links: Vec<Link>,
    strict: bool,
}

impl Links {
    /// Adds one that must be proven.
    fn must(&mut self, step: Step, outcome: Outcome) {
        self.add(step, true, outcome);
    }

    /// Adds one that may be unknown.
    fn may(&mut self, step: Step, outcome: Outcome) {
        self.add(step, self.strict, outcome);
    }

    fn add(&mut self, step: Step, required: bool, (finding, says): Outcome) {
        self.links.push(Link {
            step,
            finding,
            required,
            says,
        });
    }

    fn verdict(&self) -> TraceVerdict {
        if self.links.iter().any(|link| link.finding == Finding::Refuted) {
            return TraceVerdict::Refuted;
        }
        let lacks = |link: &Link| link.required && link.finding != Finding::Proven;
        if self.links.iter().any(lacks) {
            TraceVerdict::Incomplete
        } else {
            TraceVerdict::Proven
        }
    }
}

/// Traces a receipt. `log` is where it stands and where its certificates are; the chain must know the proxy's contracts and the
/// root contract with their whole history. An error says that one of them could not be read, not that something is wrong.
pub async fn trace(
    subject: &Subject,
    log: &TraceLog,
    chain: &dyn ChainClient,
    judging: &Judging,
) -> Result<Trace, AuditError> {
    let mut links = Links {
        links: Vec::new(),
        strict: judging.strict,
    };
    let contract = &subject.receipt.receipt.statement.proxy;
    let history = match ChainHistory::fetch_proxies(chain, contract).await {
        Ok(history) => history,
        Err(AuditError::Chain(ChainError::NotDeployed { .. })) => {
            let says = format!("there is no contract at {contract}, or the chain that was asked does not know it");
            links.must(Step::Contract, unknown(says));
            return Ok(finish(subject, links, None));
        }
        // Anybody can write any address into a receipt.
        Err(AuditError::Chain(ChainError::Data { .. })) => {
            let says = format!("what is at {contract} is not the contract that a receipt is of");
            links.must(Step::Contract, refuted(says));
            return Ok(finish(subject, links, None));
        }
        Err(error) => return Err(error),
    };
    whole(subject, log, chain, judging, history, links).await
}

async fn whole(
    subject: &Subject,
    log: &TraceLog,
    chain: &dyn ChainClient,
    judging: &Judging,
    mut history: ChainHistory,
    mut links: Links,
) -> Result<Trace, AuditError> {
    let mut named = Named::default();
    named.add(&subject.receipt);
    history.extend(chain, &named).await?;
    let is_test = history
        .root
        .is_test_at(subject.receipt.receipt.statement.params_version);
    links.must(Step::Root, root(&history, is_test, judging.root.as_ref()));
    links.must(Step::Contract, contract(&subject.receipt, &history));
    let id = subject.receipt.id();
    let key = *history.key();
    links.must(
        Step::ProxySignature,
        match subject.receipt.verify_proxy(&key) {
            Ok(()) => proven(format!("by key {key}, which the contract holds")),
            Err(error) => refuted(error.to_string()),
        },
    );
    let placed = place::find(subject, &id, log, &history).await?;
    links.must(Step::Inclusion, placed.inclusion);
    links.may(Step::Anchor, placed.anchor);
    let mut receipt = subject.receipt.clone();
    receipt.worker_signature = receipt.worker_signature.or(placed.worker_signature);
    evidence::links(&receipt, log, &history, judging, &mut links).await?;
    money::links(&receipt, &history, &mut links);
    Ok(finish(subject, links, Some(&history)))
}

/// Whether the contracts are those of the network that the reader means.
fn root(history: &ChainHistory, is_test: bool, trusted: Option<&Address>) -> Outcome {
    let found = &history.root.address;
    let kind = if is_test { ", of a SIMULATED network" } else { "" };
    match trusted {
        None => unknown(format!(
            "the proxy contract names {found}{kind}; nobody said which root is to be trusted"
        )),
        Some(trusted) if trusted == found => proven(format!("{found}{kind}")),
        Some(trusted) => refuted(format!("the proxy contract is of root {found}, not of {trusted}")),
    }
}

/// Whether the receipt is of a contract that is what its address says.
fn contract(receipt: &SignedReceipt, history: &ChainHistory) -> Outcome {
    let statement = &receipt.receipt.statement;
    if statement.root != history.root.address {
        return refuted(format!(
            "the receipt is of root {}, the contract of {}",
            statement.root, history.root.address
        ));
    }
    match proxy::check_terms(&history.proxy, history) {
        Ok(()) => proven(format!(
            "{}, whose address follows from its owner, key and terms",
            history.proxy.address
        )),
        Err(difference) => refuted(difference.sentence.trim_end_matches('.')),
    }
}

fn finish(subject: &Subject, links: Links, history: Option<&ChainHistory>) -> Trace {
    let receipt = &subject.receipt.receipt;
    let params = history.map(|history| &history.proxy.account.params);
    let amount = |price: Nanoton| price.checked_mul(receipt.charged());
    Trace {
        receipt: ReceiptId::to_string(&receipt.id()),
        verdict: links.verdict(),
        simulated: history.is_some_and(|history| history.root.is_test_at(receipt.statement.params_version)),
        time_ms: receipt.statement.timing.started_ms,
        charged: receipt.charged(),
        price: params.and_then(|params| amount(params.price_per_token)),
        earned: params.and_then(|params| amount(params.worker_fee_per_token)),
        links: links.links,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(links: &[(bool, Finding)]) -> TraceVerdict {
        let mut all = Links {
            links: Vec::new(),
            strict: false,
        };
        for (required, finding) in links {
            all.add(Step::Model, *required, (*finding, String::new()));
        }
        all.verdict()
    }

    #[test]
    fn only_what_must_be_proven_makes_a_trace_incomplete_and_anything_refuted_refutes_it() {
        use Finding::{Proven, Refuted, Unknown};
        assert_eq!(verdict(&[(true, Proven), (false, Unknown)]), TraceVerdict::Proven);
        assert_eq!(verdict(&[(true, Proven), (true, Unknown)]), TraceVerdict::Incomplete);
        assert_eq!(verdict(&[(true, Unknown), (false, Refuted)]), TraceVerdict::Refuted);
    }
}
