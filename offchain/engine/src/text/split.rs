//! An answer taken apart while it is written: reasoning, text, calls of tools.

mod channels;

use super::tools::{Parameters, Progress, Scanner, ToolFormat};
use channels::Channels;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// More of one call of a tool.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCallDelta {
    /// Which call of the answer, from 0.
    pub index: usize,
    /// The function's name, in the first piece of a call.
    pub name: Option<String>,
    /// More of the arguments; all pieces of one call are a JSON object, if the model makes no mistake.
    pub arguments: String,
}

/// Leaves the content out.
impl fmt::Debug for ToolCallDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolCallDelta({})", self.index)
    }
}

/// What a piece of an answer holds.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    pub(crate) reasoning: String,
    pub(crate) text: String,
    pub(crate) calls: Vec<ToolCallDelta>,
}

/// Takes one answer apart. What may become a mark is held back; blanks between the parts belong to none.
pub(crate) struct Splitter {
    stage: Stage,
    tools: Option<ToolFormat>,
    parameters: Arc<Parameters>,
    held: String,
    /// Calls that have begun.
    calls: usize,
    /// Does all the work for answers that are messages in channels.
    channels: Option<Channels>,
}

enum Stage {
    /// Nothing but blanks so far; reasoning may begin.
    Start,
    /// Inside the marks. False until something was given out.
    Reasoning(bool),
    /// Nothing but blanks of the text so far.
    BeforeText,
    Text,
    /// Text in which no call is looked for.
    LastText,
    /// What comes before the JSON of a call.
    BeforeCall,
    Call(Scanner),
    AfterCall,
}

impl Splitter {
    /// Splits off reasoning if `reasoning`, which the prompt has opened if `is_open`, and calls if the model writes them.
    pub(crate) fn new(reasoning: bool, is_open: bool, tools: Option<ToolFormat>) -> Self {
        let stage = match (reasoning, is_open) {
            (true, true) => Stage::Reasoning(false),
            (true, false) => Stage::Start,
            (false, _) => Stage::BeforeText,
        };
        Self {
            stage,
            tools,
            parameters: Arc::default(),
            held: String::new(),
            calls: 0,
            channels: (tools == Some(ToolFormat::Harmony)).then(Channels::default),
        }
    }

    /// With the descriptions of the tools, as the OpenAI interface has them: some formats cannot be read without.
    pub(crate) fn with_tools(self, tools: Option<&Value>) -> Self {
        Self {
            parameters: Arc::new(Parameters::of(tools)),
            ..self
        }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &str) -> Parts {
        let mut parts = Parts::default();
        if let Some(channels) = &mut self.channels {
            channels.push(piece, &mut parts);
            return parts;
        }
        self.held.push_str(piece);
        while self.step(&mut parts) {}
        parts
    }

