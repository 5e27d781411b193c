//! What verified evidence says.

use cocoon_bindings::units::ImageHash;

use crate::{Fact, GpuClaims, GuestState, Measurements, REPORT_DATA_BYTES, RootKeyId, TcbStatus};

/// What verified evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What the guest was built from.
    pub measurements: Measurements,
    /// What the guest attests; compare with [`report_data_for_key`](crate::report_data_for_key).
    pub report_data: [u8; REPORT_DATA_BYTES],
    /// Its modes, and the TDX module below it.
    pub guest: GuestState,
    /// Level of the platform's firmware and microcode.
    pub tcb_status: TcbStatus,
    /// Unix time of the level that the platform has: everything published until then is in it.
    pub tcb_date: u64,
    /// Advisories that apply to the platform.
    pub advisories: Vec<String>,
    /// Number of the maker's judgement that the status rests on.
    pub tcb_evaluation: u32,
    /// Family of the platform, in hex.
    pub fmspc: String,
    /// The root that vouches for the platform.
    pub root_key_id: RootKeyId,
    /// Whether that root is a simulated one: then nothing here is protected by hardware.
    pub simulated: bool,
    /// Whether the platform can gain packages after it was provisioned.
    pub dynamic_platform: Fact,
    /// Whether the maker keeps the platform's keys.
    pub cached_keys: Fact,
    /// Whether simultaneous multithreading is on.
    pub smt: Fact,
    /// What is known of its accelerators; a quote does not say.
    pub gpu: Option<GpuClaims>,
    /// Unix time until which these claims hold: end of the collateral, or of the first grace that the policy gave.
    pub expires_at: u64,
}

impl Claims {
    /// The value that the root contract lists.
    pub fn image_hash(&self) -> ImageHash {
        self.measurements.image_hash()
    }
}
