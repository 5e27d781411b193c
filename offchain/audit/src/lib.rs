//! Replays a proxy's receipts against the chain: who signed, what was counted, what it cost, what was charged and paid.
//!
//! Every receipt is checked by itself and as a link of its two channels, and its price recomputed from the raw counts.
//! Then the history of each contract is replayed: each charge and payout must end where a receipt ends and move tokens
//! times price, and what the contracts hold now must be what the replay gives.
//!
//! **Invariant:** the verdict "equal" is given only if nothing was left unchecked that the verdict speaks of: what is not
//! settled yet makes it "open", what cannot be read makes it "different" or an error.
//!
//! Main function: [`run`] for a store and a chain; [`judge`] is the same as a pure function.
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
//! root contract listed its image, is.

mod client;
mod error;
mod evidence;
mod history;
mod images;
mod proxy;
mod receipts;
mod run;
mod verdict;
mod worker;

pub use error::AuditError;
pub use evidence::EvidenceSource;
pub use history::{ChainHistory, ContractHistory};
pub use images::ListedImages;
pub use run::{judge, run};
pub use verdict::{ChannelReport, Difference, DifferenceKind, Report, Role, Totals, Verdict, counted};
