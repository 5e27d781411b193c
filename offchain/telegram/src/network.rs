//! The client that is asked: its models, the network's terms, answers as they come, receipts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::sse::{DONE, SseDecoder, SseEvent};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::chats::Said;
use crate::config::{BotConfig, Token};
use crate::error::TelegramError;
use crate::limits::{ANSWER_SILENCE, CALL_TIMEOUT, MAX_CLIENT_BYTES, REQUEST_OVERHEAD_BYTES, TERMS_KEPT};
use crate::web::{Web, WebFailure};

/// What a request costs, by the root contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Nanoton for one adjusted token.
    pub(crate) price: u64,
    /// The largest weight of a token, in ten thousandths; at least 10000.
    weight: u64,
}

impl Terms {
    /// What a request may cost at most, in nanoton: never less than the proxy reserves for it. `None` if that is no number.
    pub(crate) fn worst_case(self, max_tokens: u32, body_bytes: usize, max_coefficient: u32) -> Option<u64> {
        let bytes = u64::try_from(body_bytes).ok()?.checked_add(REQUEST_OVERHEAD_BYTES)?;
        let tokens = u128::from(bytes.checked_add(max_tokens.into())?)
            .checked_mul(max_coefficient.into())?
            .checked_mul(self.weight.into())?
            // Thousandths and ten thousandths.
            .div_ceil(1000 * 10_000);
        u64::try_from(tokens.checked_mul(self.price.into())?).ok()
    }

    fn read(statistics: &Value) -> Option<Self> {
        let root = &statistics["root_contract_config"];
        let classes = ["prompt", "cached", "completion", "reasoning"];
        let weights = classes.map(|class| root[format!("{class}_tokens_price_multiplier")].as_u64());
        let largest = weights.into_iter().collect::<Option<Vec<u64>>>()?.into_iter().max()?;
        let price = root["price_per_token"].as_u64()?;
        Some(Self {
            price,
            weight: largest.max(10_000),
        })
    }
}

/// How an answer ended.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) request: Option<String>,
    pub(crate) receipt: Option<String>,
    /// Nanoton, as its usage says.
    pub(crate) cost: Option<u64>,
    /// Whether it was cut at the most tokens.
    pub(crate) is_cut: bool,
}

/// Why there is no answer, or not the whole of one.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    /// For the person who asked. Nothing of the request is in it.
    pub(crate) why: &'static str,
    /// Whether it may have cost something: then this names the request, if it has a name.
    pub(crate) may_cost: Option<Option<String>>,
    /// Whether nothing of an answer had begun: then only a receipt says that it cost something.
    pub(crate) is_refused: bool,
}

/// The client.
#[derive(Debug)]
pub(crate) struct Network {
    web: Web,
    url: String,
    key: Option<Token>,
    terms: Mutex<Option<(Instant, Terms)>>,
}

impl Network {
    pub(crate) fn new(web: Web, config: &BotConfig) -> Result<Self, TelegramError> {
        let key = config.client_key_file.as_deref().map(Token::load_key).transpose()?;
        let url = config.client_url.trim_end_matches('/').to_owned();
        Ok(Self {
            web,
            url,
            key,
            terms: Mutex::default(),
        })
    }

