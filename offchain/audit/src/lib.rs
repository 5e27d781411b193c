//! Replays a proxy's receipts against the chain: who signed, what was counted, what it cost, what was charged and paid.
//!
//! The chain is read first: every version of the terms, what the root contract listed when, and the history of each contract
//! of the proxy's key. Then the receipts go by once: each is checked by itself, on all cores, and in its order as a link of its two
//! channels and as an entry of the log. Last, each contract's history is replayed: each charge and payout must end where a
//! receipt ends and move tokens times price, each anchored checkpoint must be a beginning of the log, and what the contracts hold now
//! must be what the replay gives.
//!
//! **Invariant:** the verdict "equal" is given only if nothing was left unchecked that the verdict speaks of: what is not
//! settled yet makes it "open", what cannot be read makes it "different" or an error. What is kept in memory grows with the network
//! (contracts, settlements), never with the receipts.
//!
//! Main functions: [`run`] for a store and a chain, [`run_with`] for any [`Log`], [`Bundle`] for an audit without a network;
//! [`judge`] is the same as a pure function; [`trace()`] says of one receipt what can be proven of it.
//!
//! ```no_run
//! # async fn audit(chain: &dyn cocoon_chain::ChainClient, proxy: &cocoon_bindings::ton::Address) -> Result<(), cocoon_audit::AuditError> {
//! let report = cocoon_audit::run(std::path::Path::new(".cocoon/proxy"), chain, proxy).await?;
//! assert_eq!(report.exit_code(), 0, "{}", report.sentence());
//! # Ok(())
//! # }
//! ```
//!
//! Not checked: the platform's signature over a quote (its collateral is valid for weeks, receipts are kept for years;
//! the proxy verified it when the worker connected). That the quote is for the key that signed the receipt, and that the
//! root contract listed its image at that time, is. Nor are times of receipts, which are the proxy's word, and the prices of receipts
//! without counts (docs/audit.md).

mod bundle;
mod challenges;
mod channel;
mod client;
mod error;
mod evidence;
mod examine;
mod export;
mod facts;
mod history;
mod judge;
pub mod limits;
mod log;
mod proxy;
mod recording;
mod reputation;
mod root;
mod run;
pub mod signatures;
mod source;
mod state;
mod statement;
mod trace;
mod verdict;
mod worker;

pub use bundle::{Bundle, CHAIN_FILE, LOG_FOLDER, write_bundle};
pub use challenges::ChallengeTotals;
pub use error::AuditError;
pub use evidence::EvidenceSource;
pub use export::{Export, ExportFormat, Exported, to_parquet};
pub use facts::{
    AnchorFact, CertificateFact, ClientFact, Facts, ListingFact, ParamsFact, ProxyFact, Settlement, WorkerFact,
};
pub use history::{ChainHistory, ContractHistory};
pub use log::{Log, LogKind, PublishedReceipts, StoreLog};
pub use recording::RecordedChain;
pub use reputation::{Reputations, WorkerReputation};
pub use root::{Listed, Listings, NotListed, RootHistory, Terms, Window};
pub use run::{Audited, Options, judge, run, run_resumable, run_with};
pub use source::{Entry, Head, MemorySource, Piece, ReceiptSource, StoreSource};
pub use statement::{Line, Scope, Sums, to_csv};
pub use trace::{Finding, Judging, Link, Step, Subject, SubjectError, Trace, TraceLog, TraceVerdict, trace};
pub use verdict::{
    ChannelReport, Difference, DifferenceKind, LogReport, ProxyReport, Report, Role, Totals, Verdict, counted,
};
