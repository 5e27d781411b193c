//! Parameters of the network, as the root contract holds them and every other contract carries a copy.

use crate::contract::ContractKind;
use crate::error::BindingsError;
use crate::ton::{Cell, CellBuilder, CellContext, CellError, CellSlice, Load, Store, to_cell};
use crate::units::{Nanoton, ParamsVersion};

/// The layout that is written today.
pub const STRUCT_VERSION: u8 = 3;
/// A multiplier of one: multipliers count ten-thousandths.
pub const MULTIPLIER_ONE: u32 = 10_000;
/// What older layouts, which hold no stakes, stand for.
const DEFAULT_STAKE: Nanoton = Nanoton::from_ton(1);

/// Weights of the four token classes, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Multipliers {
    /// Prompt tokens that were computed.
    pub prompt: u32,
    /// Prompt tokens that came from a cache.
    pub cached: u32,
    /// Completion tokens that are part of the answer.
    pub completion: u32,
    /// Completion tokens spent on reasoning.
    pub reasoning: u32,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            prompt: MULTIPLIER_ONE,
            cached: MULTIPLIER_ONE,
            completion: MULTIPLIER_ONE,
            reasoning: MULTIPLIER_ONE,
        }
    }
}

/// Prices, delays, stakes and code that a version of the parameters fixes.
///
/// Cells of layout versions 0 to 3 are read; a value read is written back in the layout that it came in, because
/// addresses derive from these bits. What an older layout does not hold has its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Layout of the cell, 0 to 3.
    pub struct_version: u8,
    /// Grows with each change.
    pub params_version: ParamsVersion,
    /// Tells one network from another.
    pub unique_id: u32,
    /// Whether this is a test network. Only there may a simulated platform be trusted.
    pub is_test: bool,
    /// What a client pays for one adjusted token.
    pub price_per_token: Nanoton,
    /// What of it the worker gets.
    pub worker_fee_per_token: Nanoton,
    /// Weights of the four token classes.
    pub multipliers: Multipliers,
    /// Seconds between a proxy's announcement to close and its closing.
    pub proxy_delay_before_close: u32,
    /// Seconds between a client's announcement to close and its closing.
    pub client_delay_before_close: u32,
    /// Smallest stake of a proxy.
    pub min_proxy_stake: Nanoton,
    /// Smallest stake of a client.
    pub min_client_stake: Nanoton,
    /// Code of the proxy contract.
    pub proxy_code: Option<Cell>,
    /// Code of the worker contract.
    pub worker_code: Option<Cell>,
    /// Code of the client contract.
    pub client_code: Option<Cell>,
}

impl Params {
    /// The parameters as client and worker contracts hold them.
    pub fn without_code(&self) -> Self {
        Self {
            proxy_code: None,
            worker_code: None,
            client_code: None,
            ..self.clone()
        }
    }

    /// The parameters as a proxy contract holds them: with the code of the contracts whose addresses it computes.
    pub fn for_proxy(&self) -> Self {
        Self {
            proxy_code: None,
            ..self.clone()
        }
    }

    /// The code of a contract, as the root contract fixes it.
    pub fn code_of(&self, kind: ContractKind) -> Result<&Cell, BindingsError> {
        let code = match kind {
            ContractKind::Proxy => self.proxy_code.as_ref(),
            ContractKind::Client => self.client_code.as_ref(),
            ContractKind::Worker => self.worker_code.as_ref(),
            ContractKind::Root | ContractKind::Wallet | ContractKind::Governor => None,
        };
        code.ok_or(BindingsError::MissingCode { kind })
    }

    /// The parameters as a cell.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        to_cell(self).map_err(BindingsError::layout("params"))
    }
}