    /// The rest, when the answer ends.
    pub(crate) fn finish(&mut self) -> Parts {
        let mut parts = Parts::default();
        if let Some(channels) = &mut self.channels {
            channels.finish(&mut parts);
            return parts;
        }
        let held = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.stage, Stage::LastText) {
            Stage::Start | Stage::Text | Stage::LastText => parts.text = held,
            Stage::Reasoning(_) => parts.reasoning = held.trim_end().to_owned(),
            Stage::BeforeText | Stage::AfterCall => parts.text = held.trim().to_owned(),
            Stage::BeforeCall => parts.text = self.tools.map_or("", ToolFormat::open).to_owned() + &held,
            Stage::Call(scanner) => parts.text = scanner.nameless().unwrap_or_default(),
        }
        parts
    }

    /// One transition, or one piece given out. False when more has to come first.
    fn step(&mut self, parts: &mut Parts) -> bool {
        if self.held.is_empty() {
            return false;
        }
        match &mut self.stage {
            Stage::Start => {
                let begin = self.held.trim_start();
                if let Some(rest) = begin.strip_prefix(OPEN) {
                    self.held = rest.to_owned();
                    self.stage = Stage::Reasoning(false);
                } else if OPEN.starts_with(begin) {
                    return false;
                } else {
                    self.stage = Stage::BeforeText;
                }
                true
            }
            Stage::Reasoning(begun) => {
                if !*begun {
                    self.held = self.held.trim_start().to_owned();
                }
                if let Some((inside, rest)) = self.held.split_once(CLOSE) {
                    parts.reasoning += inside.trim_end();
                    self.held = rest.to_owned();
                    self.stage = Stage::BeforeText;
                    return true;
                }
                let free = free_part(&self.held, CLOSE);
                *begun |= free > 0;
                parts.reasoning.extend(self.held.drain(..free));
                false
            }
            Stage::BeforeText => {
                self.held = self.held.trim_start().to_owned();
                self.stage = match self.tools {
                    _ if self.held.is_empty() => return false,
                    Some(ToolFormat::Llama) => {
                        let open = ToolFormat::Llama.open();
                        if self.held.starts_with('{') {
                            Stage::BeforeCall
                        } else if let Some(rest) = self.held.strip_prefix(open) {
                            self.held = rest.to_owned();
                            Stage::BeforeCall
                        } else if open.starts_with(&self.held) {
                            return false;
                        } else {
                            Stage::LastText
                        }
                    }
                    Some(_) => Stage::Text,
                    None => Stage::LastText,
                };
                true
            }
            Stage::Text => {
                let open = self.tools.map_or("", ToolFormat::open);
                if let Some((before, rest)) = self.held.split_once(open) {
                    parts.text += before.trim_end();
                    self.held = rest.to_owned();
                    self.stage = Stage::BeforeCall;
                    return true;
                }
                let free = free_part(&self.held, open);
                parts.text.extend(self.held.drain(..free));
                false
            }
            Stage::LastText => {
                parts.text += &std::mem::take(&mut self.held);
                false
            }
            Stage::BeforeCall => {
                let is_list = self.tools == Some(ToolFormat::Mistral);
                let before = |c: char| c.is_whitespace() || (is_list && c == '[');
                self.held = self.held.trim_start_matches(before).to_owned();
                if self.held.is_empty() {
                    return false;
                }
                self.stage = Stage::Call(Scanner::new(self.tools, &self.parameters));
                true
            }
            Stage::Call(_) => self.call(parts),
            Stage::AfterCall => self.after_call(),
        }
    }

    fn after_call(&mut self) -> bool {
        let rest = self.held.trim_start();
        let between = match self.tools {
            Some(ToolFormat::Llama) => Some(';'),
            Some(ToolFormat::Mistral) => Some(','),
            _ => None,
        };
        let close = self.tools.map_or("", ToolFormat::close);
        if rest.is_empty() {
            return false;
        } else if let Some(rest) = between.and_then(|mark| rest.strip_prefix(mark)) {
            self.held = rest.to_owned();
            self.stage = Stage::BeforeCall;
        } else if close.is_empty() {
            self.held = rest.to_owned();
            self.stage = Stage::LastText;
        } else if let Some(rest) = rest.strip_prefix(close) {
            self.held = rest.to_owned();
            self.stage = Stage::BeforeText;
        } else if close.starts_with(rest) {
            return false;
        } else {
            self.stage = Stage::BeforeText;
        }
        true
    }

    fn call(&mut self, parts: &mut Parts) -> bool {
        let Stage::Call(scanner) = &mut self.stage else {
            return false;
        };
        let held = std::mem::take(&mut self.held);
        for (at, c) in held.char_indices() {
            let progress = scanner.push(c);
            if let Some(name) = scanner.take_name() {
                self.calls += 1;
                parts.calls.push(ToolCallDelta {
                    index: self.calls - 1,
                    name: Some(name),
                    arguments: String::new(),
                });
            }
            if progress == Progress::More {
                continue;
            }
            more_arguments(scanner, self.calls, parts);
            let rest = &held[at + c.len_utf8()..];
            let ended = std::mem::replace(&mut self.stage, Stage::AfterCall);
            self.held = rest.to_owned();
            if let (Progress::Broken, Stage::Call(scanner)) = (progress, ended) {
                // Without a name it is a text like any other.
                parts.text += &scanner.nameless().unwrap_or_default();
                self.stage = Stage::LastText;
            }
            return true;
        }
        more_arguments(scanner, self.calls, parts);
        false
    }
}

/// Adds what the scanner has of the last call's arguments.
fn more_arguments(scanner: &mut Scanner, calls: usize, parts: &mut Parts) {
    let arguments = scanner.take_arguments();
    if arguments.is_empty() {
        return;
    }
    let index = calls.saturating_sub(1);
    match parts.calls.last_mut() {
        Some(last) if last.index == index => last.arguments += &arguments,
        _ => parts.calls.push(ToolCallDelta {
            index,
            name: None,
            arguments,
        }),
    }
}

/// How many bytes are free to go: blanks at the end and what may become `mark`, which is ASCII, are not.
fn free_part(text: &str, mark: &str) -> usize {
    let starts = (1..mark.len()).filter(|at| text.ends_with(&mark[..*at]));
    let free = text.len() - starts.max().unwrap_or(0);
    text[..free].trim_end().len()
}

#[cfg(test)]
mod tests;
