//! Get methods: code of an account run without changing anything.

use cocoon_bindings::ton::{Address, BigInt, Cell, CellBuilder, CellError, Dict, StackValue};
use tycho_executor::ParsedConfig;
use tycho_types::models::{Account, AccountState, LibDescr};
use tycho_types::prelude::HashBytes;
use tycho_vm::{
    GasParams, OwnedCellSlice, RcStackValue, SafeRc, SmcInfoBase, Stack, StackValueType, Tuple, VmState, VmVersion,
};

use crate::EmulatorError;
use crate::limits::{GETTER_GAS_LIMIT, MAX_STACK_DEPTH};

/// A get method: a number, or a name from which the number is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(pub u32);

impl From<u32> for Method {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        Self(u32::from(tycho_types::crc::crc_16(name.as_bytes())) | 0x1_0000)
    }
}

/// What a get method returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetterResult {
    /// 0 or 1 for success, else the error.
    pub exit_code: i32,
    /// Gas used.
    pub gas_used: u64,
    /// The stack, bottom first: the first returned value is the first here.
    pub stack: Vec<StackValue>,
}

impl GetterResult {
    /// Whether the method succeeded.
    pub fn success(&self) -> bool {
        matches!(self.exit_code, 0 | 1)
    }
}

/// Runs a get method on an account as of `now`.
pub(crate) fn run(
    address: &Address,
    account: Option<Account>,
    method: Method,
    arguments: Vec<StackValue>,
    config: &ParsedConfig,
    now: u32,
) -> Result<GetterResult, EmulatorError> {
    let not_active = || EmulatorError::NotActive(address.clone());
    let account = account.ok_or_else(not_active)?;
    let AccountState::Active(state) = &account.state else {
        return Err(not_active());
    };
    let code = state.code.clone().ok_or_else(not_active)?;

    let mut stack = arguments
        .iter()
        .map(|value| to_machine(value, 0))
        .collect::<Result<Tuple, _>>()?;
    stack.push(RcStackValue::new_dyn_value(BigInt::from(method.0)));

    let info = SmcInfoBase::new()
        .with_now(now)
        .with_block_lt(account.last_trans_lt)
        .with_tx_lt(account.last_trans_lt)
        .with_mixed_rand_seed(&HashBytes::ZERO, &address.address)
        .with_account_balance(account.balance.clone())
        .with_account_addr(account.address.clone())
        .with_config(config.raw.params.clone())
        .require_ton_v4()
        .with_code(code.clone())
        .require_ton_v6()
        .with_unpacked_config(config.unpacked.as_tuple())
        .with_due_payment(account.storage_stat.due_payment.unwrap_or_default())
        .require_ton_v11();

    let public_libraries = Dict::<HashBytes, LibDescr>::new();
    let libraries = (&state.libraries, &public_libraries);
    // The machine's own helper runs at version 11; the contracts are compiled for 12.
    let mut machine = VmState::builder()
        .with_smc_info(info)
        .with_version(VmVersion::LATEST_TON)
        .with_code(code)
        .with_data(state.data.clone().unwrap_or_default())
        .with_libraries(&libraries)
        .with_init_selector(false)
        .with_raw_stack(SafeRc::new(Stack { items: stack }))
        .with_gas(GasParams {
            max: GETTER_GAS_LIMIT,
            limit: GETTER_GAS_LIMIT,
            ..GasParams::getter()
        })
        .build();
    let exit_code = !machine.run();
    let gas_used = machine.gas.consumed();
    let stack = machine
        .stack
        .items
        .iter()
        .map(|value| from_machine(value, 0))
        .collect::<Result<Vec<_>, _>>();
    // A failed method may leave anything behind; only its code matters.
    let stack = if matches!(exit_code, 0 | 1) {
        stack?
    } else {
        stack.unwrap_or_default()
    };
    Ok(GetterResult {
        exit_code,
        gas_used,
        stack,
    })
}

fn to_machine(value: &StackValue, depth: usize) -> Result<RcStackValue, EmulatorError> {
    if depth > MAX_STACK_DEPTH {
        return Err(EmulatorError::StackValue("deeply nested tuple"));
    }
    Ok(match value {
        StackValue::Null => Stack::make_null(),
        StackValue::Int(value) => {
            if value.bits() > 256 {
                return Err(EmulatorError::StackValue("integer of more than 257 bits"));
            }
            RcStackValue::new_dyn_value(value.clone())
        }
        StackValue::Cell(cell) => RcStackValue::new_dyn_value(cell.clone()),
        StackValue::Slice(cell) => RcStackValue::new_dyn_value(OwnedCellSlice::new_allow_exotic(cell.clone())),
        StackValue::Tuple(values) => {
            if values.len() > 255 {
                return Err(EmulatorError::StackValue("tuple of more than 255 values"));
            }
            let values = values
                .iter()
                .map(|value| to_machine(value, depth + 1))
                .collect::<Result<Tuple, _>>()?;
            RcStackValue::new_dyn_value(values)
        }
    })
}

fn from_machine(value: &RcStackValue, depth: usize) -> Result<StackValue, EmulatorError> {
    if depth > MAX_STACK_DEPTH {
        return Err(EmulatorError::StackValue("deeply nested tuple"));
    }
    if value.is_null() {
        return Ok(StackValue::Null);
    }
    if let Some(value) = value.as_int() {
        return Ok(StackValue::Int(value.clone()));
    }
    if let Some(cell) = value.as_cell() {
        return Ok(StackValue::Cell(cell.clone()));
    }
    if let Some(slice) = value.as_cell_slice() {
        return slice_cell(slice)
            .map(StackValue::Slice)
            .map_err(EmulatorError::cell("slice on the stack"));
    }
    if let Some(values) = value.as_tuple() {
        let values = values
            .iter()
            .map(|value| from_machine(value, depth + 1))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(StackValue::Tuple(values));
    }
    Err(EmulatorError::StackValue(match value.raw_ty() {
        ty if ty == StackValueType::Int as u8 => "not a number",
        ty if ty == StackValueType::Builder as u8 => "builder",
        ty if ty == StackValueType::Cont as u8 => "continuation",
        _ => "unknown",
    }))
}

fn slice_cell(slice: &OwnedCellSlice) -> Result<Cell, CellError> {
    if slice.range().is_full(slice.cell()) {
        Ok(slice.cell().clone())
    } else {
        CellBuilder::build_from(slice.apply())
    }
}
