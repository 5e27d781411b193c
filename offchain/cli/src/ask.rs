//! A small OpenAI client for the terminal: one streamed question at a time.

use std::time::{Duration, Instant};

use cocoon_openai::sse::{DONE, SseDecoder, SseEvent};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api_key::{self, ApiKey};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// How long the client may take to accept a connection: it is on this machine or near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may list no model: connecting to a proxy and proving a contract takes it some seconds.
const FIRST_MODEL_WAIT: Duration = Duration::from_secs(20);

/// Between two looks at the list.
const FIRST_MODEL_POLL: Duration = Duration::from_millis(250);

const NOT_REACHED: &str = "is the network running? start it with `cocoon up`";

/// A message of a conversation.
#[derive(Clone, Serialize)]
pub struct Message {
    role: &'static str,
    content: String,
}

impl Message {
    /// What the person says.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: "user",
            content: content.into(),
        }
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self {
            role: "assistant",
            content: content.into(),
        }
    }
}

/// An answer that has ended.
#[derive(Clone, Serialize)]
pub struct Answer {
    /// Its text.
    pub answer: String,
    /// Why it ended.
    pub finish_reason: Option<String>,
    /// The model that gave it.
    pub model: String,
    /// Id of the request.
    pub request_id: Option<String>,
    /// Id of its receipt.
    pub receipt_id: Option<String>,
    /// Raw token counts as the engine reports them.
    pub usage: Option<Value>,
    /// Time to the first piece of text, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// Time to the end, in milliseconds.
    pub total_ms: u64,
}

/// Asks one client runner.
pub struct Asker {
    http: reqwest::Client,
    url: String,
    model: String,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
}

