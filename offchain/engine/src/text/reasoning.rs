//! Which tokens are reasoning.

use super::tokenizer::Tokenizer;

/// How a model marks its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasoningFormat {
    /// `<think>` … `</think>`, as Qwen and DeepSeek write it.
    Think,
    /// A message in the channel `analysis`, as GPT-OSS writes it (OpenAI's harmony format).
    Harmony,
}

impl ReasoningFormat {
    /// As manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Think => "think",
            Self::Harmony => "harmony",
        }
    }
}

/// The tokens of `<think>` and `</think>`, in models that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThinkMarks {
    pub(crate) open: u32,
    pub(crate) close: u32,
}

impl ThinkMarks {
    pub(crate) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        Some(Self {
            open: tokenizer.id_of("<think>")?,
            close: tokenizer.id_of("</think>")?,
        })
    }

    /// Whether the answer may begin with reasoning, and whether the prompt has opened it already. None if the prompt ends
    /// with reasoning that is over, as templates write it that switch it off.
    pub(crate) fn before_answer(self, prompt: &[u32]) -> Option<(Self, bool)> {
        let from_end = prompt.iter().rev();
        let mark = from_end
            .enumerate()
            .find(|(_, token)| **token == self.open || **token == self.close);
        match mark {
            Some((_, token)) if *token == self.open => Some((self, true)),
            // A blank line may stand between the mark and the answer.
            Some((distance, _)) if distance <= 2 => None,
            _ => Some((self, false)),
        }
    }
}

/// The tokens of harmony's channels, in models that write them: `<|channel|>` and `analysis` begin reasoning, `<|end|>` or
/// the begin of another message ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelMarks {
    start: u32,
    channel: u32,
    analysis: u32,
    end: u32,
}

impl ChannelMarks {
    pub(crate) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        Some(Self {
            start: tokenizer.id_of("<|start|>")?,
            channel: tokenizer.id_of("<|channel|>")?,
            analysis: tokenizer.id_of("analysis")?,
            end: tokenizer.id_of("<|end|>")?,
        })
    }
}

/// Counts reasoning tokens of one sequence, marks included. A prompt that ends inside an open mark (some templates do
/// that) starts the answer as reasoning.
pub(crate) struct ReasoningCounter {
    marks: Option<ThinkMarks>,
    channels: Option<ChannelMarks>,
    /// The token before.
    last: Option<u32>,
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
            channels: None,
            last: None,
            inside,
            count: 0,
        }
    }

    /// Counts what is in the channel of reasoning.
    pub(crate) fn with_channels(self, channels: Option<ChannelMarks>) -> Self {
        Self { channels, ..self }
    }

    pub(crate) fn push(&mut self, token: u32) {
        let last = self.last.replace(token);
        if let Some(marks) = self.channels {
            if token == marks.analysis && last == Some(marks.channel) && !self.inside {
                self.inside = true;
                self.count += 1; // the mark before
            }
            self.inside &= token != marks.start;
            self.count += u64::from(self.inside);
            self.inside &= token != marks.end;
            return;
        }
        let Some(marks) = self.marks else { return };
        self.inside |= token == marks.open;
        self.count += u64::from(self.inside);
        self.inside &= token != marks.close;
    }

    /// Whether the last token was reasoning that goes on.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside
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
    fn reasoning_may_begin_an_answer_unless_the_prompt_has_ended_it() {
        let before = |prompt: &[u32]| MARKS.unwrap().before_answer(prompt).map(|(_, is_open)| is_open);
        assert_eq!(before(&[9, 9]), Some(false));
        assert_eq!(before(&[9, 1, 9]), Some(true));
        assert_eq!(before(&[9, 1, 9, 2, 9]), None);
        assert_eq!(before(&[9, 1, 2, 9, 9, 9, 9]), Some(false));
    }

    #[test]
    fn tokens_in_the_channel_of_reasoning_are_counted() {
        let (start, channel, analysis, end) = (10, 11, 12, 13);
        let marks = ChannelMarks {
            start,
            channel,
            analysis,
            end,
        };
        let count = |answer: &[u32]| {
            let mut counter = ReasoningCounter::after_prompt(None, &[]).with_channels(Some(marks));
            answer.iter().for_each(|token| counter.push(*token));
            counter.count()
        };
        let (message, last) = (14, 15);
        assert_eq!(
            count(&[
                channel, analysis, message, 1, 2, end, start, 3, channel, last, message, 4
            ]),
            6
        );
        // The word elsewhere, and a message that was not ended.
        assert_eq!(count(&[channel, last, message, analysis, 1]), 0);
        assert_eq!(
            count(&[channel, analysis, message, 1, start, 3, channel, last, message]),
            4
        );
    }

    #[test]
    fn a_prompt_that_opens_the_mark_starts_inside() {
        assert_eq!(count(&[9, 1, 9], &[5, 2, 7]), 2);
        assert_eq!(count(&[9, 1, 2, 9], &[5, 7]), 0);
    }
}
