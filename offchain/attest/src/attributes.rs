//! Attributes of a guest that are never acceptable.

use core::fmt;

use crate::{AttestError, GuestState};

/// A TD attribute that makes a guest untrustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TdAttribute {
    /// Its host can read its memory.
    Debug,
    /// Its host can profile it.
    Profiling,
    /// It can be moved to another machine by a migration guest.
    Migratable,
    /// Page faults on removed pages reach it as exceptions, which lets the host steer it.
    SeptVeEnabled,
    /// Bits without a known meaning.
    Reserved,
    /// It is bound to a service guest that is not measured in the image hash.
    ServiceTd,
    /// The TDX module that runs it is not signed as production modules are (MRSIGNERSEAM is not zero).
    ModuleSigner,
    /// The TDX module that runs it has attributes, which production modules do not (it can be debugged).
    ModuleAttributes,
}

impl fmt::Display for TdAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "DEBUG is set",
            Self::Profiling => "a profiling bit is set",
            Self::Migratable => "MIGRATABLE is set",
            Self::SeptVeEnabled => "SEPT_VE_DISABLE is missing",
            Self::Reserved => "reserved bits are set",
            Self::ServiceTd => "a service TD is bound",
            Self::ModuleSigner => "the TDX module is not signed by its maker for production",
            Self::ModuleAttributes => "the TDX module has attributes set",
        })
    }
}

/// Bit positions of the TDX module's ABI specification.
pub(crate) mod bits {
    pub(crate) const DEBUG: u64 = 1;
    pub(crate) const PROFILING: u64 = 0x70;
    pub(crate) const SERVTD_EXT: u64 = 1 << 17;
    pub(crate) const SEPT_VE_DISABLE: u64 = 1 << 28;
    pub(crate) const MIGRATABLE: u64 = 1 << 29;
    /// Bits 0, 4-6, 16-22, 27-31, 62, 63 have a meaning; the rest must be zero.
    pub(crate) const KNOWN: u64 = 0x71 | (0x7f << 16) | (0x1f << 27) | (0b11 << 62);
}

/// Refuses every guest in a mode that is never acceptable, by the first reason found.
pub(crate) fn check(guest: &GuestState) -> Result<(), AttestError> {
    match first_problem(guest) {
        Some(attribute) => Err(AttestError::Attributes { attribute }),
        None => Ok(()),
    }
}

fn first_problem(guest: &GuestState) -> Option<TdAttribute> {
    let set = |mask: u64| guest.attributes & mask != 0;
    let problems = [
        (set(bits::DEBUG), TdAttribute::Debug),
        (set(bits::PROFILING), TdAttribute::Profiling),
        (set(bits::MIGRATABLE), TdAttribute::Migratable),
        (!set(bits::SEPT_VE_DISABLE), TdAttribute::SeptVeEnabled),
        (set(bits::SERVTD_EXT), TdAttribute::ServiceTd),
        (set(!bits::KNOWN), TdAttribute::Reserved),
        (guest.has_service_td(), TdAttribute::ServiceTd),
        (
            guest.mrsignerseam.iter().any(|&byte| byte != 0),
            TdAttribute::ModuleSigner,
        ),
        (guest.seam_attributes != 0, TdAttribute::ModuleAttributes),
    ];
    problems
        .into_iter()
        .find(|(found, _)| *found)
        .map(|(_, attribute)| attribute)
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{REGISTER_BYTES, TdxBody};

    /// What the deployed network's guests show.
    fn deployed() -> GuestState {
        GuestState {
            quote_version: 4,
            body: TdxBody::Tdx10,
            tee_tcb_svn: [0; 16],
            current_tcb_svn: None,
            mrseam: [7; REGISTER_BYTES],
            mrsignerseam: [0; REGISTER_BYTES],
            seam_attributes: 0,
            attributes: 0x1000_0000,
            xfam: 0x0006_02e7,
            mrservicetd: None,
        }
    }

    #[test]
    fn the_attributes_of_a_deployed_guest_are_accepted() {
        assert_eq!(check(&deployed()), Ok(()));
    }

    #[test]
    fn each_bad_bit_is_refused_by_name() {
        for (attributes, attribute) in [
            (0x1000_0001, TdAttribute::Debug),
            (0x1000_0010, TdAttribute::Profiling),
            (0x1000_0020, TdAttribute::Profiling),
            (0x1000_0040, TdAttribute::Profiling),
            (0x3000_0000, TdAttribute::Migratable),
            (0, TdAttribute::SeptVeEnabled),
            (0x1002_0000, TdAttribute::ServiceTd),
            (0x1000_0002, TdAttribute::Reserved),
            (0x1000_0000 | 1 << 40, TdAttribute::Reserved),
        ] {
            let guest = GuestState {
                attributes,
                ..deployed()
            };
            assert_eq!(
                check(&guest),
                Err(AttestError::Attributes { attribute }),
                "{attributes:#x}"
            );
        }
    }

    #[test]
    fn every_bit_without_a_known_meaning_is_refused() {
        for bit in (0..64).filter(|bit| bits::KNOWN & (1 << bit) == 0) {
            let guest = GuestState {
                attributes: 0x1000_0000 | 1 << bit,
                ..deployed()
            };
            let attribute = TdAttribute::Reserved;
            assert_eq!(check(&guest), Err(AttestError::Attributes { attribute }), "bit {bit}");
        }
    }

    #[test]
    fn a_module_that_is_not_for_production_and_a_service_guest_are_refused() {
        let mut register = [0; REGISTER_BYTES];
        register[47] = 1;
        let refused = |guest: &GuestState| check(guest).unwrap_err();
        for (guest, attribute) in [
            (
                GuestState {
                    mrsignerseam: register,
                    ..deployed()
                },
                TdAttribute::ModuleSigner,
            ),
            (
                GuestState {
                    seam_attributes: 1 << 63,
                    ..deployed()
                },
                TdAttribute::ModuleAttributes,
            ),
            (
                GuestState {
                    mrservicetd: Some(register),
                    ..deployed()
                },
                TdAttribute::ServiceTd,
            ),
        ] {
            assert_eq!(refused(&guest), AttestError::Attributes { attribute });
        }
        assert_eq!(
            check(&GuestState {
                mrservicetd: Some([0; REGISTER_BYTES]),
                ..deployed()
            }),
            Ok(())
        );
    }
}
