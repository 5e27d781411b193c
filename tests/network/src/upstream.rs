//! An inference server that answers as slowly as a story needs: it makes "in the middle of an answer" a moment that a
//! test can hit.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

/// What every word of its answers begins with: no log and no file may contain it.
pub const WORD: &str = "heliotrope";

/// Tokens that it says a prompt has.
pub const PROMPT_TOKENS: u64 = 7;

/// A running server; stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    model: String,
    pace: Duration,
    tokens: usize,
    asked: AtomicUsize,
    open: AtomicUsize,
}

impl Upstream {
    /// Serves `model`; each answer has `tokens` words, one per `pace`.
    pub async fn start(model: &str, pace: Duration, tokens: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            model: model.to_owned(),
            pace,
            tokens,
            asked: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(chat))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, shared, task })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Questions asked so far.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Answers that are being streamed.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"object": "list", "data": [{"id": shared.model, "object": "model", "created": 0, "owned_by": "test"}]}))
}

async fn chat(State(shared): State<Arc<Shared>>, Json(question): Json<Value>) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let asked = question["max_tokens"]
        .as_u64()
        .or(question["max_completion_tokens"].as_u64());
    let tokens = asked.map_or(shared.tokens, |asked| {
        shared.tokens.min(usize::try_from(asked).unwrap_or(usize::MAX))
    });
    if question["stream"].as_bool() != Some(true) {
        tokio::time::sleep(shared.pace * u32::try_from(tokens).unwrap_or(u32::MAX)).await;
        let text: String = (0..tokens).map(word).collect();
        return Json(json!({
            "id": "upstream", "object": "chat.completion", "created": 0, "model": shared.model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}],
            "usage": usage(tokens),
        }))
        .into_response();
    }
    let (events, stream) = tokio::sync::mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        shared.open.fetch_add(1, Ordering::SeqCst);
        speak(&shared, tokens, &events).await;
        shared.open.fetch_sub(1, Ordering::SeqCst);
    });
    let body = Body::from_stream(ReceiverStream::new(stream).map(Ok::<_, std::convert::Infallible>));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// Streams the words, and stops when nobody listens any more.
async fn speak(shared: &Shared, tokens: usize, events: &tokio::sync::mpsc::Sender<Bytes>) {
    let chunk = |delta: Value, finish: Value, usage: Value| {
        let data = json!({
            "id": "upstream", "object": "chat.completion.chunk", "created": 0, "model": shared.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            "usage": usage,
        });
        Bytes::from(format!("data: {data}\n\n"))
    };
    for number in 0..tokens {
        tokio::select! {
            () = tokio::time::sleep(shared.pace) => {}
            () = events.closed() => return,
        }
        if events
            .send(chunk(json!({"content": word(number)}), Value::Null, Value::Null))
            .await
            .is_err()
        {
            return;
        }
    }
    let end = chunk(json!({}), "length".into(), usage(tokens));
    if events.send(end).await.is_ok() {
        let _ = events.send(Bytes::from_static(b"data: [DONE]\n\n")).await;
    }
}

fn word(number: usize) -> String {
    format!("{WORD}{number} ")
}

fn usage(tokens: usize) -> Value {
    json!({"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens as u64})
}
