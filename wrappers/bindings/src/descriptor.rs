//! What the root contract may know of a listed hash.

use crate::error::BindingsError;
use crate::ton::{Cell, CellBuilder, CellContext, CellError, CellSlice, Load, Store};
use crate::units::ManifestHash;
use std::fmt;
use std::str::FromStr;

/// A name for people: at most 31 bytes of text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
pub struct Label(String);

impl Label {
    /// The most bytes.
    pub const MAX_BYTES: usize = 31;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = BindingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= Self::MAX_BYTES && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            let text = text.chars().take(80).collect();
            Err(BindingsError::Label { text })
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a hash is trusted, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrustTimes {
    /// The first second; 0 if none is set.
    pub not_before: u32,
    /// The last second; 0: no end is set.
    pub retire_after: u32,
}

impl TrustTimes {
    /// Whether a hash is trusted at a time.
    pub const fn cover(self, time: u32) -> bool {
        self.not_before <= time && !self.are_over(time)
    }

    /// Whether the end has come.
    pub const fn are_over(self, time: u32) -> bool {
        self.retire_after != 0 && self.retire_after < time
    }

    /// The times in an entry of a hash list, whatever its label is; none if it is not a descriptor.
    pub(crate) fn of(value: &Cell) -> Option<Self> {
        let mut slice = value.as_ref().as_slice().ok()?;
        let is_descriptor = slice.size_refs() == 0
            && slice.size_bits() >= HashDescriptor::BARE_BITS
            && slice.load_u32() == Ok(HashDescriptor::PREFIX);
        if !is_descriptor {
            return None;
        }
        slice.load_u256().ok()?;
        Some(Self {
            not_before: slice.load_u32().ok()?,
            retire_after: slice.load_u32().ok()?,
        })
    }
}

/// What is known of a listed hash: `0x66b8aa06 manifestHash:uint256 notBefore:uint32 retireAfter:uint32 label`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HashDescriptor {
    /// Hash of the manifest of the image or model.
    pub manifest_hash: Option<ManifestHash>,
    /// When the hash is trusted.
    pub times: TrustTimes,
    /// A name for people.
    pub label: Label,
}

impl HashDescriptor {
    /// The bits that a descriptor begins with.
    pub const PREFIX: u32 = 0x66b8_aa06;
    /// Bits of a descriptor without its label.
    const BARE_BITS: u16 = 32 + 256 + 2 * 32;
}

impl Store for HashDescriptor {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        let hash = self.manifest_hash.unwrap_or(ManifestHash::new([0; 32]));
        let bits = u16::try_from(self.label.0.len() * 8).map_err(|_| CellError::CellOverflow)?;
        builder.store_u32(Self::PREFIX)?;
        builder.store_u256(&hash.to_hash_bytes())?;
        builder.store_u32(self.times.not_before)?;
        builder.store_u32(self.times.retire_after)?;
        builder.store_raw(self.label.0.as_bytes(), bits)
    }
}

impl<'a> Load<'a> for HashDescriptor {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        if slice.load_u32()? != Self::PREFIX {
            return Err(CellError::InvalidTag);
        }
        let hash = ManifestHash::from(slice.load_u256()?);
        let times = TrustTimes {
            not_before: slice.load_u32()?,
            retire_after: slice.load_u32()?,
        };
        let bits = slice.size_bits();
        let mut buffer = [0u8; Label::MAX_BYTES];
        if !bits.is_multiple_of(8) || usize::from(bits / 8) > buffer.len() {
            return Err(CellError::InvalidData);
        }
        let text = std::str::from_utf8(slice.load_raw(&mut buffer, bits)?).map_err(|_| CellError::InvalidData)?;
        Ok(Self {
            manifest_hash: Some(hash).filter(|hash| *hash.as_bytes() != [0; 32]),
            times,
            label: text.parse().map_err(|_| CellError::InvalidData)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ton::{CellFamily, from_cell, to_cell};
    use proptest::prelude::*;

    pub(crate) fn any_descriptor() -> impl Strategy<Value = HashDescriptor> {
        (any::<[u8; 32]>(), any::<[u32; 2]>(), "[a-z0-9 ü.]{0,15}").prop_map(|(hash, times, label)| HashDescriptor {
            manifest_hash: Some(ManifestHash::new(hash)).filter(|hash| *hash.as_bytes() != [0; 32]),
            times: TrustTimes {
                not_before: times[0],
                retire_after: times[1],
            },
            label: label.parse().unwrap(),
        })
    }

    proptest! {
        #[test]
        fn a_descriptor_survives_a_round_trip(descriptor in any_descriptor()) {
            let cell = to_cell(&descriptor).unwrap();
            prop_assert_eq!(TrustTimes::of(&cell), Some(descriptor.times));
            prop_assert_eq!(from_cell::<HashDescriptor>(&cell).unwrap(), descriptor);
        }
    }

    #[test]
    fn a_label_is_a_short_line_of_text() {
        assert!("x".repeat(31).parse::<Label>().is_ok());
        assert!("x".repeat(32).parse::<Label>().is_err());
        assert!("a\u{1b}[2J".parse::<Label>().is_err());
    }

    #[test]
    fn a_label_that_is_no_text_does_not_lift_the_limits() {
        let times = TrustTimes {
            not_before: 10,
            retire_after: 20,
        };
        let descriptor = HashDescriptor {
            times,
            ..HashDescriptor::default()
        };
        let mut builder = CellBuilder::new();
        descriptor.store_into(&mut builder, Cell::empty_context()).unwrap();
        builder.store_raw(&[0xff], 8).unwrap();
        let cell = builder.build().unwrap();
        assert!(from_cell::<HashDescriptor>(&cell).is_err());
        assert_eq!(TrustTimes::of(&cell), Some(times));
    }

    #[test]
    fn the_first_and_the_last_second_count() {
        let times = TrustTimes {
            not_before: 10,
            retire_after: 20,
        };
        let covered: Vec<bool> = [9, 10, 20, 21].into_iter().map(|time| times.cover(time)).collect();
        assert_eq!(covered, [false, true, true, false]);
        assert!(TrustTimes::default().cover(0) && TrustTimes::default().cover(u32::MAX));
    }
}
