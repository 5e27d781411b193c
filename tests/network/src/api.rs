//! The client's OpenAI interface, as a test sees it.

use std::time::{Duration, Instant};

use cocoon_openai::sse::{DONE, SseDecoder, SseEvent};
use serde_json::{Value, json};

/// Longer than any story should take, so that a hang is a failure with a name.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a receipt may come after its answer.
const LATE_RECEIPT: Duration = Duration::from_secs(10);

/// One client runner.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    url: String,
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `x-cocoon-request-id`.
    pub request_id: Option<String>,
    /// `x-cocoon-receipt-id`.
    pub receipt_id: Option<String>,
    /// Body as JSON, null when it is none.
    pub body: Value,
}

impl Reply {
    /// `error.code` of an answer that is an error.
    pub fn error_code(&self) -> Option<&str> {
        self.body["error"]["code"].as_str()
    }
}

/// A request for one answer to `prompt`.
pub fn question(model: &str, prompt: &str, max_tokens: u32) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
    })
}

/// The same, to be streamed.
pub fn streamed(mut question: Value) -> Value {
    question["stream"] = true.into();
    question["stream_options"] = json!({"include_usage": true});
    question
}

impl Api {
    /// The client at `url`.
    pub fn new(url: &str) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks and waits for the whole answer and its receipt.
    pub async fn chat(&self, question: &Value) -> reqwest::Result<Reply> {
        self.post("/v1/chat/completions", question.to_string().into_bytes())
            .await
    }

    /// The same under a quote.
    pub async fn chat_quoted(&self, question: &Value, quote: &str) -> reqwest::Result<Reply> {
        let post = self.http.post(format!("{}/v1/chat/completions", self.url));
        read(post.header("x-cocoon-quote", quote).json(question).send().await?).await
    }

    /// Sends any bytes.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> reqwest::Result<Reply> {
        let url = format!("{}{path}", self.url);
        read(
            self.http
                .post(url)
                .header("content-type", "application/json")
                .header("x-cocoon-receipt", "wait")
                .body(body)
                .send()
                .await?,
        )
        .await
    }

    /// Gets a page.
    pub async fn get(&self, path: &str) -> reqwest::Result<Reply> {
        read(self.http.get(format!("{}{path}", self.url)).send().await?).await
    }

    /// Gets a receipt by its id or that of its request. After an error it may come a moment later than the answer ends.
    pub async fn receipt(&self, id: &str) -> reqwest::Result<Reply> {
        let deadline = Instant::now() + LATE_RECEIPT;
        loop {
            let reply = self.get(&format!("/v1/cocoon/receipts/{id}")).await?;
            if reply.status != 404 || Instant::now() > deadline {
                return Ok(reply);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks for a stream of events.
    pub async fn stream(&self, question: &Value) -> reqwest::Result<Events> {
        let url = format!("{}/v1/chat/completions", self.url);
        let response = self.http.post(url).json(&streamed(question.clone())).send().await?;
        Ok(Events {
            response,
            decoder: SseDecoder::with_comments(),
            waiting: Vec::new(),
        })
    }
}

async fn read(response: reqwest::Response) -> reqwest::Result<Reply> {
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (status, request_id, receipt_id) = (
        response.status().as_u16(),
        header("x-cocoon-request-id"),
        header("x-cocoon-receipt-id"),
    );
    let bytes = response.bytes().await?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Reply {
        status,
        request_id,
        receipt_id,
        body,
    })
}

/// A streamed answer while it comes.
pub struct Events {
    response: reqwest::Response,
    decoder: SseDecoder,
    waiting: Vec<SseEvent>,
}

/// What a streamed answer was.
#[derive(Debug, Default)]
pub struct Streamed {
    /// Text of all pieces.
    pub text: String,
    /// Number of pieces with text.
    pub pieces: usize,
    /// When the first piece came.
    pub first: Option<Instant>,
    /// When the last piece came.
    pub last: Option<Instant>,
    /// Finish reason, when one came.
    pub finish_reason: Option<String>,
    /// Usage, when it came.
    pub usage: Option<Value>,
    /// Receipt named at the end.
    pub receipt_id: Option<String>,
    /// An error in the middle of the stream.
    pub error: Option<Value>,
    /// Whether the end mark came.
    pub done: bool,
}

impl Events {
    /// HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// `x-cocoon-request-id`.
    pub fn request_id(&self) -> Option<String> {
        let value = self.response.headers().get("x-cocoon-request-id")?;
        value.to_str().ok().map(str::to_owned)
    }

    /// The next event; `None` when the connection ends, in whatever way.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if !self.waiting.is_empty() {
                return Some(self.waiting.remove(0));
            }
            let bytes = self.response.chunk().await.ok()??;
            self.waiting = self.decoder.push(&bytes).ok()?;
        }
    }

    /// Reads up to the piece number `pieces`.
    pub async fn pieces(&mut self, pieces: usize) -> Streamed {
        let mut seen = Streamed::default();
        while seen.pieces < pieces {
            let Some(event) = self.next().await else { break };
            seen.take(event);
        }
        seen
    }

    /// Reads to the end.
    pub async fn rest(&mut self) -> Streamed {
        let mut seen = Streamed::default();
        while let Some(event) = self.next().await {
            seen.take(event);
        }
        seen
    }
}

impl Streamed {
    fn take(&mut self, event: SseEvent) {
        let data = match event {
            SseEvent::Comment(comment) => {
                if let Some(id) = comment.trim().strip_prefix("cocoon-receipt-id ") {
                    self.receipt_id = Some(id.trim().to_owned());
                }
                return;
            }
            SseEvent::Data(data) if data == DONE => {
                self.done = true;
                return;
            }
            SseEvent::Data(data) => data,
        };
        let chunk: Value = serde_json::from_str(&data).unwrap_or(Value::Null);
        if !chunk["error"].is_null() {
            self.error = Some(chunk["error"].clone());
        }
        if !chunk["usage"].is_null() {
            self.usage = Some(chunk["usage"].clone());
        }
        let choice = &chunk["choices"][0];
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish_reason = Some(reason.to_owned());
        }
        if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
            let now = Instant::now();
            self.first.get_or_insert(now);
            self.last = Some(now);
            self.pieces += 1;
            self.text.push_str(text);
        }
    }
}
