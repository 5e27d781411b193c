//! An answer that grows in a chat: a message that is edited at a bounded rate, and another one when it is full.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::api::{Api, ApiFailure};
use crate::limits::{EDIT_EVERY, EDIT_EVERY_IN_GROUPS, MAX_ANSWER_MESSAGES, MAX_RETRY_AFTER};
use crate::split;
use crate::text;

/// Where an answer is shown.
pub(crate) struct Shown<'a> {
    api: &'a Api,
    chat: i64,
    every: Duration,
    /// The question, until something answers it.
    reply_to: Option<i64>,
    /// The message that is edited, and its text.
    current: Option<(i64, String)>,
    /// Where its text begins in the answer.
    begins_at: usize,
    messages: usize,
    /// No edit before.
    not_before: Instant,
    /// No call at all before: Telegram said so.
    put_off_until: Instant,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(api: &'a Api, chat: i64, is_private: bool, reply_to: Option<i64>) -> Self {
        Self {
            api,
            chat,
            every: if is_private { EDIT_EVERY } else { EDIT_EVERY_IN_GROUPS },
            reply_to,
            current: None,
            begins_at: 0,
            messages: 0,
            not_before: Instant::now(),
            put_off_until: Instant::now(),
        }
    }

    /// When the next [`grow`](Self::grow) may be.
    pub(crate) fn next_at(&self) -> Instant {
        self.not_before
    }

    /// Whether nothing more will be shown.
    pub(crate) fn is_full(&self) -> bool {
        self.messages >= MAX_ANSWER_MESSAGES
    }

    /// Shows the answer as far as it has come. What Telegram refuses now is shown with what comes next.
    pub(crate) async fn grow(&mut self, answer: &str) {
        let grown = self.fill(answer).await;
        let grown = match grown {
            Ok(rest) => self.show(&rest, false).await,
            failed => failed.map(drop),
        };
        let wait = match grown {
            Err(ApiFailure::RetryAfter(seconds)) => {
                let wait = Duration::from_secs(seconds).min(MAX_RETRY_AFTER);
                self.put_off_until = Instant::now() + wait;
                wait.max(self.every)
            }
            _ => self.every,
        };
        self.not_before = Instant::now() + wait;
    }

    /// Shows the whole answer.
    pub(crate) async fn finish(&mut self, answer: &str) -> Result<(), ApiFailure> {
        sleep_until(self.put_off_until).await;
        let rest = self.fill(answer).await?;
        if self.is_full() && !rest.trim().is_empty() {
            self.api.say(self.chat, None, text::TOO_LONG.trim()).await?;
            return Ok(());
        }
        match rest.trim().is_empty() && self.messages == 0 {
            true => self.show(text::EMPTY, true).await,
            false => self.show(&rest, true).await,
        }
    }

    /// Completes messages that are full, and gives the text of the one that is not.
    async fn fill(&mut self, answer: &str) -> Result<String, ApiFailure> {
        loop {
            let (message, after) = split::first(answer.get(self.begins_at..).unwrap_or_default());
            if after.is_empty() || self.is_full() {
                return Ok(message.to_owned());
            }
            self.show(message, true).await?;
            self.begins_at += message.len();
            self.current = None;
            self.messages += 1;
        }
    }

    async fn show(&mut self, text: &str, is_final: bool) -> Result<(), ApiFailure> {
        // Telegram cuts space at the ends, and refuses a message without text and an edit that changes nothing.
        let text = text.trim();
        if text.is_empty() || self.is_full() {
            return Ok(());
        }
        match &mut self.current {
            Some((_, shown)) if shown == text => {}
            Some((message, shown)) => {
                let message = *message;
                match is_final {
                    true => self.api.edit_for_good(self.chat, message, text).await?,
                    false => self.api.edit(self.chat, message, text).await?,
                }
                *shown = text.to_owned();
            }
            None => {
                let message = self.api.say(self.chat, self.reply_to.take(), text).await?;
                self.current = Some((message, text.to_owned()));
            }
        }
        Ok(())
    }
}
