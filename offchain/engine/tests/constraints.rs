//! Constraints that are made to do harm: long chains of references, which are followed by recursion, and expressions that
//! compile slowly. A process that dies of one takes all running answers with it.
#![allow(clippy::unwrap_used, clippy::panic)] // the helpers below

mod common;

use cocoon_engine::limits::{MAX_CONSTRAINT_BYTES, MAX_GRAMMAR_BYTES, MAX_PATTERN_BYTES};
use cocoon_engine::{Constraint, EngineError, EngineEvent, EngineHandle, SubmitRequest, ToolFormat};
use common::engine;
use serde_json::{Map, Value, json};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Whether the request came to an answer, or was refused.
fn ends(handle: &EngineHandle, constraint: Option<Constraint>) -> Result<(), EngineError> {
    let mut request = SubmitRequest::chat_of_user("Hello!");
    request.max_tokens = Some(3);
    request.sampling.constraint = constraint;
    let (sender, events) = channel();
    let ticket = handle.submit(request, Box::new(move |event| drop(sender.send(event))))?;
    loop {
        match events.recv_timeout(Duration::from_secs(300)).unwrap() {
            EngineEvent::Failed(error) => return Err(error),
            EngineEvent::Output(output) if output.finish_reason.is_some() => break,
            _ => {}
        }
    }
    drop(ticket);
    Ok(())
}

/// As long a text as `limit` allows, of parts that the number of the part and of the next make.
fn chain(limit: usize, begin: &str, part: impl Fn(usize) -> String, end: impl Fn(usize) -> String) -> String {
    let mut text = begin.to_owned();
    let mut number = 0;
    while text.len() + part(number).len() + end(number + 1).len() <= limit {
        text += &part(number);
        number += 1;
    }
    text + &end(number)
}

/// A schema of definitions, each of which names the next.
fn references(of_next: impl Fn(&str) -> Value) -> Value {
    let mut definitions = Map::new();
    let mut size = 0;
    while size < MAX_CONSTRAINT_BYTES - 512 {
        let number = definitions.len();
        let definition = of_next(&format!("#/$defs/a{}", number + 1));
        size += definition.to_string().len() + format!("\"a{number}\":,").len();
        definitions.insert(format!("a{number}"), definition);
    }
    definitions.insert(format!("a{}", definitions.len()), json!({"type": "string"}));
    json!({"$ref": "#/$defs/a0", "$defs": definitions})
}

#[test]
fn no_chain_of_references_ends_the_process() {
    let handle = EngineHandle::spawn(engine(), 4).unwrap();
    let rules = |name: char| {
        let begin = format!("start: {name}0\n");
        let part = |number: usize| format!("{name}{number}: {name}{}\n", number + 1);
        chain(MAX_GRAMMAR_BYTES, &begin, part, |number| {
            format!("{name}{number}: \"x\"\n")
        })
    };
    let object = |next: &str| json!({"type": "object", "properties": {"x": {"$ref": next}}, "required": ["x"]});
    let all = |next: &str| json!({"allOf": [{"$ref": next}, {"type": "string"}]});
    let reference = references(|next| json!({"$ref": next}));
    let tool = json!({"name": "find", "parameters": reference.clone()});
    for (what, constraint) in [
        ("rules", Constraint::Grammar(rules('a'))),
        ("terminals", Constraint::Grammar(rules('A'))),
        ("references", Constraint::JsonSchema(reference)),
        ("members", Constraint::JsonSchema(references(object))),
        ("all of", Constraint::JsonSchema(references(all))),
        (
            "items",
            Constraint::JsonSchema(references(|next| json!({"items": {"$ref": next}}))),
        ),
        ("a tool", ToolFormat::Hermes.constraint(&[&tool], false).unwrap()),
    ] {
        let ended = ends(&handle, Some(constraint));
        let is_too_large = matches!(ended, Err(EngineError::ConstraintTooLarge { .. }));
        assert!(!is_too_large, "{what}: it must get as far as to be compiled");
        assert!(ends(&handle, None).is_ok(), "{what}: the next request is answered");
    }
}

#[test]
fn what_would_compile_for_minutes_is_refused_by_its_size() {
    let handle = EngineHandle::spawn(engine(), 4).unwrap();
    let slow = |bytes: usize| "a?".repeat(bytes / 2);
    let half = slow(MAX_PATTERN_BYTES / 2 + 2);
    let two = json!({"properties": {"a": {"type": "string", "pattern": half}, "b": {"anyOf": [{"pattern": half}]}}});
    let keys = json!({"patternProperties": {slow(MAX_PATTERN_BYTES + 2): {"type": "string"}}});
    let tool = json!({"name": "find", "parameters": two});
    for constraint in [
        Constraint::Regex(slow(MAX_PATTERN_BYTES + 2)),
        Constraint::Grammar(format!("start: /{}/", slow(MAX_GRAMMAR_BYTES))),
        Constraint::JsonSchema(two.clone()),
        Constraint::JsonSchema(keys),
        Constraint::JsonSchema(json!({"const": "a".repeat(MAX_CONSTRAINT_BYTES)})),
        Constraint::choice(["a".repeat(MAX_CONSTRAINT_BYTES).as_str()]),
        ToolFormat::Hermes.constraint(&[&tool], false).unwrap(),
        ToolFormat::Qwen3Coder.constraint(&[&tool], false).unwrap(),
    ] {
        let refused = ends(&handle, Some(constraint)).unwrap_err();
        assert!(matches!(refused, EngineError::ConstraintTooLarge { .. }), "{refused:?}");
    }
    assert!(ends(&handle, Some(Constraint::Regex(slow(MAX_PATTERN_BYTES)))).is_ok());
}
