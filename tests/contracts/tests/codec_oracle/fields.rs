//! Any value of a field's type, and how it lies on the stack.

use crate::support::{Any, ToStack};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, HashBytes, StackValue, to_cell};
use cocoon_bindings::{Nanoton, ParamsVersion, PublicKey, QueryId, TokenCount};
use proptest::prelude::*;

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Any for $number {
            fn any() -> BoxedStrategy<Self> {
                any::<$number>().boxed()
            }
        }
        impl ToStack for $number {
            fn to_stack(&self, stack: &mut Vec<StackValue>) {
                stack.push(StackValue::int(*self));
            }
        }
    )*};
}
numbers!(u8, u32, u64, i32);

macro_rules! wrapped {
    ($($wrapper:ty: $inner:ty),*) => {$(
        impl Any for $wrapper {
            fn any() -> BoxedStrategy<Self> {
                any::<$inner>().prop_map(<$wrapper>::new).boxed()
            }
        }
        impl ToStack for $wrapper {
            fn to_stack(&self, stack: &mut Vec<StackValue>) {
                stack.push(StackValue::int(self.get()));
            }
        }
    )*};
}
wrapped!(QueryId: u64, TokenCount: u64, ParamsVersion: u32);

impl Any for bool {
    fn any() -> BoxedStrategy<Self> {
        any::<bool>().boxed()
    }
}

impl ToStack for bool {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::int(-i32::from(*self)));
    }
}

impl Any for Nanoton {
    fn any() -> BoxedStrategy<Self> {
        // Every length of the encoding is met.
        (0u32..120, any::<u128>())
            .prop_map(|(bits, value)| Self::new(value >> 8 >> bits))
            .boxed()
    }
}

impl ToStack for Nanoton {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::int(self.get()));
    }
}

impl Any for HashBytes {
    fn any() -> BoxedStrategy<Self> {
        any::<[u8; 32]>().prop_map(HashBytes).boxed()
    }
}

impl ToStack for HashBytes {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::hash(&self.0));
    }
}

impl Any for PublicKey {
    fn any() -> BoxedStrategy<Self> {
        any::<[u8; 32]>().prop_map(Self::new).boxed()
    }
}

impl ToStack for PublicKey {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::hash(self.as_bytes()));
    }
}

impl Any for [u8; 64] {
    fn any() -> BoxedStrategy<Self> {
        proptest::collection::vec(any::<u8>(), 64)
            .prop_map(|bytes| bytes.try_into().unwrap())
            .boxed()
    }
}

impl ToStack for [u8; 64] {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::Slice(
            CellBuilder::from_raw_data(self, 512).unwrap().build().unwrap(),
        ));
    }
}

impl Any for Address {
    fn any() -> BoxedStrategy<Self> {
        let workchain = prop_oneof![4 => Just(0i8), 1 => any::<i8>()];
        (workchain, HashBytes::any())
            .prop_map(|(workchain, hash)| Self::new(workchain, hash))
            .boxed()
    }
}

impl ToStack for Address {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::Slice(to_cell(self).unwrap()));
    }
}

impl Any for Cell {
    fn any() -> BoxedStrategy<Self> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
        let build = |data: &[u8]| CellBuilder::from_raw_data(data, u16::try_from(data.len() * 8).unwrap()).unwrap();
        (bytes(), proptest::option::of(bytes()))
            .prop_map(move |(data, child)| {
                let mut builder = build(&data);
                if let Some(child) = child {
                    builder.store_reference(build(&child).build().unwrap()).unwrap();
                }
                builder.build().unwrap()
            })
            .boxed()
    }
}

impl ToStack for Cell {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(StackValue::Cell(self.clone()));
    }
}

impl<T: Any + Clone> Any for Option<T> {
    fn any() -> BoxedStrategy<Self> {
        proptest::option::of(T::any()).boxed()
    }
}

impl ToStack for Option<Cell> {
    fn to_stack(&self, stack: &mut Vec<StackValue>) {
        stack.push(self.clone().map_or(StackValue::Null, StackValue::Cell));
    }
}
