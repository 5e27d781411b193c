//! Money.

use crate::error::BindingsError;
use crate::ton::{CellBuilder, CellContext, CellError, CellSlice, Load, Store, Tokens};
use crate::units::TokenCount;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Nanoton in one TON.
const NANO: u128 = 1_000_000_000;

/// An amount of money in nanoton. On chain: `coins` (VarUInteger 16, at most 2^120 − 1).
///
/// ```
/// # use cocoon_bindings::units::Nanoton;
/// let amount: Nanoton = "1.5".parse().unwrap();
/// assert_eq!(amount, Nanoton::new(1_500_000_000));
/// assert_eq!(amount.to_string(), "1.5 TON");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanoton(u128);

impl Nanoton {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount that a cell holds.
    pub const MAX: Self = Self((1 << 120) - 1);

    /// An amount in nanoton.
    pub const fn new(nanoton: u128) -> Self {
        Self(nanoton)
    }

    /// A whole number of TON.
    pub const fn from_ton(ton: u64) -> Self {
        Self(ton as u128 * NANO)
    }

    /// The amount in nanoton.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The sum, if it is an amount.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| *sum <= Self::MAX)
    }

    /// The difference, if it is not negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product with a plain number, if it is an amount.
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        self.0
            .checked_mul(u128::from(factor))
            .map(Self)
            .filter(|product| *product <= Self::MAX)
    }

    /// The price of a number of tokens, `self` being the price of one.
    pub fn checked_mul_tokens(self, tokens: TokenCount) -> Option<Self> {
        self.checked_mul(tokens.get())
    }

    /// How many whole times `price` fits; `None` for a price of zero.
    pub fn checked_div(self, price: Self) -> Option<u128> {
        self.0.checked_div(price.0)
    }

    /// The difference, or nothing if it would be negative.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Nanoton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / NANO, self.0 % NANO);
        if part == 0 {
            return write!(f, "{whole} TON");
        }
        let digits = format!("{part:09}");
        write!(f, "{whole}.{} TON", digits.trim_end_matches('0'))
    }
}

/// Reads an amount in TON: `12`, `0.5`, `1.000000001`, with or without the unit.
impl FromStr for Nanoton {
    type Err = BindingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || BindingsError::Amount {
            text: text.chars().take(80).collect(),
        };
        let number = text.trim();
        let number = number.strip_suffix("TON").unwrap_or(number).trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 {
            return Err(refused());
        }
        let whole: u128 = whole.parse().map_err(|_| refused())?;
        let part: u128 = format!("{part:0<9}").parse().map_err(|_| refused())?;
        let amount = whole
            .checked_mul(NANO)
            .and_then(|whole| whole.checked_add(part))
            .map(Self);
        amount.filter(|amount| *amount <= Self::MAX).ok_or_else(refused)
    }
}

impl Serialize for Nanoton {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Nanoton {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let amount = text
            .parse()
            .map(Self)
            .map_err(|_| de::Error::custom("an amount is a decimal string of nanoton"))?;
        if amount > Self::MAX {
            Err(de::Error::custom("amount too large"))
        } else {
            Ok(amount)
        }
    }
}

impl Store for Nanoton {
    fn store_into(&self, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError> {
        Tokens::new(self.0).store_into(builder, context)
    }
}

impl<'a> Load<'a> for Nanoton {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        // Non-minimal lengths are what a contract would accept too; the value is what counts.
        Tokens::load_from(slice).map(|tokens| Self(tokens.into_inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ton::{from_cell, to_cell};
    use proptest::prelude::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        for (text, nanoton) in [("1", NANO), ("0.5", NANO / 2), ("1.000000001 TON", NANO + 1), ("0", 0)] {
            assert_eq!(text.parse::<Nanoton>().unwrap().get(), nanoton, "{text}");
        }
        for text in [
            "",
            ".5",
            "1.",
            "-1",
            "1.0000000001",
            "1e9",
            "+1",
            "1,5",
            "99999999999999999999999999999",
        ] {
            assert!(text.parse::<Nanoton>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_amount_that_no_cell_holds_is_refused() {
        assert!(to_cell(&Nanoton::new(1 << 120)).is_err());
        assert_eq!(Nanoton::MAX.checked_add(Nanoton::new(1)), None);
        assert_eq!(Nanoton::MAX.checked_mul(2), None);
    }

    proptest! {
        #[test]
        fn amounts_survive_text_cell_and_json(nanoton in 0u128..(1 << 120)) {
            let amount = Nanoton::new(nanoton);
            prop_assert_eq!(amount.to_string().parse::<Nanoton>().unwrap(), amount);
            prop_assert_eq!(from_cell::<Nanoton>(&to_cell(&amount).unwrap()).unwrap(), amount);
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(&json, &format!("\"{nanoton}\""));
            prop_assert_eq!(serde_json::from_str::<Nanoton>(&json).unwrap(), amount);
        }
    }
}
