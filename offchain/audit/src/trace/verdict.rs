//! What a trace says: its links and what follows from them.

use cocoon_bindings::units::Nanoton;
use serde::Serialize;
use std::fmt;

/// What was found of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It holds, whoever says so.
    Proven,
    /// What is at hand does not say.
    Unknown,
    /// It does not hold.
    Refuted,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Proven => "proven",
            Self::Unknown => "unknown",
            Self::Refuted => "REFUTED",
        })
    }
}

/// The links of the chain, in the order in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The root contract is the one that the reader trusts.
    Root,
    /// The receipt is of a proxy contract of this root, whose address follows from its owner, key and terms.
    Contract,
    /// The key in that contract signed the receipt.
    ProxySignature,
    /// It is in the log that this key signs.
    Inclusion,
    /// A checkpoint of that log which covers it was taken by the chain.
    Anchor,
    /// The certificate of the proxy that the receipt names.
    ProxyCertificate,
    /// The quote in it, by its maker's collateral of the receipt's time.
    ProxyQuote,
    /// The image in that quote was listed then.
    ProxyImage,
    /// The certificate of the worker that the receipt names.
    WorkerCertificate,
    /// The quote in it, by its maker's collateral of the receipt's time.
    WorkerQuote,
    /// The image in that quote was listed then.
    WorkerImage,
    /// The key of the worker's certificate signed the statement.
    WorkerSignature,
    /// The model was listed then.
    Model,
    /// The prices and multipliers are those of the version that the receipt names.
    Terms,
    /// The adjusted tokens follow from the raw counts.
    Tokens,
    /// The sums are right, and no more is charged than was used.
    Charge,
    /// The client's contract has paid up to this receipt.
    ClientSettled,
    /// The worker's contract was paid up to this receipt.
    WorkerSettled,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Self::Root => "root contract",
            Self::Contract => "proxy contract",
            Self::ProxySignature => "proxy's signature",
            Self::Inclusion => "in the log",
            Self::Anchor => "anchor on chain",
            Self::ProxyCertificate => "proxy's certificate",
            Self::ProxyQuote => "proxy's quote",
            Self::ProxyImage => "proxy's image",
            Self::WorkerCertificate => "worker's certificate",
            Self::WorkerQuote => "worker's quote",
            Self::WorkerImage => "worker's image",
            Self::WorkerSignature => "worker's signature",
            Self::Model => "model",
            Self::Terms => "terms",
            Self::Tokens => "tokens",
            Self::Charge => "charge",
            Self::ClientSettled => "client has paid",
            Self::WorkerSettled => "worker was paid",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Which.
    pub step: Step,
    /// What was found.
    pub finding: Finding,
    /// Whether a receipt is believed only when this is proven.
    pub required: bool,
    /// In words: what it says, or why it could not be checked.
    pub says: String,
}

/// The outcome in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceVerdict {
    /// Everything that must be proven is, and nothing is refuted.
    Proven,
    /// Something that must be proven could not be checked.
    Incomplete,
    /// Something does not hold.
    Refuted,
}

/// A receipt and all its links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Its id.
    pub receipt: String,
    /// In one word.
    pub verdict: TraceVerdict,
    /// Whether the root contract says that this is a test network, whose evidence proves nothing about hardware.
    pub simulated: bool,
    /// When the request was handed to the worker by the proxy's clock, Unix milliseconds: the time that everything is judged at.
    pub time_ms: u64,
    /// Tokens charged.
    pub charged: u64,
    /// What they cost the client at the terms of the receipt.
    pub price: Option<Nanoton>,
    /// What of it the worker earned.
    pub earned: Option<Nanoton>,
    /// The links, in their order; the first one that ends the trace is the last.
    pub links: Vec<Link>,
}

impl Trace {
    /// 0 only if everything that must be proven is, and nothing is refuted.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.verdict != TraceVerdict::Proven)
    }

    /// The verdict in one sentence.
    pub fn sentence(&self) -> String {
        let id = &self.receipt;
        let first = |wanted: &dyn Fn(&&Link) -> bool| self.links.iter().find(wanted);
        match self.verdict {
            TraceVerdict::Refuted => {
                let link = first(&|link| link.finding == Finding::Refuted);
                link.map_or_else(String::new, |link| {
                    format!("Refuted: receipt {id}: {}: {}.", link.step, link.says)
                })
            }
            TraceVerdict::Incomplete => {
                let link = first(&|link| link.required && link.finding == Finding::Unknown);
                link.map_or_else(String::new, |link| {
                    format!("Incomplete: receipt {id}: {}: {}.", link.step, link.says)
                })
            }
            TraceVerdict::Proven => {
                let unknown = self.links.iter().filter(|link| link.finding == Finding::Unknown);
                match unknown.count() {
                    0 => format!("Proven: receipt {id}, in every link."),
                    1 => format!("Proven: receipt {id}; one link that need not be is unknown."),
                    count => format!("Proven: receipt {id}; {count} links that need not be are unknown."),
                }
            }
        }
    }

    /// One of its links.
    pub fn link(&self, step: Step) -> Option<&Link> {
        self.links.iter().find(|link| link.step == step)
    }
}
