//! The chain's configuration: fee schedules built from numbers, or read from a real configuration cell.

use tycho_executor::ParsedConfig;
use tycho_types::cell::{Cell, HashBytes};
use tycho_types::dict::Dict;
use tycho_types::models::{
    BlockchainConfig, BlockchainConfigParams, GasLimitsPrices, GlobalCapabilities, GlobalVersion, MsgForwardPrices,
    StoragePrices, WorkchainDescription, WorkchainFormat, WorkchainFormatBasic,
};

use crate::EmulatorError;

/// Account of the configuration contract: 32 bytes of 0x55 in the masterchain, as on the real chain.
const CONFIG_ADDRESS: HashBytes = HashBytes([0x55; 32]);

/// Account of the elector contract, which pays no gas, as on the real chain.
const ELECTOR_ADDRESS: HashBytes = HashBytes([0x33; 32]);

/// The capabilities word of the real chain's global version parameter.
const CAPABILITIES: u64 = 0x1ee;

/// Storage prices.
const PARAM_STORAGE_PRICES: u32 = 18;

/// Workchains that a message may go to, besides the masterchain.
const PARAM_WORKCHAINS: u32 = 12;

/// Size limits. The executor reads the newer record of the real chain wrongly, and its defaults fit.
const PARAM_SIZE_LIMITS: u32 = 43;

/// What the emulated chain charges and which rules it runs.
///
/// Two schedules matter in practice: [`october_2025`](Self::october_2025), the dearer one, under which amounts must
/// still suffice, and [`spring_2026`](Self::spring_2026), which the public chain uses since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Global version of the chain's rules. The virtual machine implements 12.
    pub version: u32,
    /// Gas in workchain 0.
    pub gas: GasLimitsPrices,
    /// Gas in the masterchain.
    pub masterchain_gas: GasLimitsPrices,
    /// Message forwarding in workchain 0.
    pub forward: MsgForwardPrices,
    /// Message forwarding from or to the masterchain.
    pub masterchain_forward: MsgForwardPrices,
    /// Storage prices, oldest period first.
    pub storage: Vec<StoragePrices>,
}

impl NetworkConfig {
    /// Fees of October 2025: gas 400 nanoton, forwarding 400,000 nanoton and up.
    pub fn october_2025() -> Self {
        Self {
            version: 12,
            gas: gas_prices(26_214_400, 40_000, 10_000_000),
            masterchain_gas: GasLimitsPrices {
                special_gas_limit: 70_000_000,
                ..gas_prices(655_360_000, 1_000_000, 2_500_000)
            },
            forward: forward_prices(400_000, 26_214_400, 2_621_440_000),
            masterchain_forward: forward_prices(10_000_000, 655_360_000, 65_536_000_000),
            storage: vec![storage_prices(0, 1, 500)],
        }
    }

    /// Fees since spring 2026: about six times lower.
    ///
    /// The chain's rules are at version 14 there; what 13 and 14 changed does not touch ordinary paths of contracts,
    /// and the virtual machine runs the rules of 12.
    pub fn spring_2026() -> Self {
        Self {
            gas: gas_prices(4_369_067, 6_667, 10_000_000),
            forward: forward_prices(66_667, 4_369_067, 436_906_667),
            storage: vec![storage_prices(0, 1, 500), storage_prices(1_777_500_000, 0, 135)],
            ..Self::october_2025()
        }
    }

    /// Reads the prices from a configuration of a real chain (the dictionary's root cell).
    pub fn from_config_cell(root: Cell) -> Result<Self, EmulatorError> {
        let params = BlockchainConfigParams::from_raw(root);
        let read = || -> Result<Self, tycho_types::error::Error> {
            Ok(Self {
                version: params.get_global_version()?.version,
                gas: params.get_gas_prices(false)?,
                masterchain_gas: params.get_gas_prices(true)?,
                forward: params.get_msg_forward_prices(false)?,
                masterchain_forward: params.get_msg_forward_prices(true)?,
                storage: params.get_storage_prices()?.values().collect::<Result<_, _>>()?,
            })
        };
        read().map_err(EmulatorError::Config)
    }

    /// The configuration dictionary that contracts and the executor see.
    pub fn to_config_cell(&self) -> Result<Cell, EmulatorError> {
        let config = self.build().map_err(EmulatorError::Config)?;
        config
            .params
            .as_dict()
            .root()
            .clone()
            .ok_or(EmulatorError::Config(tycho_types::error::Error::CellUnderflow))
    }

