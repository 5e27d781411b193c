//! The Bot API: the six methods that are used, and of its objects what is needed.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::Token;
use crate::limits::{CALL_TIMEOUT, MAX_API_BYTES, MAX_ATTEMPTS, MAX_RETRY_AFTER, POLL_SECONDS};
use crate::web::{Web, WebFailure};

/// The bot itself, or a person.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) is_bot: bool,
    #[serde(default)]
    pub(crate) username: Option<String>,
}

/// Where people talk.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl Chat {
    pub(crate) fn is_private(&self) -> bool {
        self.kind == "private"
    }
}

/// A message. Its text is never shown.
#[derive(Clone, Deserialize)]
pub(crate) struct Message {
    pub(crate) message_id: i64,
    #[serde(default)]
    pub(crate) from: Option<User>,
    pub(crate) chat: Chat,
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) reply_to_message: Option<Box<Message>>,
}

/// Something that happened in a chat.
pub(crate) struct Update {
    pub(crate) id: i64,
    /// Absent for what this bot does not handle.
    pub(crate) message: Option<Message>,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiFailure {
    /// Not before so many seconds.
    #[error("too many requests: again in {0} s")]
    RetryAfter(u64),
    /// Telegram says no. Its description is left out: it may quote.
    #[error("refused with code {0}")]
    Refused(i64),
    /// It was not reached, or answered something else.
    #[error(transparent)]
    Web(#[from] WebFailure),
    /// It answered with something that is no answer.
    #[error("the answer is not one of the Bot API")]
    NotUnderstood,
}

#[derive(Deserialize)]
struct Envelope<T> {
    ok: bool,
    result: Option<T>,
    #[serde(default)]
    error_code: i64,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    retry_after: Option<u64>,
}

/// A bot's way to Telegram.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    web: Web,
    url: String,
    token: Token,
}

impl Api {
    pub(crate) fn new(web: Web, url: &str, token: Token) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { web, url, token }
    }

    /// Who this bot is.
    pub(crate) async fn me(&self) -> Result<User, ApiFailure> {
        self.call("getMe", &json!({}), CALL_TIMEOUT).await
    }

    /// The updates from `offset` on, which confirms all before; waits for one a while if there is none.
    pub(crate) async fn updates(&self, offset: i64) -> Result<Vec<Update>, ApiFailure> {
        let question = json!({ "offset": offset, "timeout": POLL_SECONDS, "allowed_updates": ["message"] });
        let within = Duration::from_secs(POLL_SECONDS) + CALL_TIMEOUT;
        let updates: Vec<Value> = self.call("getUpdates", &question, within).await?;
        // One that is not understood must not hide those behind it.
        let read = updates.into_iter().filter_map(|mut update| {
            let id = update["update_id"].as_i64()?;
            let message = serde_json::from_value(update["message"].take()).ok();
            Some(Update { id, message })
        });
        Ok(read.collect())
    }

    /// Sends a message and gives its number.
    pub(crate) async fn say(&self, chat: i64, reply_to: Option<i64>, text: &str) -> Result<i64, ApiFailure> {
        let mut question = json!({
            "chat_id": chat,
            "text": text,
            "link_preview_options": { "is_disabled": true },
        });
        if let Some(message) = reply_to {
            question["reply_parameters"] = json!({ "message_id": message, "allow_sending_without_reply": true });
        }
        let sent: Value = self.patiently("sendMessage", &question).await?;
        sent["message_id"].as_i64().ok_or(ApiFailure::NotUnderstood)
    }

    /// Gives a message of the bot another text. One attempt: a newer text follows, or [`edit_for_good`](Self::edit_for_good).
    pub(crate) async fn edit(&self, chat: i64, message: i64, text: &str) -> Result<(), ApiFailure> {
        let _: Value = self
            .call("editMessageText", &edit(chat, message, text), CALL_TIMEOUT)
            .await?;
        Ok(())
    }

    /// The same with the text that stays.
    pub(crate) async fn edit_for_good(&self, chat: i64, message: i64, text: &str) -> Result<(), ApiFailure> {
        let _: Value = self.patiently("editMessageText", &edit(chat, message, text)).await?;
        Ok(())
    }

    /// Shows that the bot is typing. Nothing depends on it.
    pub(crate) async fn typing(&self, chat: i64) {
        let question = json!({ "chat_id": chat, "action": "typing" });
        let _ = self.call::<Value>("sendChatAction", &question, CALL_TIMEOUT).await;
    }

    /// Calls again what Telegram puts off, or what did not reach it, a few times.
    async fn patiently<T: DeserializeOwned>(&self, method: &'static str, question: &Value) -> Result<T, ApiFailure> {
        let mut attempt = 1;
        loop {
            let failure = match self.call(method, question, CALL_TIMEOUT).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = match &failure {
                ApiFailure::RetryAfter(seconds) => Duration::from_secs(*seconds),
                ApiFailure::Refused(code) if *code < 500 => return Err(failure),
                _ => Duration::from_millis(500 << attempt),
            };
            if attempt == MAX_ATTEMPTS || wait > MAX_RETRY_AFTER {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        question: &Value,
        within: Duration,
    ) -> Result<T, ApiFailure> {
        let url = format!("{}/bot{}/{method}", self.url, self.token.reveal());
        let body = question.to_string().into();
        let mut answer = self.web.send(Method::POST, &url, None, body, within).await?;
        let body = answer.whole(MAX_API_BYTES, CALL_TIMEOUT).await?;
        let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(|_| match answer.status.as_u16() {
            200 => ApiFailure::NotUnderstood,
            code => ApiFailure::Refused(code.into()),
        })?;
        if let (true, Some(result)) = (envelope.ok, envelope.result) {
            return Ok(result);
        }
        let wait = envelope.parameters.and_then(|parameters| parameters.retry_after);
        Err(match wait {
            Some(seconds) => ApiFailure::RetryAfter(seconds.max(1)),
            None if envelope.error_code == 429 => ApiFailure::RetryAfter(1),
            None => ApiFailure::Refused(envelope.error_code),
        })
    }
}

fn edit(chat: i64, message: i64, text: &str) -> Value {
    json!({
        "chat_id": chat,
        "message_id": message,
        "text": text,
        "link_preview_options": { "is_disabled": true },
    })
}
