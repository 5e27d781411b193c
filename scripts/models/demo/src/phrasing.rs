//! How people type: frames around a question, missing capitals and marks, slips of the finger.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

const FRAMES: [&str; 22] = [
    "Please tell me: {}",
    "Hi! {}",
    "Hello. {}",
    "Hey, {}",
    "I have a question. {}",
    "Quick question: {}",
    "{} Please explain.",
    "{} In short, please.",
    "{} Thanks!",
    "{} I am new here.",
    "I am curious: {}",
    "OK. {}",
    "So, {}",
    "And {}",
    "Now tell me, {}",
    "I do not understand it yet. {}",
    "Sorry, {}",
    "One more thing: {}",
    "{} Answer in one sentence.",
    "My colleague asked me: {}",
    "Good morning. {}",
    "Please answer: {}",
];

/// Ways to ask for the explanation of a thing in the singular.
const SINGULAR: [&str; 13] = [
    "What is {}?",
    "What's {}?",
    "Explain {}",
    "Tell me about {}",
    "What does {} mean?",
    "Can you explain {}?",
    "Could you tell me what {} is?",
    "Describe {}",
    "What about {}?",
    "I want to know what {} is",
    "Define {}",
    "What exactly is {}?",
    "{}?",
];
const PLURAL: [&str; 11] = [
    "What are {}?",
    "Explain {}",
    "Tell me about {}",
    "Can you explain {}?",
    "Could you tell me what {} are?",
    "Describe {}",
    "What about {}?",
    "I want to know what {} are",
    "What exactly are {}?",
    "Define {}",
    "{}?",
];
const MORE: [&str; 12] = [
    "Tell me more",
    "Tell me more about it",
    "Go on",
    "More details, please",
    "Can you say more?",
    "Please continue",
    "More?",
    "And what else?",
    "What else should I know?",
    "Could you elaborate?",
    "Explain that further",
    "Can you give more detail?",
];

/// Questions that the name of a thing gives.
pub(crate) fn about(name: &str, plural: bool) -> impl Iterator<Item = String> {
    let frames: &[&str] = if plural { &PLURAL } else { &SINGULAR };
    frames.iter().map(move |frame| first_upper(&frame.replace("{}", name)))
}

/// "Tell me more" in some words.
pub(crate) fn more(dice: &mut ChaCha8Rng) -> String {
    let text = MORE.choose(dice).copied().unwrap_or_default();
    typed(text, dice)
}

/// A question as somebody may type it.
pub(crate) fn vary(question: &str, dice: &mut ChaCha8Rng) -> String {
    let mut text = question.to_owned();
    if dice.random_bool(0.2)
        && let Some(frame) = FRAMES.choose(dice)
    {
        let inside = frame.find("{}").unwrap_or_default();
        let begins = inside == 0 || frame[..inside].trim_end().ends_with(['.', '!', ':']);
        let question = if begins || dice.random_bool(0.2) {
            text
        } else {
            first_lower(&text)
        };
        let marked = question.ends_with(['?', '.', '!']) || inside + 2 == frame.len();
        let question = if marked { question } else { question + "." };
        text = frame.replace("{}", &question);
    }
    typed(&text, dice)
}

fn typed(text: &str, dice: &mut ChaCha8Rng) -> String {
    let mut text = text.to_owned();
    if dice.random_bool(0.25) {
        text = text.trim_end_matches(['?', '.', '!']).to_owned();
    }
    if dice.random_bool(0.25) {
        text = text.to_lowercase();
    } else if dice.random_bool(0.01) {
        text = text.to_uppercase();
    }
    if dice.random_bool(0.03) {
        text.push_str(if dice.random_bool(0.5) { "?" } else { " ?" });
    }
    let slips = match dice.random_range(0..100) {
        0..82 => 0,
        82..96 => 1,
        _ => 2,
    };
    for _ in 0..slips {
        text = slip(&text, dice);
    }
    text
}

/// One letter dropped, doubled, exchanged with the next or replaced.
fn slip(text: &str, dice: &mut ChaCha8Rng) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> = (1..letters.len().saturating_sub(1))
        .filter(|place| letters[*place].is_alphabetic() && letters[*place + 1].is_alphabetic())
        .collect();
    let Some(place) = places.choose(dice).copied() else {
        return text.to_owned();
    };
    match dice.random_range(0..4) {
        0 => {
            letters.remove(place);
        }
        1 => letters.insert(place, letters[place]),
        2 => letters.swap(place, place + 1),
        _ => letters[place] = char::from(dice.random_range(b'a'..=b'z')),
    }
    letters.into_iter().collect()
}

/// A question without what people leave out: capitals, marks, double blanks.
pub(crate) fn plain(question: &str) -> String {
    let lower = question.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() { lower } else { words.join(" ") }
}

fn first_lower(text: &str) -> String {
    // "I", "TON" and "MRTD" stay as they are.
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_same_dice_give_the_same_text_and_the_words_stay_recognisable() {
        let question = "What is a receipt?";
        let texts = |seed| {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            (0..200).map(|_| vary(question, &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(texts(3), texts(3));
        assert_ne!(texts(3), texts(4));
        let whole = texts(3)
            .iter()
            .filter(|text| plain(text).contains("what is a receipt"))
            .count();
        assert!((140..200).contains(&whole), "{whole}");
    }

    #[test]
    fn a_plain_question_has_no_marks() {
        assert_eq!(plain("  What's  TON?!"), "what s ton");
        assert_eq!(plain("??"), "??");
    }
}
