//! The answer to one request on its way to the proxy: head, parts, progress, report, end.

use crate::limits::PROGRESS_PAUSE;
use bytes::Bytes;
use cocoon_bindings::Multipliers;
use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::units::{Coefficient, Nanoton};
use cocoon_ledger::pricing;
use cocoon_openai::Usage;
use cocoon_openai::usage::RawCounts;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::error_code::ErrorCode;
use cocoon_protocol::extension::{self, WorkProgress, WorkReport};
use cocoon_protocol::http::Response;
use cocoon_protocol::limits::MAX_PART_BYTES;
use cocoon_protocol::message::WorkerPacket;
use cocoon_protocol::proxy::{self, Span};
use cocoon_protocol::version::Version;
use cocoon_ratls::SharedClock;
use cocoon_receipt::{FinishReason, SaltedHasher, salted_hash};
use cocoon_runner::link::{LinkError, LinkHandle};
use tokio::time::Instant;

/// What the work is about and how it is priced.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) request_id: [u8; 32],
    pub(crate) coefficient: Coefficient,
    pub(crate) multipliers: Multipliers,
    /// Of one adjusted token.
    pub(crate) price: Nanoton,
    pub(crate) version: Version,
}

/// What was done, as it was reported: the statement to be signed must say the same.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) terms: Terms,
    pub(crate) counts: TokenCounts,
    pub(crate) used: TokensUsed,
    pub(crate) request_hash: [u8; 32],
    pub(crate) response_hash: [u8; 32],
    pub(crate) sampling_hash: [u8; 32],
    pub(crate) seed: u64,
    pub(crate) finish: FinishReason,
    pub(crate) bytes_sent: u64,
    pub(crate) seconds: f64,
    /// Unix seconds; 0 if there was none.
    pub(crate) first_token_time: f64,
}

/// How an answer ends.
pub(crate) enum End {
    /// The last piece of the body.
    Complete(Bytes),
    /// Without success.
    Error(ErrorCode, String),
}

/// Sends one answer and keeps the books of it.
pub(crate) struct Answering {
    link: LinkHandle,
    terms: Terms,
    clock: SharedClock,
    started: f64,
    begun: Instant,
    request_salt: [u8; 32],
    request_hash: [u8; 32],
    response_salt: [u8; 32],
    response: SaltedHasher,
    head_sent: bool,
    counts: TokenCounts,
    told: TokenCounts,
    told_at: Option<Instant>,
    first_token_time: f64,
    sampling_hash: [u8; 32],
    seed: u64,
    bytes_sent: u64,
}

impl Answering {
    /// `query` is the boxed `http.request` as it came; `salts` are 64 random bytes.
    pub(crate) fn new(link: LinkHandle, clock: SharedClock, terms: Terms, query: &[u8], salts: [[u8; 32]; 2]) -> Self {
        let [request_salt, response_salt] = salts;
        Self {
            link,
            terms,
            started: clock.now_f64(),
            clock,
            begun: Instant::now(),
            request_salt,
            request_hash: salted_hash(&request_salt, query).0,
            response_salt,
            response: SaltedHasher::new(&response_salt),
            head_sent: false,
            counts: TokenCounts::default(),
            told: TokenCounts::default(),
            told_at: None,
            first_token_time: 0.0,
            sampling_hash: [0; 32],
            seed: 0,
            bytes_sent: 0,
        }
    }

    /// Unix seconds now.
    pub(crate) fn now(&self) -> f64 {
        self.clock.now_f64()
    }

    /// Unix seconds when the work began.
    pub(crate) fn started(&self) -> f64 {
        self.started
    }

    /// Whether an HTTP status has left.
    pub(crate) fn head_sent(&self) -> bool {
        self.head_sent
    }

    /// Tells how tokens are chosen.
    pub(crate) fn set_sampling(&mut self, hash: [u8; 32], seed: u64) {
        self.sampling_hash = hash;
        self.seed = seed;
    }

    /// Tells how many tokens the answer has used with what is sent next.
    pub(crate) fn count(&mut self, counts: TokenCounts) {
        self.counts = counts;
        if self.counts.completion > 0 && self.first_token_time == 0.0 {
            self.first_token_time = self.clock.now_f64();
        }
    }

    /// What has been counted, as the answer's `usage`, with what it costs at the contract's price.
    pub(crate) fn usage(&self) -> Usage {
        let TokenCounts {
            prompt,
            cached,
            completion,
            reasoning,
        } = self.counts;
        let usage = Usage::from_counts(RawCounts {
            prompt,
            cached,
            completion,
            reasoning,
        });
        let used = self.used();
        let cost = |tokens: u64| {
            let nanoton = u128::from(tokens).saturating_mul(self.terms.price.get());
            u64::try_from(nanoton).unwrap_or(u64::MAX)
        };
        usage.with_costs(cost(used.prompt + used.cached), cost(used.completion + used.reasoning))
    }

