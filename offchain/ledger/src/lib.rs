//! Channel accounting of a proxy as a pure state machine: reserve, charge, commit, voucher, settle.
//!
//! A request reserves what it may cost at most, runs, and is charged what it used, never more than was reserved. Totals
//! are cumulative. A charge becomes durable, then is covered by a state commit on chain, and only then is it ever signed:
//! `max ≥ db ≥ chain`.
//!
//! **Invariant:** the sum of the receipts of a channel is its total; what clients are charged is what workers are credited;
//! no total ever shrinks; an error leaves the ledger as it was; no clock, file or randomness in here.
//!
//! Main type: [`Ledger`]. What must survive a crash comes out as [`Changes`], to be stored before it is acted upon.
//!
//! ```
//! use cocoon_bindings::ton::{Address, HashBytes};
//! use cocoon_bindings::units::{Nanoton, TokenCount};
//! use cocoon_ledger::{ClientOnChain, ContractState, Ledger};
//! let (client, worker) = (Address::new(0, HashBytes([1; 32])), Address::new(0, HashBytes([2; 32])));
//! let mut ledger = Ledger::default();
//! ledger.open_client(&client, &client);
//! ledger.open_worker(&worker, &worker);
//! ledger.see_client(&client, ClientOnChain {
//!     state: ContractState::Normal, balance: Nanoton::new(1000), stake: Nanoton::new(500),
//!     tokens_used: TokenCount::ZERO, price: Nanoton::new(1), secret_hash: HashBytes::ZERO,
//! })?;
//! let reservation = ledger.reserve(&client, 100, TokenCount::new(300))?;
//! let charge = ledger.prepare(reservation, &worker, TokenCount::new(120))?;
//! let changes = ledger.apply(&charge, HashBytes([3; 32]), HashBytes([4; 32]))?;
//! assert_eq!(changes.clients[0].1.account.max(), TokenCount::new(120));
//! # Ok::<(), cocoon_ledger::LedgerError>(())
//! ```

mod channel;
mod commit;
mod error;
pub mod limits;
mod outage;
pub mod pricing;
mod proof;
pub mod reservation;
mod settle;
mod state;
mod winding;

pub use channel::{Account, ClientChannel, ClientOnChain, ContractState, Position, WorkerChannel, WorkerOnChain};
pub use commit::{CommitNote, Commits};
pub use error::{LedgerError, Who};
pub use outage::OutageCredit;
pub use proof::Signed;
pub use reservation::ReservationId;
pub use settle::{Settlement, Thresholds};
pub use state::{Changes, Charge, Comparison, Ledger};
pub use winding::Winding;

#[cfg(test)]
mod claims;
#[cfg(test)]
mod invariants;
