//! What the generated cases are made of: the oracle, the comparison with it, and macros that make tests of a struct.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{
    Address, Cell, CellBuilder, CellError, HashBytes, Load, StackValue, Store, from_cell, parse_boc_base64, to_cell,
};
use cocoon_bindings::{Nanoton, StateInit};
use cocoon_emulator::{Emulator, NetworkConfig};
use proptest::prelude::*;
use std::fmt::Debug;
use std::sync::{Mutex, OnceLock};

/// A strategy for every type that a field may have.
pub(crate) trait Any: Sized + Debug + 'static {
    fn any() -> BoxedStrategy<Self>;
}

/// The value as the compiler leaves it on the stack.
pub(crate) trait ToStack {
    fn to_stack(&self, stack: &mut Vec<StackValue>);
}

/// The oracle contract, deployed once.
struct Oracle {
    emulator: Emulator,
    address: Address,
}

impl Oracle {
    fn deploy() -> Self {
        let mut emulator = Emulator::new(&NetworkConfig::october_2025(), 1_760_000_000).unwrap();
        let state_init = StateInit {
            code: code("CodecOracle"),
            data: Cell::default(),
        };
        let address = state_init.address().unwrap();
        let message = InternalMessage {
            to: address.clone(),
            value: Nanoton::from_ton(10),
            bounce: false,
            body: Cell::default(),
            state_init: Some(state_init),
        };
        emulator
            .send_internal(&Address::new(0, HashBytes([1; 32])), &message)
            .unwrap();
        Self { emulator, address }
    }

    /// The stack that a get method leaves, or its exit code.
    fn ask(method: &str, data: &Cell) -> Result<Vec<StackValue>, i32> {
        static ORACLE: OnceLock<Mutex<Oracle>> = OnceLock::new();
        let oracle = ORACLE.get_or_init(|| Mutex::new(Self::deploy()));
        let oracle = oracle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let result = oracle
            .emulator
            .get(&oracle.address, method, vec![StackValue::Cell(data.clone())])
            .unwrap();
        if result.success() {
            Ok(result.stack)
        } else {
            Err(result.exit_code)
        }
    }
}

fn json(path: &str) -> serde_json::Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../contracts")
        .join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn code(contract: &str) -> Cell {
    let artefact = json(&format!("artefacts/{contract}.json"));
    parse_boc_base64(artefact["code_boc_base64"].as_str().unwrap()).unwrap()
}

/// The prefixes that a contract's ABI declares.
pub(crate) fn opcodes(contract: &str) -> Vec<u32> {
    let abi = json(&format!("abi/{contract}.json"));
    let declarations = abi["declarations"].as_array().unwrap().iter();
    let prefixes = declarations.filter_map(|declared| declared["prefix"]["prefix_num"].as_u64());
    prefixes.map(|prefix| u32::try_from(prefix).unwrap()).collect()
}

/// Decodes; what was decoded can be encoded again.
pub(crate) fn decode_as<T>(cell: &Cell)
where
    T: for<'a> Load<'a> + Store,
{
    if let Ok(value) = from_cell::<T>(cell) {
        assert!(to_cell(&value).is_ok(), "what was decoded cannot be encoded");
    }
}

/// The compiler's codec and ours agree on a value: same bits, same fields.
pub(crate) fn check_struct<T>(name: &str, value: &T) -> Result<(), TestCaseError>
where
    T: for<'a> Load<'a> + Store + ToStack + PartialEq + Debug,
{
    check_union(name, value)?;
    let Some(cell) = fitting(value) else { return Ok(()) };
    let mut expected = Vec::new();
    value.to_stack(&mut expected);
    prop_assert_eq!(Oracle::ask(&format!("unpack_{name}"), &cell), Ok(expected));
    Ok(())
}

/// The compiler's codec and ours agree on the bits of a value.
pub(crate) fn check_union<T>(name: &str, value: &T) -> Result<(), TestCaseError>
where
    T: for<'a> Load<'a> + Store + PartialEq + Debug,
{
    let Some(cell) = fitting(value) else { return Ok(()) };
    prop_assert_eq!(&from_cell::<T>(&cell).unwrap(), value);
    let theirs = Oracle::ask(&format!("repack_{name}"), &cell);
    prop_assert_eq!(theirs, Ok(vec![StackValue::Cell(cell)]));
    Ok(())
}

