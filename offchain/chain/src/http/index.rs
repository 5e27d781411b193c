//! The shapes of version 3.

use cocoon_bindings::ton::{StackValue, boc_base64};
use cocoon_emulator::GetterResult;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{shape, stack};
use crate::client::ChainHead;
use crate::limits::MAX_STACK_DEPTH;

/// `masterchainInfo`.
#[derive(Deserialize)]
struct MasterchainInfo {
    last: BlockShape,
}

#[derive(Deserialize)]
struct BlockShape {
    seqno: u32,
    gen_utime: Value,
}

/// `runGetMethod`.
#[derive(Deserialize)]
struct GetMethodResult {
    gas_used: Value,
    exit_code: i32,
    stack: Vec<Value>,
}

/// The last block of the masterchain that is in the index.
pub(super) fn head(result: &Value) -> Result<ChainHead, String> {
    let last = MasterchainInfo::deserialize(result)
        .map_err(|error| error.to_string())?
        .last;
    let time = u32::try_from(shape::unsigned(&last.gen_utime)?).map_err(|error| error.to_string())?;
    Ok(ChainHead {
        seqno: Some(last.seqno),
        time,
    })
}

/// An argument of a get method.
pub(super) fn argument(value: &StackValue) -> Result<Value, String> {
    let (kind, value) = match value {
        StackValue::Int(number) => ("num", stack::hex(number)),
        StackValue::Cell(cell) => ("cell", boc_base64(cell)),
        StackValue::Slice(cell) => ("slice", boc_base64(cell)),
        StackValue::Null | StackValue::Tuple(_) => {
            return Err(format!("servers take no {} as an argument", value.kind()));
        }
    };
    Ok(json!({ "type": kind, "value": value }))
}

pub(super) fn getter(result: &Value) -> Result<GetterResult, String> {
    let shape = GetMethodResult::deserialize(result).map_err(|error| error.to_string())?;
    let stack = shape
        .stack
        .iter()
        .map(|entry| value(entry, 0))
        .collect::<Result<Vec<_>, _>>();
    // What a failed method left behind does not matter.
    let stack = if matches!(shape.exit_code, 0 | 1) {
        stack?
    } else {
        stack.unwrap_or_default()
    };
    Ok(GetterResult {
        exit_code: shape.exit_code,
        gas_used: shape::unsigned(&shape.gas_used)?,
        stack,
    })
}

/// A value of a get method's result: `{type, value}`, the same at every depth.
fn value(entry: &Value, depth: usize) -> Result<StackValue, String> {
    if depth > MAX_STACK_DEPTH {
        return Err("tuples nest too deep".to_owned());
    }
    let kind = entry
        .get("type")
        .and_then(Value::as_str)
        .ok_or("a stack entry has no type")?;
    let content = entry.get("value").unwrap_or(&Value::Null);
    let elements = || {
        let elements = content.as_array().ok_or("a tuple has no elements")?;
        elements
            .iter()
            .map(|element| value(element, depth + 1))
            .collect::<Result<Vec<_>, String>>()
    };
    match kind {
        "num" => stack::number(content).map(StackValue::Int),
        "cell" => stack::cell(content).map(StackValue::Cell),
        "slice" => stack::cell(content).map(StackValue::Slice),
        "null" => Ok(StackValue::Null),
        "tuple" => elements().map(StackValue::Tuple),
        "list" if content.is_null() => Ok(StackValue::Null),
        "list" => elements().and_then(stack::list),
        other => Err(format!("unknown stack entry type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_LIST;

    #[test]
    fn values_of_a_stack_are_read_at_every_depth() {
        let number = |text: &str| json!({ "type": "num", "value": text });
        let list = json!({ "type": "list", "value": [number("0x1"), { "type": "tuple", "value": [number("-0x2")] }] });
        let expected = StackValue::Tuple(vec![
            StackValue::int(1),
            StackValue::Tuple(vec![StackValue::Tuple(vec![StackValue::int(-2)]), StackValue::Null]),
        ]);
        assert_eq!(value(&list, 0).unwrap(), expected);
        let long = |count: usize| json!({ "type": "list", "value": vec![json!({ "type": "null" }); count] });
        assert!(value(&long(MAX_LIST), 0).is_ok() && value(&long(MAX_LIST + 1), 0).is_err());
        let mut deep = number("1");
        for _ in 0..=MAX_STACK_DEPTH {
            deep = json!({ "type": "tuple", "value": [deep] });
        }
        assert!(value(&deep, 0).is_err());
    }

    #[test]
    fn nonsense_is_an_error() {
        for answer in [json!({}), json!({ "last": 1 }), json!({ "stack": [] })] {
            assert!(getter(&answer).is_err() && head(&answer).is_err());
        }
    }
}
