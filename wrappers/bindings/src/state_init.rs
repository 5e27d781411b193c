//! Initial state of the contracts; addresses derive from it.

use crate::contract::ContractKind;
use crate::error::BindingsError;
use crate::governance::Governance;
use crate::governor::GovernorStorage;
use crate::params::Params;
use crate::root_data::RootData;
use crate::ton::{Address, Cell, CellBuilder, CellError, CellFamily, HashBytes, Store, store_address, to_cell};
use crate::units::{Nanoton, PublicKey};
use tycho_types::models::StateInit as ModelStateInit;

/// Code and initial data of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateInit {
    /// The code.
    pub code: Cell,
    /// The initial data.
    pub data: Cell,
}

impl StateInit {
    /// As a cell: no split depth, not special, code, data, no libraries.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        to_cell(&self.to_model()).map_err(BindingsError::layout("a state init"))
    }

    /// Its hash: the second half of the address.
    pub fn hash(&self) -> Result<HashBytes, BindingsError> {
        self.to_cell().map(|cell| *cell.repr_hash())
    }

    /// The address of the contract, in workchain 0.
    pub fn address(&self) -> Result<Address, BindingsError> {
        self.hash().map(|hash| Address::new(0, hash))
    }

    /// As the cell library's model.
    pub fn to_model(&self) -> ModelStateInit {
        ModelStateInit {
            code: Some(self.code.clone()),
            data: Some(self.data.clone()),
            ..Default::default()
        }
    }
}

/// A root contract with this build's code.
pub fn root_state_init(
    owner: &Address,
    version: u32,
    data: &RootData,
    params: &Params,
) -> Result<StateInit, BindingsError> {
    let fill = |builder: &mut CellBuilder| {
        store_address(owner, builder)?;
        builder.store_u32(version)?;
        builder.store_reference(to_cell(data)?)?;
        builder.store_reference(to_cell(params)?)
    };
    Ok(StateInit {
        code: ContractKind::Root.code()?,
        data: build("root data", fill)?,
    })
}

/// A proxy contract with the code that the root contract's parameters hold.
pub fn proxy_state_init(
    owner: &Address,
    proxy_public_key: &PublicKey,
    root: &Address,
    params: &Params,
) -> Result<StateInit, BindingsError> {
    let fill = |builder: &mut CellBuilder| {
        store_address(owner, builder)?;
        store(proxy_public_key, builder)?;
        store_address(root, builder)?;
        builder.store_small_uint(0, 2)?;
        store(&Nanoton::ZERO, builder)?;
        store(&Nanoton::ZERO, builder)?;
        builder.store_u32(0)?;
        builder.store_reference(to_cell(&params.for_proxy())?)
    };
    Ok(StateInit {
        code: params.code_of(ContractKind::Proxy)?.clone(),
        data: build("proxy data", fill)?,
    })
}

/// A client contract with the code that the root contract's parameters hold.
pub fn client_state_init(
    owner: &Address,
    proxy: &Address,
    proxy_public_key: &PublicKey,
    params: &Params,
) -> Result<StateInit, BindingsError> {
    let constant = |builder: &mut CellBuilder| {
        store_address(owner, builder)?;
        store_address(proxy, builder)?;
        store(proxy_public_key, builder)
    };
    let constant = build("client constants", constant)?;
    let fill = |builder: &mut CellBuilder| {
        builder.store_small_uint(0, 2)?;
        store(&Nanoton::ZERO, builder)?;
        store(&params.min_client_stake, builder)?;
        builder.store_u64(0)?;
        builder.store_u32(0)?;
        builder.store_u256(&HashBytes::ZERO)?;
        builder.store_reference(constant)?;
        builder.store_reference(to_cell(&params.without_code())?)
    };
    Ok(StateInit {
        code: params.code_of(ContractKind::Client)?.clone(),
        data: build("client data", fill)?,
    })
}

/// A worker contract with the code that the root contract's parameters hold.
pub fn worker_state_init(
    owner: &Address,
    proxy: &Address,
    proxy_public_key: &PublicKey,
    params: &Params,
) -> Result<StateInit, BindingsError> {
    let fill = |builder: &mut CellBuilder| {
        store_address(owner, builder)?;
        store_address(proxy, builder)?;
        store(proxy_public_key, builder)?;
        builder.store_small_uint(0, 2)?;
        builder.store_u64(0)?;
        builder.store_reference(to_cell(&params.without_code())?)
    };
    Ok(StateInit {
        code: params.code_of(ContractKind::Worker)?.clone(),
        data: build("worker data", fill)?,
    })
}

/// A runner's wallet with this build's code.
pub fn wallet_state_init(public_key: &PublicKey, owner: &Address) -> Result<StateInit, BindingsError> {
    let fill = |builder: &mut CellBuilder| {
        builder.store_u32(0)?;
        builder.store_u32(0)?;
        store(public_key, builder)?;
        builder.store_u32(0)?;
        store_address(owner, builder)
    };
    Ok(StateInit {
        code: ContractKind::Wallet.code()?,
        data: build("wallet data", fill)?,
    })
}

/// A governor of a root contract, with this build's code.
pub fn governor_state_init(root: &Address, governance: &Governance) -> Result<StateInit, BindingsError> {
    let storage = GovernorStorage {
        root: root.clone(),
        epoch: 0,
        paused_until: 0,
        pause_allowed_from: 0,
        config: governance.to_config()?,
        proposers: None,
        proposals: None,
    };
    Ok(StateInit {
        code: ContractKind::Governor.code()?,
        data: to_cell(&storage).map_err(BindingsError::layout("governor data"))?,
    })
}

fn store(value: &impl Store, builder: &mut CellBuilder) -> Result<(), CellError> {
    value.store_into(builder, Cell::empty_context())
}

fn build(
    what: &'static str,
    fill: impl FnOnce(&mut CellBuilder) -> Result<(), CellError>,
) -> Result<Cell, BindingsError> {
    let mut builder = CellBuilder::new();
    fill(&mut builder).map_err(BindingsError::layout(what))?;
    builder.build().map_err(BindingsError::layout(what))
}
