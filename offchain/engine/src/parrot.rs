//! The parrot: an engine without a model that repeats what it was told. For tests of what stands above the engine: no
//! configuration leads to it, and it is compiled always, so that tests and the command share one build.

use crate::card::ModelCard;
use crate::engine::{Engine, FinishReason, SequenceId, StepOutput, TokenLogprob, TokenLogprobs, Usage};
use crate::error::EngineError;
use crate::limits::DEFAULT_MAX_TOKENS;
use crate::options::ComputeDevice;
use crate::request::{Prompt, SubmitRequest};
use crate::sampling::Sampling;
use crate::text::split::Splitter;
use crate::text::tools::ToolFormat;
use cocoon_manifest::FileHash;
use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// Answers with the last message, one word per step. A word with the blank after it is a token. It writes calls of tools as
/// Hermes does, and is sure of every word.
pub struct Parrot {
    card: ModelCard,
    live: VecDeque<Echo>,
    next_id: u64,
}

struct Echo {
    id: SequenceId,
    words: VecDeque<String>,
    usage: Usage,
    left: usize,
    cancelled: bool,
    splitter: Option<Splitter>,
    logprobs: bool,
}

impl Default for Parrot {
    fn default() -> Self {
        let card = ModelCard {
            architecture: "parrot".to_owned(),
            precision: "none",
            engine: format!("{} mock", ModelCard::engine_name()),
            device: ComputeDevice::Cpu,
            ranks: NonZeroUsize::MIN,
            vocab_size: 1,
            max_model_len: 1 << 20,
            parameters: 0,
            reasoning: None,
            tools: Some(ToolFormat::Hermes),
            sampling_defaults: Sampling::default(),
            template: FileHash::of(b""),
        };
        Self {
            card,
            live: VecDeque::new(),
            next_id: 0,
        }
    }
}

impl Echo {
    fn say(&mut self, word: String, output: &mut StepOutput) {
        let Some(splitter) = &mut self.splitter else {
            output.text_delta = word;
            return;
        };
        let mut all = vec![splitter.push(&word)];
        if output.finish_reason.is_some() {
            all.push(splitter.finish());
        }
        for parts in all {
            output.text_delta += &parts.text;
            output.reasoning_delta += &parts.reasoning;
            output.tool_calls.extend(parts.calls);
        }
    }
}

fn certain(word: &str) -> TokenLogprobs {
    let chosen = TokenLogprob {
        token: 0,
        bytes: word.as_bytes().to_vec(),
        logprob: 0.0,
    };
    let top = vec![chosen.clone()];
    TokenLogprobs { chosen, top }
}

fn words(text: &str) -> VecDeque<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

impl Engine for Parrot {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn submit(&mut self, request: SubmitRequest) -> Result<SequenceId, EngineError> {
        request.check()?;
        let (prompt, said) = match request.prompt {
            Prompt::Text(text) => (words(&text).len(), words(&text)),
            Prompt::Chat(chat) => {
                let texts: Vec<&str> = chat
                    .messages
                    .iter()
                    .filter_map(|message| message["content"].as_str())
                    .collect();
                let last = texts.last().copied().ok_or(EngineError::TemplateRefused)?;
                (texts.iter().map(|text| words(text).len()).sum::<usize>(), words(last))
            }
            Prompt::Tokens(tokens) => {
                return Err(EngineError::UnknownToken {
                    id: tokens.first().copied().unwrap_or(0),
                });
            }
        };
        if said.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        let id = SequenceId(self.next_id);
        self.next_id += 1;
        let usage = Usage {
            prompt: prompt as u64,
            ..Usage::default()
        };
        let parts = request.parts;
        let tools = self.card.tools.filter(|_| parts.tools);
        let left = request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
        self.live.push_back(Echo {
            id,
            words: said,
            usage,
            left,
            cancelled: false,
            splitter: (parts.reasoning || parts.tools).then(|| Splitter::new(parts.reasoning, false, tools)),
            logprobs: request.logprobs.is_some(),
        });
        Ok(id)
    }

    fn cancel(&mut self, id: SequenceId) {
        if let Some(echo) = self.live.iter_mut().find(|echo| echo.id == id) {
            echo.cancelled = true;
        }
    }

    fn step(&mut self) -> Result<Vec<StepOutput>, EngineError> {
        let mut outputs = Vec::new();
        for echo in &mut self.live {
            let mut output = StepOutput {
                id: echo.id,
                text_delta: String::new(),
                reasoning_delta: String::new(),
                tool_calls: Vec::new(),
                tokens: Vec::new(),
                logprobs: Vec::new(),
                usage: echo.usage,
                finish_reason: echo.cancelled.then_some(FinishReason::Cancelled),
            };
            if !echo.cancelled {
                let word = echo.words.pop_front().unwrap_or_default();
                output.tokens.push(0);
                if echo.logprobs {
                    output.logprobs.push(certain(&word));
                }
                echo.left -= 1;
                echo.usage.completion += 1;
                output.usage = echo.usage;
                if echo.words.is_empty() {
                    output.finish_reason = Some(FinishReason::Stop);
                } else if echo.left == 0 {
                    output.finish_reason = Some(FinishReason::Length);
                }
                echo.say(word, &mut output);
            }
            outputs.push(output);
        }
        self.live.retain(|echo| {
            outputs
                .iter()
                .all(|output| output.id != echo.id || output.finish_reason.is_none())
        });
        Ok(outputs)
    }

    fn is_idle(&self) -> bool {
        self.live.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parrot_repeats_word_by_word() {
        let mut parrot = Parrot::default();
        parrot.submit(SubmitRequest::chat_of_user("one two three")).unwrap();
        let mut text = String::new();
        let mut last = None;
        while !parrot.is_idle() {
            for output in parrot.step().unwrap() {
                text += &output.text_delta;
                last = Some(output);
            }
        }
        let last = last.unwrap();
        assert_eq!(text, "one two three");
        assert_eq!(last.finish_reason, Some(FinishReason::Stop));
        assert_eq!((last.usage.prompt, last.usage.completion), (3, 3));
    }
}
