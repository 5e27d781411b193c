//! What runs inside a confidential guest and talks to the machine below it: quotes from the kernel or from the host's
//! quoting service, runtime measurement registers, the event log; and a simulated quoting service for test networks.
//!
//! **Invariant:** nothing here judges evidence or turns a check off: it only obtains bytes, which peers verify. Every
//! answer of the kernel and of the host is bounded and checked for form before it is passed on.
//!
//! The main trait is [`QuoteSource`]; its implementations are [`Configfs`] and [`Qgs`].
//!
//! ```
//! use std::sync::Arc;
//! use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
//! use cocoon_guest::{Endpoint, Pretended, Qgs, QuoteSource, Simulator};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::start(SimulatedPlatform::generate()?, &"tcp:127.0.0.1:0".parse::<Endpoint>()?)?;
//! let guest = Pretended::new(simulated_measurements("worker"));
//! let quote = Qgs::new(simulator.endpoint().clone(), Arc::new(guest)).quote(&[7; 64])?;
//! assert_eq!(cocoon_attest::Evidence::parse(&quote)?.unverified_report_data(), [7; 64]);
//! # Ok(())
//! # }
//! ```

mod configfs;
mod device;
mod endpoint;
mod error;
mod event_log;
mod gpu;
pub mod limits;
mod qgs;
mod registers;
mod report;
mod simulator;
mod tree;

pub use configfs::{CONFIGFS_REPORTS, Configfs};
pub use device::{GUEST_DEVICE, Tdx};
pub use endpoint::Endpoint;
pub use error::{GuestError, Who};
pub use event_log::{EVENT_LOG, read_event_log};
#[cfg(feature = "nvml")]
pub use gpu::Nvml;
pub use gpu::{AdmittedGpu, GpuDemand, GpuDevice, GpuDriver, GpuMode, admit_gpus};
pub use qgs::{HOST_QGS, Qgs};
pub use registers::{MEASUREMENTS, RuntimeRegisters};
pub use report::{Pretended, TdReport};
pub use simulator::{SimulatedTrust, Simulator};

use cocoon_attest::REPORT_DATA_BYTES;

/// Obtains a quote of this guest that carries given report data. Calls block: for up to half a minute where the kernel
/// waits for the host.
pub trait QuoteSource: Send + Sync {
    /// The quote, not verified.
    fn quote(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Vec<u8>, GuestError>;
}

/// Obtains the local report that a quoting service turns into a quote.
pub trait ReportSource: Send + Sync {
    /// The report, not verified.
    fn report(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<TdReport, GuestError>;
}
