//! Values of the virtual machine in the API's JSON.

use cocoon_bindings::ton::{BigInt, StackValue, boc_base64, parse_boc_base64};
use serde_json::{Value, json};

use crate::limits::{MAX_LIST, MAX_STACK_DEPTH};

/// An argument of a get method.
pub(super) fn argument(value: &StackValue) -> Result<Value, String> {
    Ok(match value {
        StackValue::Int(number) => json!(["num", hex(number)]),
        StackValue::Cell(cell) => json!(["tvm.Cell", boc_base64(cell)]),
        StackValue::Slice(cell) => json!(["tvm.Slice", boc_base64(cell)]),
        StackValue::Null | StackValue::Tuple(_) => {
            return Err(format!("servers take no {} as an argument", value.kind()));
        }
    })
}

/// A value of a get method's result: `[type, value]`.
pub(super) fn result(entry: &Value) -> Result<StackValue, String> {
    let pair = entry.as_array().ok_or("a stack entry is not a pair")?;
    let kind = pair
        .first()
        .and_then(Value::as_str)
        .ok_or("a stack entry has no type")?;
    let value = pair.get(1).unwrap_or(&Value::Null);
    match kind {
        "num" => number(value).map(StackValue::Int),
        "cell" | "tvm.Cell" => cell(value).map(StackValue::Cell),
        "slice" | "tvm.Slice" => cell(value).map(StackValue::Slice),
        "null" => Ok(StackValue::Null),
        "tuple" | "tvm.Tuple" => elements(value, 0).map(StackValue::Tuple),
        "list" => elements(value, 0).and_then(list),
        other => Err(format!("unknown stack entry type {other:?}")),
    }
}

/// Elements inside a tuple or list carry their type in `@type`.
fn elements(value: &Value, depth: usize) -> Result<Vec<StackValue>, String> {
    if depth > MAX_STACK_DEPTH {
        return Err("tuples nest too deep".to_owned());
    }
    let elements = value
        .get("elements")
        .and_then(Value::as_array)
        .ok_or("a tuple has no elements")?;
    elements.iter().map(|element| inner(element, depth + 1)).collect()
}

fn inner(element: &Value, depth: usize) -> Result<StackValue, String> {
    let kind = element
        .get("@type")
        .and_then(Value::as_str)
        .ok_or("a tuple's element has no type")?;
    let field = |name: &str| element.get(name).unwrap_or(&Value::Null);
    match kind {
        "tvm.stackEntryNumber" => number(field("number").get("number").unwrap_or(&Value::Null)).map(StackValue::Int),
        "tvm.stackEntryCell" => cell(field("cell")).map(StackValue::Cell),
        "tvm.stackEntrySlice" => cell(field("slice")).map(StackValue::Slice),
        "tvm.stackEntryTuple" => elements(field("tuple"), depth).map(StackValue::Tuple),
        "tvm.stackEntryList" => elements(field("list"), depth).and_then(list),
        "tvm.stackEntryNull" => Ok(StackValue::Null),
        other => Err(format!("unknown element type {other:?}")),
    }
}

/// A list is pairs of head and rest, and null at its end.
pub(super) fn list(elements: Vec<StackValue>) -> Result<StackValue, String> {
    if elements.len() > MAX_LIST {
        return Err(format!("a list has more than {MAX_LIST} elements"));
    }
    let elements = elements.into_iter().rev();
    Ok(elements.fold(StackValue::Null, |rest, head| StackValue::Tuple(vec![head, rest])))
}

/// A cell: base64 text, or an object whose `bytes` are that.
pub(super) fn cell(value: &Value) -> Result<cocoon_bindings::ton::Cell, String> {
    let text = value.as_str().or_else(|| value.get("bytes").and_then(Value::as_str));
    parse_boc_base64(text.ok_or("a cell has no bytes")?).map_err(|error| error.to_string())
}

/// A number: hex with `0x`, maybe a sign before it, or decimal.
pub(super) fn number(value: &Value) -> Result<BigInt, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("{other} is not a number")),
    };
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.as_str()),
    };
    let (radix, digits) = digits.strip_prefix("0x").map_or((10, digits), |hex| (16, hex));
    // 257 bits are 65 hex digits or 78 decimal ones.
    if digits.len() > 80 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a number is malformed".to_owned());
    }
    let magnitude = BigInt::parse_bytes(digits.as_bytes(), radix).ok_or("a number is malformed")?;
    Ok(magnitude * sign)
}

pub(super) fn hex(number: &BigInt) -> String {
    let digits = number.magnitude().to_str_radix(16);
    if number.sign() == cocoon_bindings::ton::BigInt::from(-1).sign() {
        format!("-0x{digits}")
    } else {
        format!("0x{digits}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        for (text, expected) in [("0x1f", 31), ("-0x1f", -31), ("31", 31), ("-1", -1), ("0x0", 0)] {
            assert_eq!(number(&json!(text)).unwrap(), BigInt::from(expected), "{text}");
        }
        for text in ["", "0x", "x", "--1", "1f"] {
            assert!(number(&json!(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_survive_a_round_trip() {
        for value in [0i64, 1, -1, 255, i64::MIN] {
            let argument = argument(&StackValue::int(value)).unwrap();
            assert_eq!(result(&argument).unwrap(), StackValue::int(value));
        }
    }

    #[test]
    fn lists_are_pairs_with_null_at_the_end() {
        let number = |n: u8| json!({ "@type": "tvm.stackEntryNumber", "number": { "number": n.to_string() } });
        let list = json!(["list", { "elements": [number(1), number(2)] }]);
        let rest = StackValue::Tuple(vec![StackValue::int(2), StackValue::Null]);
        assert_eq!(
            result(&list).unwrap(),
            StackValue::Tuple(vec![StackValue::int(1), rest])
        );
        assert_eq!(result(&json!(["list", { "elements": [] }])).unwrap(), StackValue::Null);
    }
}
