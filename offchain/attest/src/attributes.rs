//! Attributes of a guest that are never acceptable.

use core::fmt;

use crate::AttestError;

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

pub(crate) fn check(attributes: u64) -> Result<(), AttestError> {
    let refuse = |attribute| Err(AttestError::Attributes { attribute });
    if attributes & bits::DEBUG != 0 {
        return refuse(TdAttribute::Debug);
    }
    if attributes & bits::PROFILING != 0 {
        return refuse(TdAttribute::Profiling);
    }
    if attributes & bits::MIGRATABLE != 0 {
        return refuse(TdAttribute::Migratable);
    }
    if attributes & bits::SEPT_VE_DISABLE == 0 {
        return refuse(TdAttribute::SeptVeEnabled);
    }
    if attributes & bits::SERVTD_EXT != 0 {
        return refuse(TdAttribute::ServiceTd);
    }
    if attributes & !bits::KNOWN != 0 {
        return refuse(TdAttribute::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_of_a_deployed_guest_are_accepted() {
        assert_eq!(check(0x1000_0000), Ok(()));
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
            assert_eq!(
                check(attributes),
                Err(AttestError::Attributes { attribute }),
                "{attributes:#x}"
            );
        }
    }
}
