//! Evidence to claims: reads and verifies quotes of Intel TDX guests against endorsements, roots and a policy that are
//! all arguments, and contains a simulated platform whose quotes take the same path under a root of its own.
//!
//! **Invariant:** no network, no clock, no way to skip a check. What a simulated root vouches for is always marked as
//! simulated, and evidence that is not understood is refused.
//!
//! The main function is [`verify`]; its inputs are [`Evidence`], [`Endorsements`], [`TrustRoots`] and [`Policy`], its
//! result is [`Claims`]. [`Verifier`] gives the same answers for many quotes, faster.
//!
//! ```
//! use cocoon_attest::{Evidence, Policy, TrustRoots, report_data_for_key, simulated, verify};
//!
//! # fn main() -> Result<(), cocoon_attest::AttestError> {
//! let now = 1_790_000_000;
//! let platform = simulated::SimulatedPlatform::generate()?;
//! let image = simulated::simulated_measurements("worker");
//! let quote = platform.issue(&image, &report_data_for_key(&[7; 32]))?;
//! let roots = TrustRoots::intel()?.with_simulated(platform.root_der())?;
//! let claims = verify(&Evidence::parse(&quote)?, &platform.endorsements(now)?, &roots, &Policy::strict(), now)?;
//! assert!(claims.simulated && claims.image_hash() == image.image_hash());
//! # Ok(())
//! # }
//! ```

mod attributes;
mod boot;
pub mod certificate;
mod claims;
mod crypto;
mod dates;
mod dcap;
mod endorsements;
mod error;
mod evidence;
mod family;
mod fast;
mod gpu;
mod guest;
pub mod limits;
mod measurements;
mod policy;
mod quote;
mod roots;
#[cfg(feature = "issuer")]
pub mod simulated;
mod table;
mod tcb;
mod verify;

pub use attributes::TdAttribute;
pub use boot::{BootPolicy, Component, EventLog, LoggedEvent, RuntimeEvent};
pub use claims::Claims;
pub use dates::{format_moment, parse_moment};
pub use endorsements::Endorsements;
pub use error::{AttestError, Who};
pub use evidence::{Evidence, EvidenceKind};
pub use family::{PckAuthority, PlatformFamily};
pub use fast::Verifier;
pub use gpu::{GoldenMeasurements, GpuClaims, GpuEvidence, GpuPolicy, judge_gpu};
pub use guest::{GuestState, TdxBody};
pub use measurements::{Measurements, REGISTER_BYTES, REPORT_DATA_BYTES, Register, report_data_for_key};
pub use policy::{Acceptance, Examination, JudgedClaim, Policy, Ruling};
pub use quote::TdxQuote;
pub use roots::{INTEL_ROOT_DER, RootKeyId, TrustRoots};
pub use table::{Claim, ClaimName, Document, Source};
pub use tcb::{Fact, TcbStatus};
pub use verify::{examine, verify};
