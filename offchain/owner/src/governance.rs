//! What the owners of a root contract decide: changes as values, what they would do in words, and the file by which one
//! signer asks the others.
//!
//! A change is known by its cells alone. Whatever a file or a person says about a proposal, its meaning is read again from
//! the body that the governor holds, and tried out on the state that the root contract has now.

mod bundle;
mod change;
mod check;
mod diff;
mod effects;
mod governor;
mod meaning;
mod own;
mod says;
mod snapshot;
mod state;

pub use bundle::Bundle;
pub use change::Change;
pub use check::{Finding, check};
pub use diff::{Difference, differences};
pub use governor::GovernorView;
pub(crate) use governor::{is_within_councils_reach, proposer_of};
pub use meaning::Meaning;
pub(crate) use own::own_refusal;
pub use snapshot::{ListedHash, ListedProxy, RootSnapshot};
pub use state::{Network, Owner, RootState, Tail, Trial};