impl Asker {
    /// Asks the client at `url`, with a key if it wants one.
    pub(crate) fn new(
        url: String,
        key: Option<&ApiKey>,
        max_tokens: Option<u32>,
        temperature: Option<f64>,
    ) -> Result<Self, Failure> {
        let headers = key.map(|key| (AUTHORIZATION, key.header()));
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter(headers))
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .build()
            .or_fail(
                Exit::Defect,
                "cannot make an HTTP client",
                "the system is short of a resource",
            )?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            url,
            model: String::new(),
            max_tokens,
            temperature,
        })
    }

    /// Names the model.
    pub fn use_model(&mut self, model: String) {
        self.model = model;
    }

    /// Takes the first model that the client lists. A client that has just started lists none until it has a proxy with a
    /// worker: it is asked again for a while.
    pub(crate) async fn use_first_model(&mut self, output: Output) -> Result<(), Failure> {
        let start = Instant::now();
        let mut is_told = false;
        loop {
            if let Some(model) = self.first_model().await? {
                self.model = model;
                return Ok(());
            }
            if start.elapsed() > FIRST_MODEL_WAIT {
                return Err(Failure::new(
                    Exit::Peer,
                    anyhow::anyhow!("the client lists no model"),
                    "no worker is connected yet; try again, or name a model with --model",
                ));
            }
            if !std::mem::replace(&mut is_told, true) {
                output.note("The client lists no model yet; waiting for a worker.");
            }
            tokio::time::sleep(FIRST_MODEL_POLL).await;
        }
    }

    async fn first_model(&self) -> Result<Option<String>, Failure> {
        let url = format!("{}/v1/models", self.url);
        let response = self
            .http
            .get(&url)
            .send()
            .await
            .or_fail(Exit::Peer, &self.unreachable(), NOT_REACHED)?;
        if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(refusal(response).await);
        }
        let list: Value = response.json().await.or_fail(
            Exit::Peer,
            "the client's list of models is not JSON",
            "is this the URL of a Cocoon client?",
        )?;
        Ok(list["data"][0]["id"].as_str().map(str::to_owned))
    }

    /// Asks, giving each piece of text to `on_text` as it comes.
    pub async fn ask(
        &self,
        messages: &[Message],
        mut on_text: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> Result<Answer, Failure> {
        let start = Instant::now();
        let mut response = self.send(messages).await?;
        let request_id = header(&response, "x-cocoon-request-id");
        let mut answer = Answer {
            answer: String::new(),
            finish_reason: None,
            model: self.model.clone(),
            request_id,
            receipt_id: header(&response, "x-cocoon-receipt-id"),
            usage: None,
            first_token_ms: None,
            total_ms: 0,
        };
        let mut decoder = SseDecoder::with_comments();
        while let Some(bytes) = response.chunk().await.or_fail(
            Exit::Peer,
            "the answer was cut off",
            "the worker or the proxy was lost; ask again",
        )? {
            let events = decoder.push(&bytes).or_fail(
                Exit::Peer,
                "the answer is not a stream of events",
                "is this the URL of a Cocoon client?",
            )?;
            for event in events {
                take(&mut answer, event, start, &mut on_text)?;
            }
        }
        answer.total_ms = elapsed(start);
        Ok(answer)
    }

    async fn send(&self, messages: &[Message]) -> Result<reqwest::Response, Failure> {
        let mut body = json!({
            "model": self.model,
            "messages": messages,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        if let Some(max_tokens) = self.max_tokens {
            body["max_completion_tokens"] = max_tokens.into();
        }
        if let Some(temperature) = self.temperature {
            body["temperature"] = temperature.into();
        }
        self.post("/v1/chat/completions", &body).await
    }

    /// Asks for a firm quote for the model; `wish` says what else.
    pub async fn quote(&self, mut wish: Value) -> Result<Value, Failure> {
        wish["model"] = self.model.as_str().into();
        let response = self.post("/v1/cocoon/quote", &wish).await?;
        response.json().await.or_fail(
            Exit::Peer,
            "the client's quote is not JSON",
            "is this the URL of a Cocoon client?",
        )
    }

    async fn post(&self, path: &str, body: &Value) -> Result<reqwest::Response, Failure> {
        let url = format!("{}{path}", self.url);
        let sent = self.http.post(&url).json(body).send().await;
        let response = sent.or_fail(Exit::Peer, &self.unreachable(), NOT_REACHED)?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    fn unreachable(&self) -> String {
        format!("cannot reach the client at {}", self.url)
    }
}

fn take(
    answer: &mut Answer,
    event: SseEvent,
    start: Instant,
    on_text: &mut impl FnMut(&str) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    let data = match event {
        SseEvent::Comment(comment) => {
            if let Some(id) = comment.trim().strip_prefix("cocoon-receipt-id ") {
                answer.receipt_id = Some(id.trim().to_owned());
            }
            return Ok(());
        }
        SseEvent::Data(data) if data == DONE => return Ok(()),
        SseEvent::Data(data) => data,
    };
    let chunk: Value = serde_json::from_str(&data).or_fail(
        Exit::Peer,
        "a piece of the answer is not JSON",
        "is this the URL of a Cocoon client?",
    )?;
    if !chunk["error"].is_null() {
        return Err(refused("in the middle of the answer", &chunk["error"]));
    }
    if !chunk["usage"].is_null() {
        answer.usage = Some(chunk["usage"].clone());
    }
    let choice = &chunk["choices"][0];
    if let Some(reason) = choice["finish_reason"].as_str() {
        answer.finish_reason = Some(reason.to_owned());
    }
    if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
        answer.first_token_ms.get_or_insert_with(|| elapsed(start));
        answer.answer.push_str(text);
        on_text(text)?;
    }
    Ok(())
}

/// What a client says that does not do what it was asked.
async fn refusal(response: reqwest::Response) -> Failure {
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED => api_key::unauthorized(body["error"]["message"].as_str()),
        _ => refused(&format!("status {status}"), &body["error"]),
    }
}

fn refused(place: &str, error: &Value) -> Failure {
    let message = error["message"].as_str().unwrap_or("no reason given");
    let hint = match error["code"].as_str() {
        Some("model_not_found") => {
            "GET /v1/models of the client lists what is served; without --model the first of them is asked".to_owned()
        }
        Some("no_worker_available") => {
            "ask again later; a quote may also ask for less: fewer --max-tokens, a higher --max-coefficient".to_owned()
        }
        Some(code) => format!("the client's error code is {code}"),
        None => "see the log of the client".to_owned(),
    };
    Failure::new(
        Exit::Peer,
        anyhow::anyhow!("the network refused ({place}): {message}"),
        hint,
    )
}

fn header(response: &reqwest::Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn elapsed(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