impl Store for Params {
    fn store_into(&self, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError> {
        let version = self.struct_version;
        let multipliers = &self.multipliers;
        let lost = |value: u32| value != MULTIPLIER_ONE;
        let lost_multiplier = (version < 3 && (lost(multipliers.prompt) || lost(multipliers.completion)))
            || (version < 2 && (lost(multipliers.cached) || lost(multipliers.reasoning)));
        let lost_stake =
            version < 1 && (self.min_proxy_stake != DEFAULT_STAKE || self.min_client_stake != DEFAULT_STAKE);
        if version > STRUCT_VERSION || lost_multiplier || lost_stake {
            return Err(CellError::InvalidData);
        }
        builder.store_u8(version)?;
        self.params_version.store_into(builder, context)?;
        builder.store_u32(self.unique_id)?;
        builder.store_bit(self.is_test)?;
        self.price_per_token.store_into(builder, context)?;
        self.worker_fee_per_token.store_into(builder, context)?;
        let since = [
            (3, multipliers.prompt),
            (2, multipliers.cached),
            (3, multipliers.completion),
        ];
        for (first, multiplier) in since.into_iter().chain([(2, multipliers.reasoning)]) {
            if version >= first {
                builder.store_u32(multiplier)?;
            }
        }
        builder.store_u32(self.proxy_delay_before_close)?;
        builder.store_u32(self.client_delay_before_close)?;
        if version >= 1 {
            self.min_proxy_stake.store_into(builder, context)?;
            self.min_client_stake.store_into(builder, context)?;
        }
        self.proxy_code.store_into(builder, context)?;
        self.worker_code.store_into(builder, context)?;
        self.client_code.store_into(builder, context)
    }
}

impl<'a> Load<'a> for Params {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        let version = slice.load_u8()?;
        if version > STRUCT_VERSION {
            return Err(CellError::InvalidTag);
        }
        let multiplier = |slice: &mut CellSlice<'a>, first: u8| {
            if version >= first {
                slice.load_u32()
            } else {
                Ok(MULTIPLIER_ONE)
            }
        };
        let stake = |slice: &mut CellSlice<'a>| {
            if version >= 1 {
                Nanoton::load_from(slice)
            } else {
                Ok(DEFAULT_STAKE)
            }
        };
        Ok(Self {
            struct_version: version,
            params_version: ParamsVersion::load_from(slice)?,
            unique_id: slice.load_u32()?,
            is_test: slice.load_bit()?,
            price_per_token: Nanoton::load_from(slice)?,
            worker_fee_per_token: Nanoton::load_from(slice)?,
            multipliers: Multipliers {
                prompt: multiplier(slice, 3)?,
                cached: multiplier(slice, 2)?,
                completion: multiplier(slice, 3)?,
                reasoning: multiplier(slice, 2)?,
            },
            proxy_delay_before_close: slice.load_u32()?,
            client_delay_before_close: slice.load_u32()?,
            min_proxy_stake: stake(slice)?,
            min_client_stake: stake(slice)?,
            proxy_code: Option::load_from(slice)?,
            worker_code: Option::load_from(slice)?,
            client_code: Option::load_from(slice)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ton::from_cell;
    use proptest::prelude::*;

    pub(crate) fn any_params() -> impl Strategy<Value = Params> {
        let money = || (0u128..1 << 60).prop_map(Nanoton::new);
        let code = || proptest::option::of(any::<u64>().prop_map(|seed| to_cell(&seed).unwrap()));
        let numbers = (
            0u8..=3,
            any::<u32>(),
            any::<u32>(),
            any::<bool>(),
            any::<[u32; 4]>(),
            any::<(u32, u32)>(),
        );
        let amounts = (money(), money(), money(), money());
        (numbers, amounts, (code(), code(), code())).prop_map(|(numbers, amounts, codes)| {
            let (struct_version, params_version, unique_id, is_test, weights, delays) = numbers;
            let since = |first: u8, value: u32| if struct_version >= first { value } else { MULTIPLIER_ONE };
            let stake = |value: Nanoton| if struct_version >= 1 { value } else { DEFAULT_STAKE };
            Params {
                struct_version,
                params_version: ParamsVersion::new(params_version),
                unique_id,
                is_test,
                price_per_token: amounts.0,
                worker_fee_per_token: amounts.1,
                multipliers: Multipliers {
                    prompt: since(3, weights[0]),
                    cached: since(2, weights[1]),
                    completion: since(3, weights[2]),
                    reasoning: since(2, weights[3]),
                },
                proxy_delay_before_close: delays.0,
                client_delay_before_close: delays.1,
                min_proxy_stake: stake(amounts.2),
                min_client_stake: stake(amounts.3),
                proxy_code: codes.0,
                worker_code: codes.1,
                client_code: codes.2,
            }
        })
    }

    proptest! {
        #[test]
        fn every_layout_version_survives_a_round_trip(params in any_params()) {
            prop_assert_eq!(from_cell::<Params>(&params.to_cell().unwrap()).unwrap(), params);
        }
    }

    #[test]
    fn an_unknown_layout_version_is_refused() {
        let mut builder = CellBuilder::new();
        builder.store_u8(4).unwrap();
        builder.store_zeros(600).unwrap();
        assert!(from_cell::<Params>(&builder.build().unwrap()).is_err());
    }
}
