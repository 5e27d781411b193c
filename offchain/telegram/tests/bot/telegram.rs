//! A double of the Bot API over HTTP: long polling with offsets, messages with numbers, failures on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) const TOKEN: &str = "123456:AAbbCCddEEffGGhhIIjjKK-_1";

/// A call that the bot made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) at: Instant,
    pub(crate) chat: i64,
    pub(crate) message: i64,
    pub(crate) text: String,
    pub(crate) question: Value,
    pub(crate) is_refused: bool,
}

#[derive(Default)]
struct Inner {
    updates: Vec<Value>,
    next_update: i64,
    next_message: i64,
    confirmed: i64,
    calls: Vec<Call>,
    failures: VecDeque<(String, u16, Option<u64>)>,
}

#[derive(Clone, Default)]
pub(crate) struct Telegram {
    inner: Arc<Mutex<Inner>>,
    news: Arc<Notify>,
}

impl Telegram {
    pub(crate) async fn start() -> (Self, String) {
        let telegram = Self::default();
        let app = Router::new()
            .route("/{bot}/{method}", post(answer))
            .with_state(telegram.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (telegram, url)
    }

    /// Somebody writes; gives the number of the update.
    pub(crate) fn write(&self, user: i64, chat: i64, kind: &str, text: &str) -> i64 {
        let mut inner = self.inner.lock().unwrap();
        inner.next_update += 1;
        let id = inner.next_update;
        inner.updates.push(json!({
            "update_id": id,
            "message": {
                "message_id": 10_000 + id, "from": { "id": user, "is_bot": false, "first_name": "A" },
                "chat": { "id": chat, "type": kind }, "date": 0, "text": text,
            },
        }));
        self.news.notify_waiters();
        id
    }

    pub(crate) fn private(&self, user: i64, text: &str) -> i64 {
        self.write(user, user, "private", text)
    }

    /// An update of a kind that the bot cannot read.
    pub(crate) fn puzzle(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.next_update += 1;
        let id = inner.next_update;
        inner
            .updates
            .push(json!({ "update_id": id, "message": { "chat": "?" } }));
    }

    /// The next call of a method fails with a code, and a wait if there is one.
    pub(crate) fn fail(&self, method: &str, code: u16, retry_after: Option<u64>) {
        let failure = (method.to_owned(), code, retry_after);
        self.inner.lock().unwrap().failures.push_back(failure);
    }

    /// Everything that is not confirmed is given out again, as after a lost connection.
    pub(crate) fn confirmed(&self) -> i64 {
        self.inner.lock().unwrap().confirmed
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inner.lock().unwrap().calls.clone()
    }

    /// Sent and edited messages of a chat, as people see them now, in order.
    pub(crate) fn seen(&self, chat: i64) -> Vec<String> {
        let mut messages: Vec<(i64, String)> = Vec::new();
        for call in self
            .calls()
            .into_iter()
            .filter(|call| call.chat == chat && !call.is_refused)
        {
            match call.method.as_str() {
                "sendMessage" => messages.push((call.message, call.text)),
                "editMessageText" => {
                    let message = messages.iter_mut().find(|(id, _)| *id == call.message);
                    message.expect("only what was sent is edited").1 = call.text;
                }
                _ => {}
            }
        }
        messages.into_iter().map(|(_, text)| text).collect()
    }

    /// Waits until what is seen in a chat is as wanted.
    pub(crate) async fn until(&self, chat: i64, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let seen = self.seen(chat);
            if wanted(&seen) {
                return seen;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{seen:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn answer(
    State(telegram): State<Telegram>,
    Path((bot, method)): Path<(String, String)>,
    Json(question): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let refused = |code: u16, retry_after: Option<u64>| {
        let mut body = json!({ "ok": false, "error_code": code, "description": "refused" });
        if let Some(seconds) = retry_after {
            body["parameters"] = json!({ "retry_after": seconds });
        }
        (StatusCode::from_u16(code).unwrap(), Json(body))
    };
    if bot != format!("bot{TOKEN}") {
        return refused(401, None);
    }
    let failure = {
        let mut inner = telegram.inner.lock().unwrap();
        let at = inner.failures.iter().position(|(of, ..)| *of == method);
        at.and_then(|at| inner.failures.remove(at))
    };
    let result = match method.as_str() {
        "getUpdates" => match failure {
            Some((_, code, wait)) => return refused(code, wait),
            None => updates(&telegram, question["offset"].as_i64().unwrap()).await,
        },
        "getMe" => json!({ "id": 99, "is_bot": true, "first_name": "Cocoon", "username": "cocoon_bot" }),
        "sendMessage" | "editMessageText" | "sendChatAction" => {
            let mut inner = telegram.inner.lock().unwrap();
            let message = question["message_id"].as_i64().unwrap_or_else(|| {
                inner.next_message += 1;
                inner.next_message
            });
            let text = question["text"].as_str().unwrap_or_default().to_owned();
            assert!(text.encode_utf16().count() <= 4096, "Telegram refuses what is longer");
            inner.calls.push(Call {
                method: method.clone(),
                at: Instant::now(),
                chat: question["chat_id"].as_i64().unwrap(),
                message,
                text,
                question: question.clone(),
                is_refused: failure.is_some(),
            });
            if let Some((_, code, wait)) = failure {
                return refused(code, wait);
            }
            json!({ "message_id": message })
        }
        other => panic!("the bot calls {other}"),
    };
    (StatusCode::OK, Json(json!({ "ok": true, "result": result })))
}

async fn updates(telegram: &Telegram, offset: i64) -> Value {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let news = telegram.news.notified();
        {
            let mut inner = telegram.inner.lock().unwrap();
            inner.confirmed = inner.confirmed.max(offset - 1);
            inner
                .updates
                .retain(|update| update["update_id"].as_i64().unwrap() >= offset);
            if !inner.updates.is_empty() || Instant::now() >= deadline {
                return inner.updates.clone().into();
            }
        }
        let _ = tokio::time::timeout(Duration::from_millis(200), news).await;
    }
}
