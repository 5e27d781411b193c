//! Which tools the model may call, and which it must.

use cocoon_engine::{Constraint, ToolFormat};
use cocoon_openai::{ApiError, Endpoint, Request};
use serde_json::Value;

/// What a request says about tools.
#[derive(Default)]
pub(super) struct Tools {
    /// The descriptions, for the chat template.
    pub(super) for_template: Option<Value>,
    /// Whether calls are looked for in the answer.
    pub(super) may_call: bool,
    /// Of an answer that must be a call.
    pub(super) constraint: Option<Constraint>,
}

/// Reads `tools`, `tool_choice` and `parallel_tool_calls`. `format` is how the model writes calls.
pub(super) fn read(request: &Request, format: Option<ToolFormat>) -> Result<Tools, ApiError> {
    let tools = request.field("tools");
    let list = match tools {
        None => &[][..],
        Some(Value::Array(list)) if request.endpoint() == Endpoint::Chat => list,
        Some(_) => return Err(ApiError::invalid_field("tools", "must be an array, in a chat")),
    };
    let functions: Option<Vec<&Value>> = list.iter().map(function).collect();
    let functions = functions.ok_or_else(|| {
        ApiError::invalid_field(
            "tools",
            "must be functions with a name of 1 to 64 letters, digits, `_` and `-`",
        )
    })?;
    let choice = request.field("tool_choice");
    let unknown = || ApiError::invalid_field("tool_choice", "must be none, auto, required or one of the functions");
    let must_call: Option<Vec<&Value>> = match choice {
        None => None,
        Some(Value::String(word)) => match word.as_str() {
            "none" => return Ok(Tools::default()),
            "auto" => None,
            "required" => Some(functions.clone()),
            _ => return Err(unknown()),
        },
        Some(choice) => {
            let name = choice.get("function").and_then(|function| function.get("name"));
            let named = |function: &&&Value| name.is_some() && function.get("name") == name;
            Some(functions.iter().find(named).copied().into_iter().collect())
        }
    };
    if must_call.as_ref().is_some_and(Vec::is_empty) {
        return Err(unknown());
    }
    if functions.is_empty() {
        return Ok(Tools::default());
    }
    let format = format.ok_or_else(|| ApiError::invalid_field("tools", "are not supported by this model"))?;
    let parallel = request.field("parallel_tool_calls") != Some(&Value::Bool(false));
    let one = choice.is_some_and(Value::is_object);
    Ok(Tools {
        for_template: tools.cloned(),
        may_call: true,
        constraint: must_call.and_then(|functions| format.constraint(&functions, parallel && !one)),
    })
}

/// The function of a tool, if its name is one that OpenAI allows.
fn function(tool: &Value) -> Option<&Value> {
    let function = tool.get("function").filter(|_| tool["type"] == "function")?;
    let name = function.get("name")?.as_str()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    ((1..=64).contains(&name.len()) && name.bytes().all(allowed)).then_some(function)
}
