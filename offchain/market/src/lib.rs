//! The choice of a worker: who may take a request, which of them gets it, who waits, and who is left alone for a while.
//!
//! **Invariant:** a worker above the client's price ceiling, disabled, being emptied, full or held back by its breaker is
//! never chosen; whoever waits is granted once or not at all; no clock and no randomness in here: both are arguments.
//!
//! Main type: [`Desk`], made of a [`Pool`] of workers, a [`Queue`] per model and the [`Prefixes`] of prompts. [`Rates`]
//! bounds what one client asks for. [`PriceRule`] is the price of a worker that follows its load; [`Quotes`] are
//! slots that are kept for clients for a while.
//!
//! ```
//! use cocoon_bindings::units::Coefficient;
//! use cocoon_market::{Grant, Need, Offer, Pool};
//! let mut pool = Pool::default();
//! pool.add(7, "tiny", Offer { coefficient: Coefficient::new(1000), slots: 8, is_enabled: true }, 0.0);
//! let need = Need { model: "tiny", max_coefficient: Coefficient::new(4000), tried: &[], preferred: None };
//! assert_eq!(pool.choose(&need, 1.0, 42), Ok(Grant { worker: 7, coefficient: Coefficient::new(1000) }));
//! ```

mod average;
mod breaker;
mod desk;
mod draw;
pub mod limits;
mod member;
mod pool;
mod prefixes;
mod pricing;
mod queue;
mod quotes;
mod rates;
mod refusal;

pub use average::Average;
pub use breaker::Breaker;
pub use desk::{Ask, Asked, Desk, Settings};
pub use member::{Offer, Outcome, Verdict, WorkerView};
pub use pool::{Grant, Need, Pool};
pub use prefixes::{Prefixes, prefix_hashes};
pub use pricing::PriceRule;
pub use queue::{Full, Queue, QueueLimits};
pub use quotes::{NoQuote, QuoteFault, QuoteId, Quotes, Tally};
pub use rates::{Rate, RateLimits, Rates};
pub use refusal::Refusal;