/// What we accept of a damaged cell, the compiler accepts too, and as the same value.
pub(crate) fn check_damaged<T>(name: &str, value: &T, bit: usize) -> Result<(), TestCaseError>
where
    T: for<'a> Load<'a> + Store + PartialEq + Debug,
{
    let Some(cell) = fitting(value).filter(|cell| cell.bit_len() > 0) else {
        return Ok(());
    };
    let mut data = cell.data().to_vec();
    let bit = bit % usize::from(cell.bit_len());
    data[bit / 8] ^= 0x80 >> (bit % 8);
    let mut builder = CellBuilder::from_raw_data(&data, cell.bit_len()).unwrap();
    for index in 0..cell.reference_count() {
        builder.store_reference(cell.reference_cloned(index).unwrap()).unwrap();
    }
    let damaged = builder.build().unwrap();
    let Ok(read) = from_cell::<T>(&damaged) else {
        return Ok(());
    };
    let theirs = match Oracle::ask(&format!("repack_{name}"), &damaged).as_deref() {
        Ok([StackValue::Cell(cell)]) => from_cell::<T>(cell).ok(),
        _ => None,
    };
    prop_assert_eq!(theirs, Some(read));
    Ok(())
}

/// The value's cell; none if its amounts are so large that it takes more than a cell holds.
fn fitting(value: &impl Store) -> Option<Cell> {
    match to_cell(value) {
        Err(CellError::CellOverflow) => None,
        cell => Some(cell.unwrap()),
    }
}

pub(crate) fn plain(value: &impl ToStack, stack: &mut Vec<StackValue>) {
    value.to_stack(stack);
}

pub(crate) fn cell_of(value: &impl Store, stack: &mut Vec<StackValue>) {
    stack.push(StackValue::Cell(to_cell(value).unwrap()));
}

pub(crate) fn maybe_cell_of<T: Store>(value: &Option<T>, stack: &mut Vec<StackValue>) {
    stack.push(
        value
            .as_ref()
            .map_or(StackValue::Null, |value| StackValue::Cell(to_cell(value).unwrap())),
    );
}

pub(crate) fn slice_of(value: &Cell, stack: &mut Vec<StackValue>) {
    stack.push(StackValue::Slice(value.clone()));
}

/// A strategy for the type that the field turns out to have.
pub(crate) fn any_for<T: Any>(_field: &str) -> BoxedStrategy<T> {
    T::any()
}

/// A struct: its fields and how each lies on the stack.
macro_rules! case {
    ($test:ident, $name:ident { $($field:ident : $how:ident),* $(,)? }) => {
        impl $crate::support::Any for $name {
            fn any() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy;
                ($($crate::support::any_for(stringify!($field)),)*)
                    .prop_map(|($($field,)*)| Self { $($field),* })
                    .boxed()
            }
        }
        impl $crate::support::ToStack for $name {
            fn to_stack(&self, stack: &mut Vec<cocoon_bindings::ton::StackValue>) {
                $($crate::support::$how(&self.$field, stack);)*
            }
        }
        $crate::support::tests!($test, $name, stringify!($name), check_struct);
    };
}

/// A type of the facade under the name that it has in the contracts.
macro_rules! by_hand {
    ($test:ident, $name:ident, $declared:literal) => {
        $crate::support::tests!($test, $name, $declared, check_struct);
    };
}

/// One of several structs.
macro_rules! union {
    ($test:ident, $name:ident [$($variant:ident),*]) => {
        impl $crate::support::Any for $name {
            fn any() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy;
                let variants = [
                    $($crate::support::any_for(stringify!($variant)).prop_map(Self::$variant).boxed()),*
                ];
                proptest::strategy::Union::new(variants).boxed()
            }
        }
        $crate::support::tests!($test, $name, stringify!($name), check_union);
    };
}

/// A named number.
macro_rules! named {
    ($name:ident [$($member:ident),*]) => {
        impl $crate::support::Any for $name {
            fn any() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy;
                proptest::sample::select(vec![$(Self::$member),*]).boxed()
            }
        }
        impl $crate::support::ToStack for $name {
            fn to_stack(&self, stack: &mut Vec<cocoon_bindings::ton::StackValue>) {
                stack.push(cocoon_bindings::ton::StackValue::int(self.value()));
            }
        }
    };
}

macro_rules! tests {
    ($test:ident, $type:ty, $name:expr, $check:ident) => {
        mod $test {
            use super::*;
            proptest::proptest! {
                #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

                #[test]
                fn is_what_the_compiler_makes_of_it(value in <$type as $crate::support::Any>::any()) {
                    $crate::support::$check($name, &value)?;
                }

                #[test]
                fn damaged_is_read_alike(value in <$type as $crate::support::Any>::any(), bit in 0usize..1023) {
                    $crate::support::check_damaged($name, &value, bit)?;
                }
            }
        }
    };
}

pub(crate) use {by_hand, case, named, tests, union};
