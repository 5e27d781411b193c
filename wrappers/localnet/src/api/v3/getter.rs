//! Get methods, with values of the virtual machine in the shape of version 3.

use cocoon_bindings::ton::{StackValue, boc_base64};
use cocoon_emulator::Emulator;
use serde_json::{Value, json};

use super::super::ApiError;
use super::super::getter::{ask, cell, hex, number};
use super::super::params::Params;
use crate::limits::MAX_STACK_DEPTH;

/// `runGetMethod(address, method, stack)`.
pub(super) fn run(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let result = ask(chain, params, |entry| argument(entry, 0))?;
    Ok(json!({
        "gas_used": result.gas_used,
        "exit_code": result.exit_code,
        "stack": result.stack.iter().map(value).collect::<Vec<_>>(),
    }))
}

/// An argument: `{type, value}`.
fn argument(entry: &Value, depth: usize) -> Result<StackValue, ApiError> {
    let malformed = || ApiError::params("a stack value has a type and a value");
    if depth > MAX_STACK_DEPTH {
        return Err(ApiError::params("stack values nest too deep"));
    }
    let kind = entry.get("type").and_then(Value::as_str).ok_or_else(malformed)?;
    let content = entry.get("value").unwrap_or(&Value::Null);
    match kind {
        "num" => number(content).map(StackValue::Int),
        "cell" => cell(content).map(StackValue::Cell),
        "slice" => cell(content).map(StackValue::Slice),
        "null" => Ok(StackValue::Null),
        "tuple" => {
            let elements = content.as_array().ok_or_else(malformed)?;
            let elements = elements.iter().map(|element| argument(element, depth + 1));
            elements.collect::<Result<_, _>>().map(StackValue::Tuple)
        }
        other => Err(ApiError::params(format!("unknown stack value type {other:?}"))),
    }
}

/// A value of the result, the same at every depth.
fn value(value: &StackValue) -> Value {
    match value {
        StackValue::Null => json!({ "type": "list", "value": [] }),
        StackValue::Int(number) => json!({ "type": "num", "value": hex(number) }),
        StackValue::Cell(cell) => json!({ "type": "cell", "value": boc_base64(cell) }),
        StackValue::Slice(cell) => json!({ "type": "slice", "value": boc_base64(cell) }),
        StackValue::Tuple(values) => {
            json!({ "type": "tuple", "value": values.iter().map(self::value).collect::<Vec<_>>() })
        }
    }
}
