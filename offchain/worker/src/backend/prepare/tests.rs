//! What reaches the engine and what is refused.

use super::*;
use cocoon_engine::Constraint;
use serde_json::json;

fn request(extra: &Value) -> Request {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    Request::parse(Endpoint::Chat, body.to_string().as_bytes()).unwrap()
}

fn prepared(extra: Value) -> Result<Prepared, ApiError> {
    prepare(
        &request(&extra),
        &Sampling::default(),
        Some(ToolFormat::Hermes),
        u64::MAX,
    )
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

#[test]
fn parameters_reach_the_engine() {
    let found = prepared(json!({"temperature": 0.5, "top_k": 7, "seed": -1, "max_tokens": 9, "stop": ["x"]})).unwrap();
    assert_eq!((found.sampling.temperature, found.sampling.top_k), (0.5, 7));
    assert_eq!((found.submit.seed, found.submit.max_tokens), (u64::MAX, Some(9)));
    assert_eq!((found.choices, found.submit.logprobs), (1, None));
    assert!(found.submit.parts.reasoning && !found.submit.parts.tools);
    let found = prepared(json!({})).unwrap();
    assert_eq!(
        (found.submit.seed, found.submit.max_tokens),
        (u64::MAX >> 1, Some(1000))
    );
    let found = prepared(json!({"n": 3, "best_of": 3, "logprobs": true, "top_logprobs": 5})).unwrap();
    assert_eq!((found.choices, found.submit.logprobs), (3, Some(5)));
    let found = prepared(json!({"logit_bias": {"7": -100, "8": 2.5}})).unwrap();
    let bias: Vec<_> = found.sampling.logit_bias.iter().collect();
    assert_eq!(bias, [(7, -100.0), (8, 2.5)]);
    assert_ne!(found.sampling.hash(), Sampling::default().hash());
}

#[test]
fn completions_ask_for_logprobs_by_a_number() {
    let body = br#"{"model":"m","prompt":"a","logprobs":3}"#;
    let request = Request::parse(Endpoint::Completion, body).unwrap();
    let found = prepare(&request, &Sampling::default(), None, 0).unwrap();
    assert_eq!(found.submit.logprobs, Some(3));
    assert!(!found.submit.parts.reasoning);
}

#[test]
fn forms_of_answers_become_constraints() {
    let schema = json!({"type": "object"});
    for (extra, expected) in [
        (
            json!({"response_format": {"type": "json_object"}}),
            Constraint::JsonObject,
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}),
            Constraint::JsonSchema(schema.clone()),
        ),
        (json!({"guided_json": schema}), Constraint::JsonSchema(schema.clone())),
        (
            json!({"guided_json": schema.to_string()}),
            Constraint::JsonSchema(schema.clone()),
        ),
        (json!({"guided_regex": "a+"}), Constraint::Regex("a+".to_owned())),
        (json!({"guided_choice": ["a", "b"]}), Constraint::choice(["a", "b"])),
        (
            json!({"guided_grammar": "start: \"a\""}),
            Constraint::Grammar("start: \"a\"".to_owned()),
        ),
        (
            json!({"structured_outputs": {"regex": "a+"}}),
            Constraint::Regex("a+".to_owned()),
        ),
        (
            json!({"structured_outputs": {"json_object": true}}),
            Constraint::JsonObject,
        ),
    ] {
        let found = prepared(extra.clone()).unwrap();
        assert_eq!(found.sampling.constraint, Some(expected), "{extra}");
    }
    let found = prepared(json!({"response_format": {"type": "text"}})).unwrap();
    assert_eq!(found.sampling.constraint, None);
}

#[test]
fn tools_reach_the_template_unless_none_may_be_called() {
    let tools = json!([tool("f"), tool("g")]);
    let in_template = |prepared: &Prepared| match &prepared.submit.prompt {
        Prompt::Chat(chat) => chat.tools.clone(),
        _ => None,
    };
    let found = prepared(json!({"tools": tools})).unwrap();
    assert_eq!(in_template(&found), Some(tools.clone()));
    assert!(found.submit.parts.tools && found.sampling.constraint.is_none());
    let found = prepared(json!({"tools": tools, "tool_choice": "none"})).unwrap();
    assert!(in_template(&found).is_none() && !found.submit.parts.tools);
    let constraint = |choice: Value, parallel: bool| {
        let extra = json!({"tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel});
        prepared(extra).unwrap().sampling.constraint
    };
    let of = |names: &[&str], parallel| {
        let tools: Vec<Value> = names.iter().map(|name| tool(name)).collect();
        let functions: Vec<&Value> = tools.iter().map(|tool| &tool["function"]).collect();
        ToolFormat::Hermes.constraint(&functions, parallel)
    };
    let (both, one) = (of(&["f", "g"], true), of(&["g"], false));
    assert!(both.is_some() && one.is_some() && both != one);
    assert_eq!(constraint("required".into(), true), both);
    assert_eq!(constraint("required".into(), false), of(&["f", "g"], false));
    assert_ne!(of(&["f", "g"], false), both);
    // Who is named is called once.
    let named = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(constraint(named, true), one);
}

#[test]
fn what_the_engine_does_not_do_is_refused_by_name() {
    for (name, extra) in [
        ("n", json!({"n": 17})),
        ("best_of", json!({"best_of": 2})),
        ("top_logprobs", json!({"top_logprobs": 3})),
        ("logprobs", json!({"logprobs": 1})),
        ("logit_bias", json!({"logit_bias": {"x": 1}})),
        ("logit_bias", json!({"logit_bias": {"1": 101}})),
        ("logit_bias", json!({"logit_bias": [1]})),
        ("response_format", json!({"response_format": {"type": "xml"}})),
        ("response_format", json!({"response_format": {"type": "json_schema"}})),
        ("guided_json", json!({"guided_json": "no json"})),
        ("guided_choice", json!({"guided_choice": []})),
        ("guided_regex", json!({"guided_regex": 5})),
        ("guided_regex", json!({"guided_json": {}, "guided_regex": "a"})),
        ("structured_outputs", json!({"structured_outputs": {"other": 1}})),
        ("min_p", json!({"min_p": "x"})),
        ("min_p", json!({"min_p": 2})),
        ("top_k", json!({"top_k": -2})),
        ("chat_template_kwargs", json!({"chat_template_kwargs": {"other": true}})),
        ("tools", json!({"tools": 1})),
        ("tools", json!({"tools": [{"type": "other"}]})),
        ("tools", json!({"tools": [tool("a b")]})),
        ("tool_choice", json!({"tool_choice": "required"})),
        ("tool_choice", json!({"tools": [tool("f")], "tool_choice": "some"})),
        (
            "tool_choice",
            json!({"tools": [tool("f")], "tool_choice": {"type": "function", "function": {"name": "h"}}}),
        ),
        (
            "response_format",
            json!({"tools": [tool("f")], "tool_choice": "required", "response_format": {"type": "json_object"}}),
        ),
    ] {
        let error = prepared(extra.clone()).err().unwrap();
        assert_eq!((error.status, error.param.as_deref()), (400, Some(name)), "{extra}");
    }
    let tools = request(&json!({"tools": [tool("f")]}));
    let error = prepare(&tools, &Sampling::default(), None, 0).err().unwrap();
    assert_eq!(error.param.as_deref(), Some("tools"), "a model without tools");
}
