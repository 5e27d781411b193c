//! What a quote tells of a guest's modes and of the TDX module below it.

use serde::{Deserialize, Serialize};

use crate::measurements::{REGISTER_BYTES, Register};

/// The kinds of body that quotes of TDX guests have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TdxBody {
    /// 584 bytes: the only one of version 4, type 2 of version 5.
    Tdx10,
    /// 648 bytes, type 3: with the current level of the TDX module and the service guest.
    Tdx15,
    /// 885 bytes, type 4: as above, and fields about devices and migration that nobody judges.
    Tdx15Ex,
}

/// Modes of a guest and levels of its TDX module: bodies of Intel's quote formats 4 and 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestState {
    /// Version of the quote, 4 or 5.
    pub quote_version: u16,
    /// Kind of its body.
    pub body: TdxBody,
    /// TEE_TCB_SVN: level of the TDX module when the guest started.
    pub tee_tcb_svn: [u8; 16],
    /// TEE_TCB_SVN2: its level now; a body of TDX 1.0 does not say.
    pub current_tcb_svn: Option<[u8; 16]>,
    /// Measurement of the TDX module.
    pub mrseam: Register,
    /// Signer of the TDX module; zero means Intel, for production.
    pub mrsignerseam: Register,
    /// Attributes of the TDX module; zero in production.
    pub seam_attributes: u64,
    /// Attributes of the guest.
    pub attributes: u64,
    /// Processor features that the guest may use.
    pub xfam: u64,
    /// Measurement of a bound service guest; a body of TDX 1.0 does not say.
    pub mrservicetd: Option<Register>,
}

impl GuestState {
    /// Whether a service guest is bound.
    pub fn has_service_td(&self) -> bool {
        self.mrservicetd.is_some_and(|register| register != [0; REGISTER_BYTES])
    }
}
