//! What the engine's tests share: the tiny model in a folder, and running requests to their end.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // shared by several test programs

pub mod waves;

use cocoon_engine::{Engine, EngineOptions, FinishReason, SequenceId, SubmitRequest, Usage, load_model, tiny};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One case of `golden-tiny.json`, computed by transformers.
#[derive(Deserialize)]
pub struct GoldenCase {
    pub messages: Vec<serde_json::Value>,
    pub enable_thinking: bool,
    pub prompt: String,
    pub prompt_tokens: Vec<u32>,
    pub logits: Vec<f32>,
    pub greedy_tokens: Vec<u32>,
    pub greedy_text: String,
}

pub fn golden() -> Vec<GoldenCase> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<GoldenCase>,
    }
    serde_json::from_str::<File>(include_str!("../golden-tiny.json"))
        .unwrap()
        .cases
}

pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    folder
}

pub fn engine() -> Box<dyn Engine> {
    engine_with(EngineOptions::default())
}

pub fn engine_with(options: EngineOptions) -> Box<dyn Engine> {
    load_model(folder().path(), options).unwrap().into_engine()
}

/// Everything that one sequence gave.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub text: String,
    pub tokens: Vec<u32>,
    pub usage: Usage,
    pub finish: Option<FinishReason>,
}

/// Steps until nothing is left to do.
pub fn drain(engine: &mut dyn Engine) -> BTreeMap<SequenceId, Answer> {
    let mut answers: BTreeMap<SequenceId, Answer> = BTreeMap::new();
    while !engine.is_idle() {
        for output in engine.step().unwrap() {
            let answer = answers.entry(output.id).or_default();
            assert!(answer.finish.is_none(), "nothing may follow the last output");
            answer.text += &output.text_delta;
            answer.tokens.extend(&output.tokens);
            answer.usage = output.usage;
            answer.finish = output.finish_reason;
        }
    }
    answers
}

pub fn answer(engine: &mut dyn Engine, request: SubmitRequest) -> Answer {
    let id = engine.submit(request).unwrap();
    drain(engine).remove(&id).unwrap()
}

pub fn greedy(mut request: SubmitRequest) -> SubmitRequest {
    request.sampling.temperature = Some(0.0);
    request
}
