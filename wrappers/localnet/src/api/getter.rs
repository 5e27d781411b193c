//! Get methods, and values of the virtual machine in JSON.

use cocoon_bindings::ton::{BigInt, Cell, StackValue, boc_base64, parse_boc_base64};
use cocoon_emulator::{Emulator, EmulatorError, GetterResult, Method};
use serde_json::{Value, json};

use super::params::Params;
use super::{ApiError, shape};
use crate::limits::{MAX_ARGUMENTS, MAX_STACK_DEPTH};

/// Exit code with which servers say that there is no contract.
const EXIT_NO_CONTRACT: i32 = -13;

/// `runGetMethod(address, method, stack)`.
pub(super) fn run(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let result = ask(chain, params, |entry| argument(entry, 0))?;
    let last = chain.account(&address)?;
    Ok(json!({
        "@type": "smc.runResult",
        "gas_used": result.gas_used,
        "stack": result.stack.iter().map(outer).collect::<Vec<_>>(),
        "exit_code": result.exit_code,
        "block_id": shape::last_block(chain),
        "last_transaction_id": last.map(|account| shape::transaction_id(account.last_lt, &account.last_hash)),
    }))
}

/// Runs the method that the parameters name; a server's exit code says that there is no contract.
pub(super) fn ask(
    chain: &Emulator,
    params: &Params<'_>,
    argument: impl Fn(&Value) -> Result<StackValue, ApiError>,
) -> Result<GetterResult, ApiError> {
    let address = params.address("address")?;
    let method = match params.required("method")? {
        Value::String(name) => name.parse().map(Method).unwrap_or_else(|_| Method::from(name.as_str())),
        _ => Method(params.required_number("method")?),
    };
    let stack = match params.value("stack") {
        None => Vec::new(),
        Some(Value::Array(entries)) if entries.len() <= MAX_ARGUMENTS => {
            entries.iter().map(argument).collect::<Result<_, _>>()?
        }
        Some(_) => {
            return Err(ApiError::params(format!(
                "stack must be a list of up to {MAX_ARGUMENTS} values"
            )));
        }
    };
    match chain.get(&address, method, stack) {
        Ok(result) => Ok(result),
        Err(EmulatorError::NotActive(_)) => Ok(GetterResult {
            exit_code: EXIT_NO_CONTRACT,
            gas_used: 0,
            stack: Vec::new(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// An argument: `[type, value]`.
fn argument(entry: &Value, depth: usize) -> Result<StackValue, ApiError> {
    let malformed = || ApiError::params("a stack value is a pair of a type and a value");
    if depth > MAX_STACK_DEPTH {
        return Err(ApiError::params("stack values nest too deep"));
    }
    let pair = entry.as_array().ok_or_else(malformed)?;
    let kind = pair.first().and_then(Value::as_str).ok_or_else(malformed)?;
    let value = pair.get(1).unwrap_or(&Value::Null);
    match kind {
        "num" | "number" | "int" => number(value).map(StackValue::Int),
        "cell" | "tvm.Cell" => cell(value).map(StackValue::Cell),
        "slice" | "tvm.Slice" => cell(value).map(StackValue::Slice),
        "null" => Ok(StackValue::Null),
        "tuple" | "tvm.Tuple" => {
            let elements = value
                .get("elements")
                .unwrap_or(value)
                .as_array()
                .ok_or_else(malformed)?;
            elements
                .iter()
                .map(|element| argument(element, depth + 1))
                .collect::<Result<_, _>>()
                .map(StackValue::Tuple)
        }
        other => Err(ApiError::params(format!("unknown stack value type {other:?}"))),
    }
}

/// A cell: base64 text, or an object whose `bytes` are that.
pub(super) fn cell(value: &Value) -> Result<Cell, ApiError> {
    let text = value.as_str().or_else(|| value.get("bytes").and_then(Value::as_str));
    let text = text.ok_or_else(|| ApiError::params("a cell is given in base64"))?;
    parse_boc_base64(text).map_err(|error| ApiError::params(error.to_string()))
}

/// A number: hex with `0x`, maybe a sign before it, or decimal.
pub(super) fn number(value: &Value) -> Result<BigInt, ApiError> {
    let malformed = || ApiError::params("a number is decimal, or hex with 0x");
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(malformed()),
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    let (radix, digits) = digits.strip_prefix("0x").map_or((10, digits), |hex| (16, hex));
    // 257 bits are 65 hex digits or 78 decimal ones.
    if digits.len() > 80 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(malformed());
    }
    BigInt::parse_bytes(digits.as_bytes(), radix)
        .map(|magnitude| magnitude * sign)
        .ok_or_else(malformed)
}

/// A value of the result: `[type, value]`.
fn outer(value: &StackValue) -> Value {
    match value {
        StackValue::Null => json!(["null"]),
        StackValue::Int(number) => json!(["num", hex(number)]),
        StackValue::Cell(cell) => json!(["cell", { "bytes": boc_base64(cell) }]),
        StackValue::Slice(cell) => json!(["slice", { "bytes": boc_base64(cell) }]),
        StackValue::Tuple(values) => json!(["tuple", tuple(values)]),
    }
}

fn tuple(values: &[StackValue]) -> Value {
    json!({ "@type": "tvm.tuple", "elements": values.iter().map(inner).collect::<Vec<_>>() })
}

/// A value inside a tuple carries its type in `@type`.
fn inner(value: &StackValue) -> Value {
    match value {
        StackValue::Null => {
            json!({ "@type": "tvm.stackEntryList", "list": { "@type": "tvm.list", "elements": [] } })
        }
        StackValue::Int(number) => json!({
            "@type": "tvm.stackEntryNumber",
            "number": { "@type": "tvm.numberDecimal", "number": number.to_string() },
        }),
        StackValue::Cell(cell) => json!({
            "@type": "tvm.stackEntryCell",
            "cell": { "@type": "tvm.cell", "bytes": boc_base64(cell) },
        }),
        StackValue::Slice(cell) => json!({
            "@type": "tvm.stackEntrySlice",
            "slice": { "@type": "tvm.slice", "bytes": boc_base64(cell) },
        }),
        StackValue::Tuple(values) => json!({ "@type": "tvm.stackEntryTuple", "tuple": tuple(values) }),
    }
}

pub(super) fn hex(number: &BigInt) -> String {
    let digits = number.magnitude().to_str_radix(16);
    if number.to_string().starts_with('-') {
        format!("-0x{digits}")
    } else {
        format!("0x{digits}")
    }
}
