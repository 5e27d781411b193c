//! What an answer may be and what is told about it: probabilities, biases, constraints, parts.
#![allow(clippy::unwrap_used)] // the helper that steps an engine

mod common;

use cocoon_engine::{
    AnswerParts, Chat, Constraint, Engine, EngineError, FinishReason, Prompt, StepOutput, SubmitRequest, ToolFormat,
    Usage,
};
use common::{answer, drain, engine, greedy};
use serde_json::{Value, json};

/// All outputs of one request.
fn outputs(engine: &mut dyn Engine, request: SubmitRequest) -> Vec<StepOutput> {
    let id = engine.submit(request).unwrap();
    let mut outputs = Vec::new();
    while !engine.is_idle() {
        outputs.extend(engine.step().unwrap());
    }
    assert!(outputs.iter().all(|output| output.id == id));
    outputs
}

fn constrained(constraint: Constraint, seed: u64) -> SubmitRequest {
    let mut request = SubmitRequest::chat_of_user("What is a receipt?");
    request.sampling.temperature = Some(0.9);
    request.sampling.top_k = Some(0);
    request.sampling.top_p = Some(1.0);
    request.sampling.constraint = Some(constraint);
    request.seed = seed;
    request.max_tokens = Some(800); // blanks between the parts of JSON may be many
    request
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "kind": {"enum": ["receipt", "cell \"é\""]},
            "count": {"type": "integer", "minimum": 1, "maximum": 999},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 2},
        },
        "required": ["kind", "count", "tags"],
        "additionalProperties": false,
    })
}

#[test]
fn logprobs_are_told_for_each_token_of_the_text() {
    let mut engine = engine();
    let mut request = greedy(SubmitRequest::chat_of_user("Hello!"));
    request.logprobs = Some(3);
    let outputs = outputs(engine.as_mut(), request.clone());
    let text: String = outputs.iter().map(|output| output.text_delta.as_str()).collect();
    let told: Vec<_> = outputs.iter().flat_map(|output| &output.logprobs).collect();
    let bytes: Vec<u8> = told.iter().flat_map(|position| position.chosen.bytes.clone()).collect();
    assert_eq!(bytes, text.as_bytes());
    for position in told {
        assert_eq!(position.top.len(), 3);
        assert_eq!(position.chosen, position.top[0], "greedy takes the likeliest");
        assert!(position.chosen.logprob <= 0.0 && position.top[2].logprob <= position.top[1].logprob);
    }
    request.logprobs = Some(21);
    assert!(matches!(
        engine.submit(request),
        Err(EngineError::Parameter {
            name: "top_logprobs",
            ..
        })
    ));
}

#[test]
fn a_bias_forbids_and_forces_tokens() {
    let mut engine = engine();
    let plain = answer(engine.as_mut(), greedy(SubmitRequest::chat_of_user("Hello!")));
    let mut request = greedy(SubmitRequest::chat_of_user("Hello!"));
    request.sampling.logit_bias = [(plain.tokens[0], -100.0)].into_iter().collect();
    assert_ne!(answer(engine.as_mut(), request.clone()).tokens[0], plain.tokens[0]);
    request.sampling.logit_bias = [(plain.tokens[1], 100.0)].into_iter().collect();
    request.max_tokens = Some(4);
    assert_eq!(answer(engine.as_mut(), request.clone()).tokens, [plain.tokens[1]; 4]);
    request.sampling.logit_bias = [(1024, 1.0)].into_iter().collect();
    assert!(matches!(
        engine.submit(request),
        Err(EngineError::UnknownToken { id: 1024 })
    ));
}

#[test]
fn constrained_answers_match_whatever_is_drawn() {
    let mut engine = engine();
    for seed in 0..4 {
        let found = answer(engine.as_mut(), constrained(Constraint::JsonSchema(schema()), seed));
        assert_eq!(found.finish, Some(FinishReason::Stop), "{}", found.text);
        let value: Value = serde_json::from_str(&found.text).unwrap();
        assert!(["receipt", "cell \"é\""].contains(&value["kind"].as_str().unwrap()));
        assert!((1..1000).contains(&value["count"].as_i64().unwrap()));
        let tags = value["tags"].as_array().unwrap();
        assert!(tags.len() <= 2 && tags.iter().all(|tag| tag.as_str().unwrap().chars().count() <= 5));
        assert_eq!(value.as_object().unwrap().len(), 3);

        let found = answer(
            engine.as_mut(),
            constrained(Constraint::choice(["yes", "no", "世界"]), seed),
        );
        assert!(["yes", "no", "世界"].contains(&found.text.as_str()), "{}", found.text);
        let regex = Constraint::Regex("[0-9]{3}-[a-f]{1,9}x".to_owned());
        let text = answer(engine.as_mut(), constrained(regex, seed)).text;
        let (digits, letters) = text.split_once('-').unwrap();
        let hex = letters.strip_suffix('x').unwrap();
        assert!(
            digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{text}"
        );
        assert!(
            (1..=9).contains(&hex.len()) && hex.bytes().all(|byte| (b'a'..=b'f').contains(&byte)),
            "{text}"
        );
    }
}

