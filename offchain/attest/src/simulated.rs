//! A whole attestation platform in software, for networks that are declared tests.
//!
//! Its quotes, certificates, revocation lists and TCB documents are structurally the real thing and pass the same
//! verifier, but under a root of its own that nobody trusts unless it is named: nothing is protected by hardware.

mod certificates;
mod collateral;
mod der;
mod gpu;
mod platform;
mod quote;

pub use collateral::{CollateralTerms, ModuleTerms};
pub use gpu::SimulatedGpu;
pub use platform::SimulatedPlatform;
pub use quote::SimulatedGuest;

use sha2::{Digest, Sha384};

use crate::{Measurements, Register};

/// The measurements of the simulated image of a role ("proxy", "worker"): stable, so that a root contract can list them.
pub fn simulated_measurements(role: &str) -> Measurements {
    let register = |name: &str| -> Register {
        let mut hash = Sha384::new();
        hash.update(b"cocoon simulated image\0");
        hash.update(role.as_bytes());
        hash.update(b"\0");
        hash.update(name.as_bytes());
        hash.finalize().into()
    };
    Measurements {
        mrtd: register("mrtd"),
        rtmr: [
            register("rtmr0"),
            register("rtmr1"),
            register("rtmr2"),
            register("rtmr3"),
        ],
        ..Measurements::ZERO
    }
}
