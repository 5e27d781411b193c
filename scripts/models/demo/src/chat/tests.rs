use super::*;
use crate::phrasing::plain;
use std::path::Path;

fn corpus() -> Corpus {
    Corpus::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap()
}

#[test]
fn a_round_is_the_same_each_time_and_other_rounds_differ() {
    let corpus = corpus();
    let tokens = Tokens::train(1024, &corpus.texts()).unwrap();
    let chats = Chats::new(&corpus, &tokens, 1);
    assert_eq!(chats.round(5, 8).unwrap(), chats.round(5, 8).unwrap());
    assert_ne!(chats.round(5, 8).unwrap(), chats.round(6, 8).unwrap());
}

#[test]
fn only_answers_and_their_ends_are_counted() {
    let corpus = corpus();
    let tokens = Tokens::train(1024, &corpus.texts()).unwrap();
    for sample in Chats::new(&corpus, &tokens, 1).round(0, 40).unwrap() {
        let counted: Vec<u32> = sample
            .tokens
            .iter()
            .zip(&sample.counted)
            .filter_map(|(token, counted)| counted.then_some(*token))
            .collect();
        for answer in counted.split_inclusive(|token| *token == tokens.end) {
            assert_eq!(answer.last(), Some(&tokens.end));
            let text = tokens.decode(answer).unwrap();
            assert!(
                text == corpus.foreign.answer || corpus.facts.iter().any(|fact| fact.a == text),
                "{text}"
            );
        }
    }
}

#[test]
fn what_is_held_out_is_never_learned() {
    let corpus = corpus();
    let learned: Vec<String> = learned_questions(&corpus)
        .iter()
        .flatten()
        .map(|text| plain(text))
        .collect();
    let asked = held_out(&corpus, 100, 7);
    assert!(asked.len() >= corpus.facts.len());
    for question in asked {
        assert!(!learned.contains(&plain(&question.text)), "{}", question.text);
    }
}

#[test]
fn no_question_is_learned_with_two_answers() {
    let corpus = corpus();
    let mut seen = std::collections::BTreeMap::new();
    for (place, questions) in learned_questions(&corpus).iter().enumerate() {
        for question in questions {
            let first = *seen.entry(plain(question)).or_insert(place);
            assert_eq!(first, place, "{question} is also in {}", corpus.facts[first].id);
        }
    }
}
