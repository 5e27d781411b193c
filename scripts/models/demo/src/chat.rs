//! Chats made of the corpus: what the model is trained on, token by token, and what it is asked in the evaluation.

use crate::corpus::{Corpus, Fact, held, kinds, learned};
use crate::phrasing::{about, more, vary};
use crate::tokens::{BEGIN, END, Tokens};
use anyhow::Result;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SYSTEM: [&str; 10] = [
    "You are a helpful assistant.",
    "You are the assistant of the Cocoon network.",
    "Answer briefly.",
    "You answer questions about Cocoon.",
    "Be short and precise.",
    "You are a friendly guide to Cocoon.",
    "Be helpful.",
    "You are a chatbot.",
    "Answer the user's questions.",
    "You are an AI model that runs on Cocoon.",
];

/// A chat as tokens, and which of them the loss counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) tokens: Vec<u32>,
    pub(crate) counted: Vec<bool>,
}

/// A question of the evaluation.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Which group of the evaluation it belongs to.
    pub(crate) group: &'static str,
    pub(crate) text: String,
    pub(crate) answer: String,
    pub(crate) key: Vec<String>,
}

/// Learned questions of every fact, crossed with each other.
pub(crate) struct Chats<'a> {
    corpus: &'a Corpus,
    tokens: &'a Tokens,
    questions: Vec<Vec<String>>,
    seed: u64,
}

impl<'a> Chats<'a> {
    pub(crate) fn new(corpus: &'a Corpus, tokens: &'a Tokens, seed: u64) -> Self {
        Self {
            corpus,
            tokens,
            questions: learned_questions(corpus),
            seed,
        }
    }

    /// The chats of one round. A round depends on nothing but the seed and its number.
    pub(crate) fn round(&self, number: u64, chats: usize) -> Result<Vec<Sample>> {
        let mut dice = ChaCha8Rng::seed_from_u64(self.seed);
        dice.set_stream(number + 1);
        (0..chats).map(|_| self.sample(&mut dice)).collect()
    }

    fn sample(&self, dice: &mut ChaCha8Rng) -> Result<Sample> {
        let mut sample = Sample {
            tokens: Vec::new(),
            counted: Vec::new(),
        };
        if dice.random_bool(0.2)
            && let Some(text) = SYSTEM.choose(dice)
        {
            self.put(&mut sample, &message("system", text), false)?;
        }
        let turns = match dice.random_range(0..10) {
            0..6 => 1,
            6..8 => 2,
            _ => 3,
        };
        let mut last: Option<usize> = None;
        for _ in 0..turns {
            let further = last
                .and_then(|place| self.corpus.more(place))
                .filter(|_| dice.random_bool(0.5));
            let (question, answer) = if let Some(fact) = further {
                last = None;
                (more(dice), fact.a.as_str())
            } else if dice.random_bool(0.14) {
                last = None;
                (vary(&self.foreign(dice), dice), self.corpus.foreign.answer.as_str())
            } else {
                let place = dice.random_range(0..self.corpus.facts.len());
                last = Some(place);
                let question = self.questions[place].choose(dice).map_or("", String::as_str);
                (vary(question, dice), self.corpus.facts[place].a.as_str())
            };
            self.put(&mut sample, &message("user", &question), false)?;
            self.put(&mut sample, &format!("{BEGIN}assistant\n"), false)?;
            self.put(&mut sample, &format!("{answer}{END}"), true)?;
            self.put(&mut sample, "\n", false)?;
        }
        Ok(sample)
    }

    fn put(&self, sample: &mut Sample, text: &str, counted: bool) -> Result<()> {
        let tokens = self.tokens.encode(text)?;
        sample.counted.extend(std::iter::repeat_n(counted, tokens.len()));
        sample.tokens.extend(tokens);
        Ok(())
    }

    fn foreign(&self, dice: &mut ChaCha8Rng) -> String {
        let pattern = self.corpus.foreign.patterns.choose(dice).map_or("", String::as_str);
        fill(self.corpus, pattern, learned, dice)
    }
}

fn message(role: &str, text: &str) -> String {
    format!("{BEGIN}{role}\n{text}{END}\n")
}

/// What stands before an answer: the form of `chat_template.jinja`.
pub(crate) fn prompt(question: &str) -> String {
    format!("{}{BEGIN}assistant\n", message("user", question))
}

/// The questions of each fact, those of its name included; none that the evaluation asks.
fn learned_questions(corpus: &Corpus) -> Vec<Vec<String>> {
    let questions = |fact: &Fact| {
        let mut questions = fact.q.clone();
        // Twice: what people wrote for this fact weighs more than what its name gives.
        questions.extend(fact.q.clone());
        if let Some(name) = &fact.name {
            questions.extend(about(name, fact.plural));
        }
        let held: Vec<String> = fact.held.iter().map(|held| crate::phrasing::plain(held)).collect();
        questions.retain(|question| !held.contains(&crate::phrasing::plain(question)));
        questions
    };
    corpus.facts.iter().map(questions).collect()
}

/// Which words of a kind may be used.
type Part = fn(&[String]) -> &[String];

/// Puts words into a pattern. `{nonsense}` is a word that nobody knows, `{number}` a number.
fn fill(corpus: &Corpus, pattern: &str, part: Part, dice: &mut ChaCha8Rng) -> String {
    let mut text = pattern.to_owned();
    for kind in kinds(pattern) {
        let words = corpus.foreign.words.get(kind).map_or(&[][..], |words| part(words));
        let word = match kind {
            "nonsense" => nonsense(words, dice),
            "number" => dice.random_range(2..1000).to_string(),
            _ => words.choose(dice).cloned().unwrap_or_default(),
        };
        text = text.replacen(&format!("{{{kind}}}"), &word, 1);
    }
    text
}

/// Two or three syllables.
fn nonsense(syllables: &[String], dice: &mut ChaCha8Rng) -> String {
    (0..dice.random_range(2..4))
        .filter_map(|_| syllables.choose(dice))
        .map(String::as_str)
        .collect()
}

/// What the evaluation asks: phrasings of facts that were held back, and foreign questions with patterns or words that
/// were.
pub(crate) fn held_out(corpus: &Corpus, foreign: usize, seed: u64) -> Vec<Question> {
    let mut questions = Vec::new();
    for fact in &corpus.facts {
        for text in &fact.held {
            questions.push(Question {
                group: "held-out phrasings",
                text: text.clone(),
                answer: fact.a.clone(),
                key: fact.key.clone(),
            });
        }
    }
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    for count in 0..foreign {
        let (group, patterns, part) = if count % 2 == 0 {
            ("foreign, unknown words", &corpus.foreign.patterns, held as Part)
        } else {
            ("foreign, unknown patterns", &corpus.foreign.held, learned as Part)
        };
        let pattern = patterns.choose(&mut dice).map_or("", String::as_str);
        questions.push(Question {
            group,
            text: fill(corpus, pattern, part, &mut dice),
            answer: corpus.foreign.answer.clone(),
            key: corpus.foreign.key.clone(),
        });
    }
    questions
}

/// One learned question of every fact, as it stands in the corpus.
pub(crate) fn learned_by_heart(corpus: &Corpus) -> Vec<Question> {
    let question = |fact: &Fact| Question {
        group: "learned phrasings",
        text: fact.q[0].clone(),
        answer: fact.a.clone(),
        key: fact.key.clone(),
    };
    corpus.facts.iter().map(question).collect()
}

#[cfg(test)]
mod tests;
