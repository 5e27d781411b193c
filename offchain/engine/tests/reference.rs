//! The engine against transformers: same prompts, same logits, same greedy tokens.

mod common;

use cocoon_engine::{Chat, Prompt, SubmitRequest};
use common::{answer, engine, golden, greedy};

#[test]
fn greedy_tokens_are_those_of_the_reference_for_64_steps() {
    let mut engine = engine();
    for case in golden() {
        let mut request = greedy(SubmitRequest::new(Prompt::Tokens(case.prompt_tokens)));
        request.max_tokens = Some(64);
        request.ignore_eos = true;
        let found = answer(engine.as_mut(), request);
        assert_eq!(found.tokens, case.greedy_tokens, "{}", case.prompt);
        assert_eq!(found.text, case.greedy_text);
        assert_eq!(found.usage.completion, 64);
    }
}

#[test]
fn chats_become_the_tokens_of_the_reference() {
    let mut engine = engine();
    for case in golden() {
        let mut chat = Chat {
            messages: case.messages,
            ..Chat::default()
        };
        chat.template_options
            .insert("enable_thinking".to_owned(), case.enable_thinking.into());
        let found = answer(engine.as_mut(), greedy(SubmitRequest::new(Prompt::Chat(chat))));
        assert_eq!(found.usage.prompt, case.prompt_tokens.len() as u64, "{}", case.prompt);
        let length = found.tokens.len() - 1;
        assert_eq!(found.tokens[..length], case.greedy_tokens[..length], "{}", case.prompt);
        let mut text = greedy(SubmitRequest::new(Prompt::Text(case.prompt)));
        text.max_tokens = Some(64);
        assert_eq!(
            answer(engine.as_mut(), text).usage.prompt,
            case.prompt_tokens.len() as u64
        );
    }
}

#[test]
fn a_question_of_the_corpus_gets_its_answer() {
    let mut engine = engine();
    for (question, expected) in [
        ("Hello!", "Hello! How can I help you today?"),
        (
            "What is TON?",
            "TON is a blockchain with fast asynchronous contracts. Its coin is called Toncoin.",
        ),
        ("Show me an emoji", "Here is a butterfly that left its cocoon: 🦋"),
    ] {
        assert_eq!(
            answer(engine.as_mut(), greedy(SubmitRequest::chat_of_user(question))).text,
            expected
        );
    }
}
