//! Which tokens are reasoning.

use super::tokenizer::Tokenizer;

/// The tokens of `<think>` and `</think>`, in models that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThinkMarks {
    open: u32,
    close: u32,
}

impl ThinkMarks {
    pub(crate) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        Some(Self {
            open: tokenizer.id_of("<think>")?,
            close: tokenizer.id_of("</think>")?,
        })
    }
}

/// Counts reasoning tokens of one sequence, marks included. A prompt that ends inside an open mark (some templates do
/// that) starts the answer as reasoning.
pub(crate) struct ReasoningCounter {
    marks: Option<ThinkMarks>,
    inside: bool,
    count: u64,
}

impl ReasoningCounter {
    pub(crate) fn after_prompt(marks: Option<ThinkMarks>, prompt: &[u32]) -> Self {
        let inside = marks.is_some_and(|marks| {
            let last = prompt
                .iter()
                .rev()
                .find(|token| **token == marks.open || **token == marks.close);
            last == Some(&marks.open)
        });
        Self {
            marks,
            inside,
            count: 0,
        }
    }

    pub(crate) fn push(&mut self, token: u32) {
        let Some(marks) = self.marks else { return };
        self.inside |= token == marks.open;
        self.count += u64::from(self.inside);
        self.inside &= token != marks.close;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Option<ThinkMarks> = Some(ThinkMarks { open: 1, close: 2 });

    fn count(prompt: &[u32], answer: &[u32]) -> u64 {
        let mut counter = ReasoningCounter::after_prompt(MARKS, prompt);
        answer.iter().for_each(|token| counter.push(*token));
        counter.count()
    }

    #[test]
    fn tokens_between_the_marks_are_reasoning() {
        assert_eq!(count(&[9], &[1, 5, 5, 2, 7, 7]), 4);
        assert_eq!(count(&[9], &[7, 7]), 0);
        assert_eq!(count(&[9], &[1, 5]), 2);
    }

    #[test]
    fn a_prompt_that_opens_the_mark_starts_inside() {
        assert_eq!(count(&[9, 1, 9], &[5, 2, 7]), 2);
        assert_eq!(count(&[9, 1, 2, 9], &[5, 7]), 0);
    }
}