    /// The terms as they are now, or were a moment ago; nothing while the client does not tell.
    pub(crate) async fn terms(&self) -> Option<Terms> {
        let kept = *self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, terms)) = kept
            && at.elapsed() < TERMS_KEPT
        {
            return Some(terms);
        }
        let terms = Terms::read(&self.get("/jsonstats").await.ok()??)?;
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), terms));
        Some(terms)
    }

    /// The names of the models.
    pub(crate) async fn models(&self) -> Option<Vec<String>> {
        let list = self.get("/v1/models").await.ok()??;
        let names = list["data"].as_array()?.iter();
        Some(
            names
                .filter_map(|model| model["id"].as_str().map(str::to_owned))
                .collect(),
        )
    }

    /// The page of a receipt, by its name or its request's; `None` if there is none.
    pub(crate) async fn receipt(&self, id: &str) -> Result<Option<Value>, WebFailure> {
        self.get(&format!("/v1/cocoon/receipts/{id}")).await
    }

    async fn get(&self, path: &str) -> Result<Option<Value>, WebFailure> {
        let url = format!("{}{path}", self.url);
        let sent = self
            .web
            .send(Method::GET, &url, self.bearer(), Bytes::new(), CALL_TIMEOUT);
        let mut answer = sent.await?;
        let body = answer.whole(MAX_CLIENT_BYTES, CALL_TIMEOUT).await?;
        match answer.status {
            StatusCode::OK => Ok(serde_json::from_slice(&body).ok()),
            _ => Ok(None),
        }
    }

    fn bearer(&self) -> Option<&str> {
        self.key.as_ref().map(Token::reveal)
    }

    /// Asks, and gives each piece of text away as it comes.
    pub(crate) async fn ask(&self, body: Bytes, pieces: UnboundedSender<String>) -> Result<Told, NoAnswer> {
        let url = format!("{}/v1/chat/completions", self.url);
        let sent = self
            .web
            .send(Method::POST, &url, self.bearer(), body, ANSWER_SILENCE)
            .await;
        let mut answer = sent.map_err(|failure| NoAnswer {
            why: "The client of the network cannot be reached. Try again later.",
            // It may have been sent and be running.
            may_cost: (!matches!(failure, WebFailure::Unreachable(_))).then_some(None),
            is_refused: false,
        })?;
        let mut told = Told {
            request: header(&answer.headers, "x-cocoon-request-id"),
            receipt: header(&answer.headers, "x-cocoon-receipt-id"),
            ..Told::default()
        };
        if answer.status != StatusCode::OK {
            return Err(NoAnswer {
                why: refusal(answer.status),
                may_cost: told.request.map(Some),
                is_refused: true,
            });
        }
        let mut decoder = SseDecoder::with_comments();
        let mut is_whole = false;
        while let Ok(Some(bytes)) = answer.piece(ANSWER_SILENCE).await {
            let Ok(events) = decoder.push(&bytes) else { break };
            for event in events {
                match event {
                    SseEvent::Comment(comment) => {
                        if let Some(id) = comment.trim().strip_prefix("cocoon-receipt-id ") {
                            told.receipt = Some(id.trim().to_owned());
                        }
                    }
                    SseEvent::Data(data) if data == DONE => is_whole = true,
                    SseEvent::Data(data) => {
                        let chunk: Value = serde_json::from_str(&data).unwrap_or_default();
                        if !chunk["error"].is_null() {
                            return Err(cut_off(told));
                        }
                        take(&chunk, &mut told, &pieces);
                    }
                }
            }
        }
        match is_whole {
            true => Ok(told),
            false => Err(cut_off(told)),
        }
    }
}

/// The request for a conversation.
pub(crate) fn body(config: &BotConfig, model: &str, messages: &[Said]) -> Bytes {
    let body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_completion_tokens": config.max_answer_tokens,
        "max_coefficient": config.max_coefficient,
    });
    body.to_string().into()
}

fn take(chunk: &Value, told: &mut Told, pieces: &UnboundedSender<String>) {
    if let Some(cost) = chunk["usage"]["total_cost"].as_u64() {
        told.cost = Some(cost);
    }
    let choice = &chunk["choices"][0];
    told.is_cut |= choice["finish_reason"] == "length";
    if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
        // Who no longer listens has given the answer up.
        let _ = pieces.send(text.to_owned());
    }
}

fn cut_off(told: Told) -> NoAnswer {
    NoAnswer {
        why: "The answer was cut off.",
        may_cost: Some(told.receipt.or(told.request)),
        is_refused: false,
    }
}

fn refusal(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "The client of the network does not let this bot ask.",
        402 => "This bot has no coins left in the network. Its operator must pay in.",
        404 => "No worker serves this model now. /model lists those that are served.",
        413 => "That is too long.",
        429 => "The network is busy. Try again in a moment.",
        400 => "The network cannot answer this. It may be too long for the model: /new begins anew.",
        503 => "No worker is free now. Try again in a moment.",
        _ => "The network could not answer. Try again later.",
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// How long the client waits for a receipt that is still to come; a look at it may take as long.
pub(crate) const RECEIPT_PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(price: u64, prompt: u64, completion: u64) -> Value {
        json!({ "root_contract_config": {
            "price_per_token": price, "prompt_tokens_price_multiplier": prompt, "cached_tokens_price_multiplier": 1000,
            "completion_tokens_price_multiplier": completion, "reasoning_tokens_price_multiplier": 10000,
        } })
    }

    #[test]
    fn the_worst_case_is_that_of_the_proxy_or_more() {
        let terms = Terms::read(&statistics(20, 10_000, 80_000)).unwrap();
        // 8 times (1000 + 500 + the overhead), 4 times the price.
        let tokens = (1000 + 500 + REQUEST_OVERHEAD_BYTES) * 4 * 8;
        assert_eq!(terms.worst_case(1000, 500, 4000), Some(tokens * 20));
        let light = Terms::read(&statistics(20, 1, 1)).unwrap();
        assert_eq!(
            light.worst_case(0, 0, 1000),
            Some(REQUEST_OVERHEAD_BYTES * 20),
            "a token weighs one at least"
        );
        let absurd = Terms::read(&statistics(u64::MAX, 10_000, 10_000)).unwrap();
        assert_eq!(absurd.worst_case(1000, 500, 4000), None);
        assert_eq!(Terms::read(&json!({})), None);
    }
}
