//! How a guest started: the event log behind its runtime registers, and which component of it is not the expected one.
//!
//! A log proves nothing by itself: it counts once its replay gives the registers of a verified quote.

mod log;
mod policy;
mod runtime;

pub use log::{EventLog, LoggedEvent};
pub use policy::{BootPolicy, Component};
pub use runtime::RuntimeEvent;