#[test]
fn constrained_answers_are_the_same_in_company() {
    let mut engine = engine();
    let requests: Vec<SubmitRequest> = (0..4)
        .map(|seed| match seed % 2 {
            0 => constrained(Constraint::JsonSchema(schema()), seed),
            _ => constrained(Constraint::JsonObject, seed),
        })
        .collect();
    let alone: Vec<_> = requests
        .iter()
        .map(|request| answer(engine.as_mut(), request.clone()))
        .collect();
    let ids: Vec<_> = requests
        .into_iter()
        .map(|request| engine.submit(request).unwrap())
        .collect();
    let mut together = drain(engine.as_mut());
    let together: Vec<_> = ids.iter().map(|id| together.remove(id).unwrap()).collect();
    assert_eq!(alone, together);
}

#[test]
fn a_constraint_that_cannot_be_met_is_refused() {
    let mut engine = engine();
    for bad in [
        Constraint::Regex("(".to_owned()),
        Constraint::JsonSchema(json!({"type": "number", "minimum": 2, "maximum": 1})),
        Constraint::Grammar("begin: \"a\"".to_owned()),
        Constraint::Regex("a".repeat(300_000)),
    ] {
        let refused = engine.submit(constrained(bad, 0)).unwrap_err();
        let expected = [
            matches!(refused, EngineError::Constraint { .. }),
            matches!(refused, EngineError::ConstraintTooLarge { .. }),
        ];
        assert!(expected.contains(&true), "{refused:?}");
    }
    assert!(engine.is_idle());
}

fn thinking() -> SubmitRequest {
    let mut chat = Chat {
        messages: vec![json!({"role": "user", "content": "What is a receipt?"})],
        ..Chat::default()
    };
    chat.template_options.insert("enable_thinking".to_owned(), true.into());
    greedy(SubmitRequest::new(Prompt::Chat(chat)))
}

#[test]
fn reasoning_is_told_apart_and_a_constraint_waits_for_its_end() {
    let mut engine = engine();
    let whole = answer(engine.as_mut(), thinking());
    let mut request = thinking();
    request.parts.reasoning = true;
    let taken = |outputs: &[StepOutput]| -> (String, String, Usage) {
        let reasoning = outputs.iter().map(|output| output.reasoning_delta.as_str()).collect();
        let text = outputs.iter().map(|output| output.text_delta.as_str()).collect();
        (reasoning, text, outputs.last().unwrap().usage)
    };
    let (reasoning, text, usage) = taken(&outputs(engine.as_mut(), request.clone()));
    assert_eq!(reasoning, "The question is about receipts.");
    assert_eq!(whole.text, format!("<think>\n{reasoning}\n</think>\n\n{text}"));
    assert_eq!(usage, whole.usage);

    request.sampling.constraint = Some(Constraint::choice(["yes", "no"]));
    let (reasoning, text, _) = taken(&outputs(engine.as_mut(), request));
    assert_eq!(reasoning, "The question is about receipts.");
    assert!(["yes", "no"].contains(&text.as_str()), "{text}");
}

#[test]
fn a_required_call_is_a_call_whatever_is_drawn() {
    let functions = [
        json!({"name": "find", "parameters": {"type": "object", "properties": {"id": {"type": "integer", "maximum": 99,
            "minimum": 0}}, "required": ["id"], "additionalProperties": false}}),
        json!({"name": "stop", "parameters": {"type": "object", "properties": {}, "additionalProperties": false}}),
    ];
    let functions: Vec<&Value> = functions.iter().collect();
    let mut engine = engine();
    for format in [ToolFormat::Hermes, ToolFormat::Llama, ToolFormat::Mistral] {
        for seed in 0..2 {
            let constraint = format.constraint(&functions, false).unwrap();
            let text = answer(engine.as_mut(), constrained(constraint, seed)).text;
            let begin = text.find('{').unwrap();
            let end = text.rfind('}').unwrap();
            let call: Value = serde_json::from_str(&text[begin..=end]).unwrap();
            let arguments = if format == ToolFormat::Llama {
                "parameters"
            } else {
                "arguments"
            };
            match call["name"].as_str().unwrap() {
                "find" => assert!((0..100).contains(&call[arguments]["id"].as_i64().unwrap())),
                "stop" => assert_eq!(call[arguments], json!({})),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_model_without_tools_says_so() {
    let engine = engine();
    assert_eq!(engine.card().tools, None);
    assert_eq!(AnswerParts::default(), SubmitRequest::chat_of_user("x").parts);
}
