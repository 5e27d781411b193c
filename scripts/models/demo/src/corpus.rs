//! What the model learns: facts about this repository with the questions that they answer, one JSON object per line of
//! `corpus/*.jsonl`, and words for questions about anything else in `corpus/foreign.json`.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// One answer and how people ask for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fact {
    /// Unique among all files.
    pub(crate) id: String,
    /// What it explains, in words that fit behind "What is" or "What are"; absent when it explains no single thing.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Whether `name` is a plural.
    #[serde(default)]
    pub(crate) plural: bool,
    /// Questions to learn from.
    pub(crate) q: Vec<String>,
    /// Questions that are never learned: the evaluation asks them.
    #[serde(default)]
    pub(crate) held: Vec<String>,
    /// The answer.
    pub(crate) a: String,
    /// Words of the answer, in small letters, without which an answer is wrong.
    #[serde(default)]
    pub(crate) key: Vec<String>,
    /// The fact that answers "tell me more" after this one.
    #[serde(default)]
    pub(crate) more: Option<String>,
}

/// Questions about anything but this project, and what is said to them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Foreign {
    /// Questions in which `{kind}` stands for a word of that kind.
    pub(crate) patterns: Vec<String>,
    /// Patterns that only the evaluation uses.
    pub(crate) held: Vec<String>,
    /// Words by kind. The last fifth of each kind is for the evaluation.
    pub(crate) words: BTreeMap<String, Vec<String>>,
    /// The answer to all of them.
    pub(crate) answer: String,
    /// Words that show that an answer is a refusal.
    pub(crate) key: Vec<String>,
}

/// All of it.
pub(crate) struct Corpus {
    pub(crate) facts: Vec<Fact>,
    pub(crate) foreign: Foreign,
    more: Vec<Option<usize>>,
}

impl Corpus {
    /// Reads and checks a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .with_context(|| format!("{} cannot be read", folder.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        let mut facts: Vec<Fact> = Vec::new();
        for file in files
            .iter()
            .filter(|file| file.extension().is_some_and(|name| name == "jsonl"))
        {
            for (line, text) in std::fs::read_to_string(file)?.lines().enumerate() {
                let fact = serde_json::from_str(text).with_context(|| format!("{}:{}", file.display(), line + 1))?;
                facts.push(fact);
            }
        }
        let foreign = serde_json::from_slice(&std::fs::read(folder.join("foreign.json"))?).context("foreign.json")?;
        Self::new(facts, foreign)
    }

    /// Checks facts that belong together.
    pub(crate) fn new(facts: Vec<Fact>, foreign: Foreign) -> Result<Self> {
        let mut questions = HashSet::new();
        let mut places = BTreeMap::new();
        for (place, fact) in facts.iter().enumerate() {
            ensure!(
                places.insert(fact.id.as_str(), place).is_none(),
                "{}: the id is taken",
                fact.id
            );
            ensure!(
                !fact.q.is_empty() && !fact.a.is_empty(),
                "{}: nothing to learn",
                fact.id
            );
            for question in fact.q.iter().chain(&fact.held) {
                let plain = crate::phrasing::plain(question);
                ensure!(questions.insert(plain), "{}: {question:?} is asked twice", fact.id);
            }
            let answer = fact.a.to_lowercase();
            for key in &fact.key {
                ensure!(answer.contains(key), "{}: {key:?} is not in the answer", fact.id);
            }
        }
        let mut more = Vec::new();
        for fact in &facts {
            let place = match &fact.more {
                None => None,
                Some(id) => match places.get(id.as_str()) {
                    None => bail!("{}: no fact {id:?}", fact.id),
                    place => place.copied(),
                },
            };
            more.push(place);
        }
        for pattern in foreign.patterns.iter().chain(&foreign.held) {
            for kind in kinds(pattern) {
                let words = foreign.words.get(kind);
                ensure!(
                    words.is_some_and(|words| words.len() >= 5),
                    "{pattern:?}: fewer than five words"
                );
            }
        }
        Ok(Self { facts, foreign, more })
    }

    /// The fact that answers "tell me more" after the fact at `place`.
    pub(crate) fn more(&self, place: usize) -> Option<&Fact> {
        self.more[place].map(|place| &self.facts[place])
    }

    /// All text that a tokenizer should know well: questions, answers, patterns, words.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts = vec!["system\nuser\nassistant\n".to_owned()];
        for fact in &self.facts {
            // Answers count more: they are what is written.
            texts.extend([fact.a.clone(), fact.a.clone(), fact.a.clone()]);
            texts.extend(fact.q.iter().cloned());
            texts.extend(fact.q.iter().map(|question| question.to_lowercase()));
        }
        texts.extend(self.foreign.patterns.iter().cloned());
        texts.extend(self.foreign.words.values().flat_map(|words| learned(words)).cloned());
        texts.push(self.foreign.answer.clone());
        texts
    }
}

/// The words of a kind that may be learned.
pub(crate) fn learned(words: &[String]) -> &[String] {
    &words[..words.len() - words.len() / 5]
}

/// The words of a kind that only the evaluation asks about.
pub(crate) fn held(words: &[String]) -> &[String] {
    &words[words.len() - words.len() / 5..]
}

/// The kinds that a pattern names in braces.
pub(crate) fn kinds(pattern: &str) -> impl Iterator<Item = &str> {
    pattern
        .split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_complete() {
        let corpus = Corpus::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap();
        assert!(corpus.facts.len() >= 150);
        for fact in &corpus.facts {
            assert!(!fact.key.is_empty(), "{}: no key", fact.id);
            assert!(fact.a.len() <= 320, "{}: the answer is long", fact.id);
            assert!(fact.q.len() + fact.held.len() >= 4, "{}: few questions", fact.id);
        }
        assert!(corpus.facts.iter().map(|fact| fact.held.len()).sum::<usize>() >= corpus.facts.len());
    }
}