    /// Parses the configuration for the executor as of `now`.
    pub(crate) fn parse(&self, now: u32) -> Result<ParsedConfig, EmulatorError> {
        let parse = || -> Result<ParsedConfig, tycho_types::error::Error> { ParsedConfig::parse(self.build()?, now) };
        parse().map_err(EmulatorError::Config)
    }

    /// Nine parameters suffice for contracts and executor: 0, 8, 12, 18, 20, 21, 24, 25 and 31.
    fn build(&self) -> Result<BlockchainConfig, tycho_types::error::Error> {
        let mut config = BlockchainConfig::new_empty(CONFIG_ADDRESS);
        let params = &mut config.params;
        params.set_global_version(&GlobalVersion {
            version: self.version,
            capabilities: GlobalCapabilities::new(CAPABILITIES),
        })?;
        let mut workchains = Dict::<i32, WorkchainDescription>::new();
        workchains.set(0, basechain())?;
        // The executor cannot read the newer record (`workchain_v2`) of the real chain; the older says the same.
        params.set_workchains(&workchains)?;
        let mut storage = Dict::<u32, StoragePrices>::new();
        for prices in &self.storage {
            storage.set(prices.utime_since, *prices)?;
        }
        // The parameter is the dictionary's root itself, keyed by the time from which the prices hold.
        params.set_raw(
            PARAM_STORAGE_PRICES,
            storage.into_root().ok_or(tycho_types::error::Error::CellUnderflow)?,
        )?;
        params.set_gas_prices(true, &self.masterchain_gas)?;
        params.set_gas_prices(false, &self.gas)?;
        params.set_msg_forward_prices(true, &self.masterchain_forward)?;
        params.set_msg_forward_prices(false, &self.forward)?;
        params.set_fundamental_addresses(&[HashBytes::ZERO, ELECTOR_ADDRESS, CONFIG_ADDRESS])?;
        debug_assert!(params.contains_raw(PARAM_WORKCHAINS)? && !params.contains_raw(PARAM_SIZE_LIMITS)?);
        Ok(config)
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self::spring_2026()
    }
}

/// `price` is nanoton per gas times 65,536; the first 100 gas cost `flat`.
fn gas_prices(price: u64, flat: u64, block_limit: u64) -> GasLimitsPrices {
    GasLimitsPrices {
        gas_price: price,
        gas_limit: 1_000_000,
        special_gas_limit: 1_000_000,
        gas_credit: 10_000,
        block_gas_limit: block_limit,
        freeze_due_limit: 100_000_000,
        delete_due_limit: 1_000_000_000,
        flat_gas_limit: 100,
        flat_gas_price: flat,
    }
}

/// `lump` in nanoton; `bit` and `cell` in nanoton times 65,536. A third of the fee stays with the sending side.
fn forward_prices(lump: u64, bit: u64, cell: u64) -> MsgForwardPrices {
    MsgForwardPrices {
        lump_price: lump,
        bit_price: bit,
        cell_price: cell,
        ihr_price_factor: 98_304,
        first_frac: 21_845,
        next_frac: 21_845,
    }
}

/// `bit` and `cell` in nanoton times 65,536 per second.
fn storage_prices(since: u32, bit: u64, cell: u64) -> StoragePrices {
    StoragePrices {
        utime_since: since,
        bit_price_ps: bit,
        cell_price_ps: cell,
        mc_bit_price_ps: 1_000,
        mc_cell_price_ps: 500_000,
    }
}

fn basechain() -> WorkchainDescription {
    WorkchainDescription {
        enabled_since: 0,
        actual_min_split: 0,
        min_split: 0,
        max_split: 4,
        active: true,
        accept_msgs: true,
        zerostate_root_hash: HashBytes::ZERO,
        zerostate_file_hash: HashBytes::ZERO,
        version: 0,
        format: WorkchainFormat::Basic(WorkchainFormatBasic {
            vm_version: -1,
            vm_mode: 0,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_survives_the_cell() {
        for network in [NetworkConfig::october_2025(), NetworkConfig::spring_2026()] {
            let cell = network.to_config_cell().unwrap();
            assert_eq!(NetworkConfig::from_config_cell(cell).unwrap(), network);
        }
    }

    #[test]
    fn gas_of_spring_is_about_six_times_cheaper() {
        let old = NetworkConfig::october_2025().gas.compute_gas_fee(10_000);
        let new = NetworkConfig::spring_2026().gas.compute_gas_fee(10_000);
        assert_eq!(old.into_inner(), 4_000_000);
        assert_eq!(new.into_inner(), 666_668);
    }
}
