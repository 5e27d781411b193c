//! Asks a model and compares with the corpus.

use crate::chat::{Question, prompt};
use crate::folder::Loaded;
use crate::model::KvCache;
use anyhow::Result;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::BTreeMap;

/// Tokens of an answer at most.
const MAX_ANSWER: usize = 120;
/// Questions side by side.
const ROWS: usize = 48;

/// An answer that was given.
pub(crate) struct Answered {
    pub(crate) question: Question,
    pub(crate) text: String,
}

impl Answered {
    /// Word for word as in the corpus.
    pub(crate) fn is_exact(&self) -> bool {
        self.text == self.question.answer
    }

    /// With all words that matter.
    pub(crate) fn has_keys(&self) -> bool {
        let text = self.text.to_lowercase();
        self.question.key.iter().all(|key| text.contains(key))
    }
}

/// Hits of a group of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) asked: usize,
    pub(crate) exact: usize,
    pub(crate) keys: usize,
}

/// Scores by group.
pub(crate) fn scores(answers: &[Answered]) -> BTreeMap<&'static str, Score> {
    let mut scores: BTreeMap<&'static str, Score> = BTreeMap::new();
    for answer in answers {
        let score = scores.entry(answer.question.group).or_default();
        score.asked += 1;
        score.exact += usize::from(answer.is_exact());
        score.keys += usize::from(answer.has_keys());
    }
    scores
}

/// Answers all questions, always taking the likeliest token.
pub(crate) fn answer_all<B: Backend>(
    loaded: &Loaded<B>,
    questions: Vec<Question>,
    device: &B::Device,
) -> Result<Vec<Answered>> {
    // Prompts of one length go side by side, so that nothing has to be filled.
    let mut by_length: BTreeMap<usize, Vec<(Question, Vec<u32>)>> = BTreeMap::new();
    for question in questions {
        let tokens = loaded.tokens.encode(&prompt(&question.text))?;
        by_length.entry(tokens.len()).or_default().push((question, tokens));
    }
    let mut answers = Vec::new();
    for group in by_length.into_values() {
        for rows in group.chunks(ROWS) {
            let prompts: Vec<&[u32]> = rows.iter().map(|(_, tokens)| tokens.as_slice()).collect();
            for ((question, _), tokens) in rows.iter().zip(greedy(loaded, &prompts, device)?) {
                answers.push(Answered {
                    question: question.clone(),
                    text: loaded.tokens.decode(&tokens)?,
                });
            }
        }
    }
    Ok(answers)
}

/// The likeliest continuations of prompts of one length, without their ends.
fn greedy<B: Backend>(loaded: &Loaded<B>, prompts: &[&[u32]], device: &B::Device) -> Result<Vec<Vec<u32>>> {
    let rows = prompts.len();
    let mut cache = KvCache::new(&loaded.shape);
    let mut next: Vec<i32> = prompts
        .iter()
        .flat_map(|row| row.iter().map(|token| token.cast_signed()))
        .collect();
    let mut answers = vec![Vec::new(); rows];
    let mut ended = vec![false; rows];
    for _ in 0..MAX_ANSWER {
        let width = next.len() / rows;
        let tokens = Tensor::<B, 2, Int>::from_data(TensorData::new(next, [rows, width]), device);
        let states = loaded.model.states(&loaded.shape, tokens, Some(&mut cache));
        let states = states.reshape([rows, width, loaded.shape.hidden]);
        let last = states.narrow(1, width - 1, 1).reshape([rows, loaded.shape.hidden]);
        let logits = loaded.model.logits(last);
        let chosen = logits.argmax(1).into_data().convert::<i32>().into_vec::<i32>();
        next = chosen.map_err(|_| anyhow::anyhow!("the choice is not readable"))?;
        for ((answer, ended), token) in answers.iter_mut().zip(&mut ended).zip(&next) {
            let token = token.cast_unsigned();
            *ended |= token == loaded.tokens.end || token == loaded.tokens.pad;
            if !*ended {
                answer.push(token);
            }
        }
        if ended.iter().all(|ended| *ended) {
            break;
        }
    }
    Ok(answers)
}
