//! Several sequences side by side, their ends, their limits.

mod common;

use cocoon_engine::{
    Chat, EngineError, EngineEvent, EngineHandle, EngineOptions, FinishReason, Prompt, SubmitRequest, Who,
};
use common::{answer, drain, engine, engine_with, greedy};
use std::sync::mpsc::channel;
use std::time::Duration;

const QUESTIONS: [&str; 6] = [
    "What is Cocoon?",
    "Hi",
    "What is a receipt?",
    "Tell me a joke",
    "Привет",
    "What is the KV cache?",
];

fn sampled(question: &str, seed: u64) -> SubmitRequest {
    let mut request = SubmitRequest::chat_of_user(question);
    request.sampling.temperature = Some(1.5);
    request.sampling.top_k = Some(0);
    request.sampling.top_p = Some(1.0);
    request.seed = seed;
    request.max_tokens = Some(40);
    request
}

#[test]
fn a_request_gets_the_same_tokens_alone_and_in_company() {
    let mut engine = engine();
    let alone: Vec<_> = QUESTIONS
        .iter()
        .zip(0..)
        .map(|(question, seed)| answer(engine.as_mut(), sampled(question, seed)))
        .collect();
    // Now together, joining at different times.
    let mut ids = Vec::new();
    let mut together = std::collections::BTreeMap::<_, common::Answer>::new();
    for (question, seed) in QUESTIONS.iter().zip(0..) {
        ids.push(engine.submit(sampled(question, seed)).unwrap());
        for output in engine.step().unwrap() {
            let answer = together.entry(output.id).or_default();
            answer.text += &output.text_delta;
            answer.tokens.extend(output.tokens);
            answer.usage = output.usage;
            answer.finish = output.finish_reason;
        }
    }
    for (id, rest) in drain(engine.as_mut()) {
        let answer = together.entry(id).or_default();
        answer.text += &rest.text;
        answer.tokens.extend(rest.tokens);
        answer.usage = rest.usage;
        answer.finish = rest.finish;
    }
    let together: Vec<_> = ids.iter().map(|id| together[id].clone()).collect();
    assert_eq!(alone, together);
}

#[test]
fn another_seed_gives_other_tokens() {
    let mut engine = engine();
    let uncertain = |seed| {
        let mut request = sampled("", seed);
        request.prompt = Prompt::Text("zebra, zebra".to_owned());
        request
    };
    let one = answer(engine.as_mut(), uncertain(1));
    assert_eq!(one, answer(engine.as_mut(), uncertain(1)));
    assert_ne!(one.tokens, answer(engine.as_mut(), uncertain(2)).tokens);
}

#[test]
fn a_long_prompt_gives_the_same_answer_in_chunks_beside_others() {
    let text = "What is a cell? ".repeat(60);
    let request = || {
        let mut request = greedy(SubmitRequest::new(Prompt::Text(text.clone())));
        request.max_tokens = Some(20);
        request.ignore_eos = true;
        request
    };
    let mut engine = engine();
    let alone = answer(engine.as_mut(), request());
    assert!(alone.usage.prompt > 256, "the case needs a prompt of several chunks");
    engine.submit(sampled("Hi", 1)).unwrap();
    let id = engine.submit(request()).unwrap();
    assert_eq!(drain(engine.as_mut())[&id], alone);
}

#[test]
fn a_stop_string_ends_the_answer_and_is_not_part_of_it() {
    let mut request = greedy(SubmitRequest::chat_of_user("Hello!"));
    request.stop = vec!["can I".to_owned()].into();
    let found = answer(engine().as_mut(), request);
    assert_eq!(
        (found.text.as_str(), found.finish),
        ("Hello! How ", Some(FinishReason::Stop))
    );
}

#[test]
fn max_tokens_ends_the_answer() {
    let mut request = greedy(SubmitRequest::chat_of_user("Hello!"));
    request.max_tokens = Some(3);
    let found = answer(engine().as_mut(), request);
    assert_eq!(
        (found.tokens.len(), found.usage.completion, found.finish),
        (3, 3, Some(FinishReason::Length))
    );
}

#[test]
fn the_context_ends_the_answer() {
    let mut options = EngineOptions::default();
    options.max_model_len = Some(40);
    let mut engine = engine_with(options);
    let mut request = greedy(SubmitRequest::chat_of_user("Hello!"));
    request.ignore_eos = true;
    let found = answer(engine.as_mut(), request);
    assert_eq!(found.usage.prompt + found.usage.completion, 40);
    assert_eq!(found.finish, Some(FinishReason::Length));
    let long = SubmitRequest::new(Prompt::Text("What is a cell? ".repeat(20)));
    let error = engine.submit(long).unwrap_err();
    assert!(
        matches!(error, EngineError::ContextLength { limit: 40, .. }) && error.who() == Who::Caller,
        "{error:?}"
    );
}

