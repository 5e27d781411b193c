//! Counters.

use crate::ton::{CellBuilder, CellContext, CellError, CellSlice, Load, Store};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A number type of its own over `$inner`, stored as `$bits` bits.
macro_rules! number {
    ($(#[doc = $doc:literal])+ $name:ident($inner:ty), $store:ident, $load:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Wraps a number.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The number.
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The sum, if it fits.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// The difference, if it is not negative.
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            /// The difference, or zero if it would be negative.
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl Store for $name {
            fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
                builder.$store(self.0)
            }
        }

        impl<'a> Load<'a> for $name {
            fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
                slice.$load().map(Self)
            }
        }
    };
}

number! {
    /// A number of adjusted tokens: the unit of account, cumulative on chain.
    TokenCount(u64), store_u64, load_u64
}
number! {
    /// A price coefficient in thousandths: 1000 is the base price.
    Coefficient(u32), store_u32, load_u32
}
number! {
    /// The version of the root contract's parameters.
    ParamsVersion(u32), store_u32, load_u32
}
number! {
    /// The id that a message and what it sets off share.
    QueryId(u64), store_u64, load_u64
}
