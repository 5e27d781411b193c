//! The demonstration model: what it answers about this repository, and that it computes what transformers computes.
#![allow(clippy::unwrap_used)] // of a test program

mod common;

use cocoon_engine::{Engine, EngineOptions, Prompt, SubmitRequest, demo, load_model};
use common::{answer, drain, greedy};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// Of the corpus's facts, the share that the model must know: fewer mean that corpus and weights have parted.
const KNOWN: f64 = 0.95;

fn engine() -> Box<dyn Engine> {
    let folder = tempfile::tempdir().unwrap();
    demo::write_to(folder.path()).unwrap();
    let mut options = EngineOptions::default();
    options.max_waiting = 1000; // all facts are asked at once
    load_model(folder.path(), options).unwrap().into_engine()
}

fn ask(question: &str) -> SubmitRequest {
    greedy(SubmitRequest::chat_of_user(question))
}

/// One case of `golden-demo.json`, computed by transformers (`scripts/models/demo/golden.py`).
#[derive(Deserialize)]
struct Golden {
    question: String,
    prompt_tokens: Vec<u32>,
    tokens: Vec<u32>,
    text: String,
}

#[test]
fn answers_are_those_of_transformers() {
    let cases: Vec<Golden> = serde_json::from_str(include_str!("golden-demo.json")).unwrap();
    let mut engine = engine();
    for case in cases {
        let chat = answer(engine.as_mut(), ask(&case.question));
        assert_eq!(chat.usage.prompt, case.prompt_tokens.len() as u64, "{}", case.question);
        assert_eq!(chat.text, case.text, "{}", case.question);
        let tokens = answer(
            engine.as_mut(),
            greedy(SubmitRequest::new(Prompt::Tokens(case.prompt_tokens))),
        );
        assert_eq!(tokens.tokens, case.tokens, "{}", case.question);
    }
}

#[test]
fn the_model_knows_the_facts_of_its_corpus() {
    #[derive(Deserialize)]
    struct Fact {
        q: Vec<String>,
        key: Vec<String>,
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/models/demo/corpus");
    let mut engine = engine();
    let mut asked = HashMap::new();
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let fact: Fact = serde_json::from_str(line).unwrap();
            let id = engine.submit(ask(&fact.q[0])).unwrap();
            asked.insert(id, fact);
        }
    }
    assert!(asked.len() > 200, "the corpus has shrunk to {}", asked.len());
    let answers = drain(engine.as_mut());
    let wrong: Vec<(&str, &str)> = asked
        .iter()
        .map(|(id, fact)| (fact, &answers[id].text))
        .filter(|(fact, text)| {
            let text = text.to_lowercase();
            !fact.key.iter().all(|key| text.contains(key))
        })
        .map(|(fact, text)| (fact.q[0].as_str(), text.as_str()))
        .collect();
    let known = 1.0 - wrong.len() as f64 / asked.len() as f64;
    assert!(known >= KNOWN, "{known:.3} of the facts are known; not: {wrong:#?}");
}

#[test]
fn what_it_was_not_taught_it_says_that_it_does_not_know() {
    let mut engine = engine();
    for question in [
        "How do I cook rice?",
        "Where is Rome?",
        "What is the capital of France?",
    ] {
        let text = answer(engine.as_mut(), ask(question)).text;
        assert!(text.contains("only know about Cocoon"), "{question}: {text}");
    }
}
