//! Conversations: in memory only, and bounded.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::limits::{HISTORY_BYTES, HISTORY_MESSAGES, MAX_CHATS};

/// A message as the model gets it. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    pub(crate) role: &'static str,
    pub(crate) content: String,
}

impl Said {
    pub(crate) fn system(content: impl Into<String>) -> Self {
        let (role, content) = ("system", content.into());
        Self { role, content }
    }

    pub(crate) fn user(content: impl Into<String>) -> Self {
        let (role, content) = ("user", content.into());
        Self { role, content }
    }

    pub(crate) fn assistant(content: impl Into<String>) -> Self {
        let (role, content) = ("assistant", content.into());
        Self { role, content }
    }
}

/// One conversation.
#[derive(Default)]
pub(crate) struct Conversation {
    history: VecDeque<Said>,
    /// The model that was chosen.
    pub(crate) model: Option<String>,
    /// Whether an answer is being given.
    pub(crate) is_answering: bool,
    /// The name of the last answer's receipt, or of its request.
    pub(crate) last: Option<String>,
    /// Counts up: a conversation that was begun anew does not get the end of an old answer.
    pub(crate) begun: u64,
    used: u64,
}

impl Conversation {
    /// Forgets what was said.
    pub(crate) fn begin_anew(&mut self) {
        self.history.clear();
        self.begun += 1;
    }

    /// What was said, oldest first.
    pub(crate) fn said(&self) -> impl Iterator<Item = &Said> {
        self.history.iter()
    }

    /// Adds a question and its answer, and forgets the oldest of what is too much, in pairs.
    pub(crate) fn add(&mut self, question: String, answer: String) {
        self.history.push_back(Said::user(question));
        self.history.push_back(Said::assistant(answer));
        let bytes = |history: &VecDeque<Said>| {
            history
                .iter()
                .map(|said| said.content.len())
                .fold(0, usize::saturating_add)
        };
        while self.history.len() > HISTORY_MESSAGES || bytes(&self.history) > HISTORY_BYTES {
            self.history.drain(..2.min(self.history.len()));
        }
    }
}

/// All conversations, by their chat.
#[derive(Default)]
pub(crate) struct Chats {
    by_chat: HashMap<i64, Conversation>,
    uses: u64,
}

impl Chats {
    /// The conversation of a chat, which is begun if there is none.
    pub(crate) fn of(&mut self, chat: i64) -> &mut Conversation {
        if self.by_chat.len() >= MAX_CHATS && !self.by_chat.contains_key(&chat) {
            let quiet = self.by_chat.iter().filter(|(_, of)| !of.is_answering);
            if let Some(oldest) = quiet.min_by_key(|(_, of)| of.used).map(|(chat, _)| *chat) {
                self.by_chat.remove(&oldest);
            }
        }
        self.uses += 1;
        let conversation = self.by_chat.entry(chat).or_default();
        conversation.used = self.uses;
        conversation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_keeps_its_end_and_whole_pairs() {
        let mut conversation = Conversation::default();
        for number in 0..50 {
            conversation.add(format!("question {number}"), format!("answer {number}"));
        }
        let said: Vec<&Said> = conversation.said().collect();
        assert_eq!(said.len(), HISTORY_MESSAGES);
        assert!(said[0].role == "user" && said[HISTORY_MESSAGES - 1].content == "answer 49");
        conversation.add("q".into(), "a".repeat(HISTORY_BYTES + 1));
        assert_eq!(
            conversation.said().count(),
            0,
            "an answer that is too long alone is not kept"
        );
        conversation.add("q".into(), "a".into());
        conversation.begin_anew();
        assert_eq!(conversation.said().count(), 0);
    }

    #[test]
    fn the_quietest_conversation_makes_room_and_one_that_is_answered_stays() {
        let mut chats = Chats::default();
        chats.of(-1).is_answering = true;
        for chat in 0..i64::try_from(MAX_CHATS).unwrap() {
            chats.of(chat).model = Some("m".into());
        }
        assert_eq!(chats.by_chat.len(), MAX_CHATS);
        assert!(chats.by_chat.contains_key(&-1) && !chats.by_chat.contains_key(&0));
    }
}
