//! Why an answer ended.

use crate::error::ReceiptError;

/// Why an answer ended. The number is what the receipt carries; new reasons get new numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum FinishReason {
    /// The worker did not say (a peer without work reports).
    Unknown = 0,
    /// The model ended the answer or met a stop sequence.
    Stop = 1,
    /// The token limit was reached.
    Length = 2,
    /// The answer ends in tool calls.
    ToolCalls = 3,
    /// A content filter of the model ended it.
    ContentFilter = 4,
    /// The client cancelled or went away.
    Cancelled = 5,
    /// The worker's connection was lost in the middle.
    WorkerLost = 6,
    /// The request ran out of its time.
    Timeout = 7,
    /// The worker reported an error.
    Failed = 8,
}

impl FinishReason {
    /// All of them, for tests and tables.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Stop,
        Self::Length,
        Self::ToolCalls,
        Self::ContentFilter,
        Self::Cancelled,
        Self::WorkerLost,
        Self::Timeout,
        Self::Failed,
    ];

    /// The number in the receipt.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// From the number in the receipt; an unknown one is refused.
    pub fn from_code(code: u8) -> Result<Self, ReceiptError> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.code() == code)
            .ok_or(ReceiptError::FinishReason(code))
    }

    /// From the word in a work report; words that nobody agreed on are [`FinishReason::Unknown`].
    pub fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.word() == word)
            .unwrap_or(Self::Unknown)
    }

    /// The word of the OpenAI API where there is one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Cancelled => "cancelled",
            Self::WorkerLost => "worker_lost",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
        }
    }
}

impl std::fmt::Display for FinishReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_word_lead_back_to_the_reason() {
        for reason in FinishReason::ALL {
            assert_eq!(FinishReason::from_code(reason.code()), Ok(reason));
            assert_eq!(FinishReason::from_word(reason.word()), reason);
        }
    }

    #[test]
    fn unknown_code_is_refused_and_unknown_word_is_unknown() {
        assert_eq!(FinishReason::from_code(9), Err(ReceiptError::FinishReason(9)));
        assert_eq!(FinishReason::from_word("because"), FinishReason::Unknown);
    }
}
