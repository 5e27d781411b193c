//! The choice of a worker: who may take a request, which of them gets it, and who is left alone for a while.
//!
//! **Invariant:** a worker above the client's price ceiling, disabled, full or held back by its breaker is never chosen;
//! no clock and no randomness in here: both are arguments.
//!
//! Main function: [`choose`]. [`Average`] and [`Breaker`] are what the caller keeps per connection.
//!
//! ```
//! use cocoon_bindings::units::Coefficient;
//! use cocoon_market::{Candidate, choose};
//! let worker = Candidate {
//!     connection: 7, coefficient: Coefficient::new(1000), running: 0, slots: 8,
//!     is_enabled: true, is_admitted: true, average_seconds: 0.0,
//! };
//! assert_eq!(choose("tiny", &[worker], Coefficient::new(4000), &[], [3, 4]), Ok(7));
//! ```

mod average;
mod breaker;
mod choose;
pub mod limits;

pub use average::Average;
pub use breaker::Breaker;
pub use choose::{Candidate, Refusal, choose};