    fn used(&self) -> TokensUsed {
        pricing::adjust(&self.counts, self.terms.coefficient, &self.terms.multipliers)
    }

    /// Sends the head.
    pub(crate) async fn head(&mut self, response: &Response) -> Result<(), LinkError> {
        self.head_sent = true;
        self.send(AnswerBody::Head(response.encode()), None).await
    }

    /// Sends a piece of the body, and from time to time how much was delivered.
    pub(crate) async fn body(&mut self, piece: Bytes) -> Result<(), LinkError> {
        for part in split(piece) {
            self.hash(&part);
            self.send(AnswerBody::Part(part), None).await?;
        }
        let due = self.told_at.is_none_or(|told| told.elapsed() >= PROGRESS_PAUSE);
        if due && self.counts != self.told && self.terms.version.has_extensions() {
            self.told = self.counts;
            self.told_at = Some(Instant::now());
            let progress = WorkProgress {
                request_id: self.terms.request_id,
                counts: wire(self.counts),
            };
            self.link.send_packet(WorkerPacket::from(progress).encode()).await?;
        }
        Ok(())
    }

    /// Sends the report and the last message. `done` gets the books before the report leaves, so that the proxy's
    /// question for a signature always finds them.
    pub(crate) async fn finish(
        mut self,
        end: End,
        finish: FinishReason,
        done: impl FnOnce(&Done),
    ) -> Result<Done, LinkError> {
        let mut last = Bytes::new();
        let mut error = None;
        match end {
            End::Complete(piece) => {
                let mut parts = split(piece);
                last = parts.pop().unwrap_or_default();
                for part in parts {
                    self.hash(&part);
                    self.send(AnswerBody::Part(part), None).await?;
                }
                self.hash(&last);
            }
            End::Error(code, message) => error = Some((code, message)),
        }
        let books = self.books(finish);
        done(&books);
        if self.terms.version.has_extensions() {
            self.link
                .send_packet(WorkerPacket::from(self.report(&books)).encode())
                .await?;
        }
        let body = match error {
            None => AnswerBody::Part(last),
            Some((code, message)) => {
                let code = code.for_version(self.terms.version);
                AnswerBody::Error {
                    code,
                    message,
                    after_head: self.head_sent,
                }
            }
        };
        let info = FinalInfo {
            tokens: wire_used(books.used),
            worker_times: Some(Span {
                start: self.started,
                end: self.clock.now_f64(),
            }),
            ..FinalInfo::default()
        };
        self.send(body, Some(info)).await?;
        Ok(books)
    }

    fn hash(&mut self, part: &Bytes) {
        self.response.update(part);
        self.bytes_sent += part.len() as u64;
    }

    fn books(&self, finish: FinishReason) -> Done {
        Done {
            used: self.used(),
            terms: self.terms.clone(),
            counts: self.counts,
            request_hash: self.request_hash,
            response_hash: self.response.clone().finish().0,
            sampling_hash: self.sampling_hash,
            seed: self.seed,
            finish,
            bytes_sent: self.bytes_sent,
            seconds: self.begun.elapsed().as_secs_f64(),
            first_token_time: self.first_token_time,
        }
    }

    fn report(&self, done: &Done) -> WorkReport {
        WorkReport {
            request_id: self.terms.request_id,
            counts: wire(done.counts),
            request_salt: self.request_salt,
            request_hash: done.request_hash,
            response_salt: self.response_salt,
            response_hash: done.response_hash,
            sampling_hash: done.sampling_hash,
            seed: done.seed.cast_signed(),
            first_token_time: self.first_token_time,
            finish_reason: done.finish.word().to_owned(),
        }
    }

    async fn send(&self, body: AnswerBody, final_info: Option<FinalInfo>) -> Result<(), LinkError> {
        let answer = Answer {
            request_id: self.terms.request_id,
            body,
            final_info,
        };
        self.link
            .send_packet(answer.to_proxy(self.terms.version).encode())
            .await
    }
}

/// Pieces that fit a message.
fn split(mut piece: Bytes) -> Vec<Bytes> {
    let mut parts = Vec::new();
    while piece.len() > MAX_PART_BYTES {
        parts.push(piece.split_to(MAX_PART_BYTES));
    }
    if !piece.is_empty() {
        parts.push(piece);
    }
    parts
}

fn wire(counts: TokenCounts) -> extension::TokenCounts {
    extension::TokenCounts {
        prompt: counts.prompt.cast_signed(),
        cached: counts.cached.cast_signed(),
        completion: counts.completion.cast_signed(),
        reasoning: counts.reasoning.cast_signed(),
    }
}

fn wire_used(used: TokensUsed) -> proxy::TokensUsed {
    proxy::TokensUsed {
        prompt: used.prompt.cast_signed(),
        cached: used.cached.cast_signed(),
        completion: used.completion.cast_signed(),
        reasoning: used.reasoning.cast_signed(),
        total: used.total.cast_signed(),
    }
}