#[test]
fn reasoning_tokens_are_counted() {
    let mut chat = Chat {
        messages: vec![serde_json::json!({"role": "user", "content": "What is a receipt?"})],
        ..Chat::default()
    };
    let plain = answer(
        engine().as_mut(),
        greedy(SubmitRequest::new(Prompt::Chat(chat.clone()))),
    );
    assert_eq!(plain.usage.reasoning, 0);
    chat.template_options.insert("enable_thinking".to_owned(), true.into());
    let thinking = answer(engine().as_mut(), greedy(SubmitRequest::new(Prompt::Chat(chat))));
    assert!(
        thinking
            .text
            .starts_with("<think>\nThe question is about receipts.\n</think>"),
        "{}",
        thinking.text
    );
    assert!(thinking.usage.reasoning >= 5 && thinking.usage.reasoning < thinking.usage.completion);
}

#[test]
fn a_cancelled_sequence_says_so_and_frees_its_place() {
    let mut options = EngineOptions::default();
    options.max_num_seqs = 1;
    options.max_waiting = 1;
    let mut engine = engine_with(options);
    let mut long = sampled("Hi", 1);
    long.ignore_eos = true;
    long.max_tokens = Some(500);
    let first = engine.submit(long).unwrap();
    engine.step().unwrap();
    let second = engine.submit(greedy(SubmitRequest::chat_of_user("Hello!"))).unwrap();
    let refused = engine.submit(SubmitRequest::chat_of_user("Hi")).unwrap_err();
    assert!(matches!(refused, EngineError::QueueFull { limit: 1 }));
    engine.cancel(first);
    let answers = drain(engine.as_mut());
    assert_eq!(answers[&first].finish, Some(FinishReason::Cancelled));
    assert_eq!(answers[&second].text, "Hello! How can I help you today?");
    engine.cancel(second);
    assert!(engine.step().unwrap().is_empty());
}

#[test]
fn sequences_beyond_the_cache_wait() {
    let mut options = EngineOptions::default();
    options.max_kv_tokens = 100;
    let mut engine = engine_with(options);
    assert_eq!(
        engine.card().max_model_len,
        100,
        "nobody is told of more than the cache holds"
    );
    let ids: Vec<_> = QUESTIONS
        .iter()
        .zip(0..)
        .map(|(question, seed)| engine.submit(sampled(question, seed)).unwrap())
        .collect();
    engine.step().unwrap();
    let answers = drain(engine.as_mut());
    assert!(ids.iter().all(|id| answers[id].finish.is_some()));
}

#[test]
fn a_handle_streams_and_dropping_the_ticket_cancels() {
    let handle = EngineHandle::spawn(engine(), 4).unwrap();
    let (sender, receiver) = channel();
    let send = sender.clone();
    let ticket = handle
        .submit(
            greedy(SubmitRequest::chat_of_user("Hello!")),
            Box::new(move |event| drop(send.send(event))),
        )
        .unwrap();
    let mut text = String::new();
    loop {
        match receiver.recv_timeout(Duration::from_secs(30)).unwrap() {
            EngineEvent::Output(output) => {
                text += &output.text_delta;
                if output.finish_reason.is_some() {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(text, "Hello! How can I help you today?");
    drop(ticket);

    let mut endless = sampled("Hi", 1);
    endless.ignore_eos = true;
    endless.max_tokens = Some(900);
    let send = sender.clone();
    let ticket = handle
        .submit(endless, Box::new(move |event| drop(send.send(event))))
        .unwrap();
    receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    drop(ticket);
    let last =
        std::iter::from_fn(|| receiver.recv_timeout(Duration::from_secs(30)).ok()).find_map(|event| match event {
            EngineEvent::Output(output) => output.finish_reason,
            _ => None,
        });
    assert_eq!(last, Some(FinishReason::Cancelled));

    let send = sender;
    let too_long = SubmitRequest::new(Prompt::Text("word ".repeat(5000)));
    let _ticket = handle
        .submit(too_long, Box::new(move |event| drop(send.send(event))))
        .unwrap();
    let event = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(
        matches!(event, EngineEvent::Failed(EngineError::ContextLength { .. })),
        "{event:?}"
    );
    assert_eq!(handle.load().active, 0);
    assert!(handle.load().is_alive);
}
