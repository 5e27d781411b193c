//! One view of both families of answer messages: what arrives in either is an [`Answer`], and an [`Answer`] is sent in
//! the family that the peer's version wants.

use bytes::Bytes;

use crate::client::{self, Debug, QueryFinalInfo as ClientFinal, Times};
use crate::message::{ProxyToClient, WorkerPacket};
use crate::proxy::{self, QueryFinalInfo as WorkerFinal, Span, TokensUsed};
use crate::version::Version;

/// One message of the answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whose answer it is.
    pub request_id: [u8; 32],
    /// What it brings.
    pub body: AnswerBody,
    /// Present on the last message of an answer. A refusal is always the last.
    pub final_info: Option<FinalInfo>,
}

/// What one message of an answer brings.
#[derive(Clone, PartialEq, Eq)]
pub enum AnswerBody {
    /// A serialised `http.response`.
    Head(Bytes),
    /// Body bytes, to be passed on unchanged.
    Part(Bytes),
    /// The end of the request without success.
    Error {
        /// See [`crate::error_code::ErrorCode`].
        code: i32,
        /// Free text.
        message: String,
        /// The head had been sent before: chooses between the two old messages.
        after_head: bool,
    },
}

/// What the last message of an answer adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FinalInfo {
    /// Adjusted tokens.
    pub tokens: TokensUsed,
    /// Debug record of the worker, when asked for.
    pub worker_debug: Option<String>,
    /// Debug record of the proxy, when asked for.
    pub proxy_debug: Option<String>,
    /// The proxy's times.
    pub proxy_times: Option<Span>,
    /// The worker's times.
    pub worker_times: Option<Span>,
}

impl Answer {
    /// A refusal or failure.
    pub fn error(request_id: [u8; 32], code: i32, message: impl Into<String>, after_head: bool) -> Self {
        let body = AnswerBody::Error {
            code,
            message: message.into(),
            after_head,
        };
        Self {
            request_id,
            body,
            final_info: None,
        }
    }

    /// Nothing of this answer follows.
    pub fn is_last(&self) -> bool {
        self.final_info.is_some() || matches!(self.body, AnswerBody::Error { .. })
    }

    /// What a proxy's message means, if it is part of an answer; anything else is given back.
    pub fn from_proxy(packet: ProxyToClient) -> Result<Self, Box<ProxyToClient>> {
        Ok(match packet {
            ProxyToClient::Answer(m) => head(m.request_id, m.answer, completed(m.is_completed, m.tokens_used)),
            ProxyToClient::Part(m) => part(m.request_id, m.answer, completed(m.is_completed, m.tokens_used)),
            ProxyToClient::AnswerError(m) => failed(m.request_id, m.error_code, m.error, false, m.tokens_used),
            ProxyToClient::PartError(m) => failed(m.request_id, m.error_code, m.error, true, m.tokens_used),
            ProxyToClient::AnswerEx(m) => head(m.request_id, m.answer, m.final_info.map(Into::into)),
            ProxyToClient::PartEx(m) => part(m.request_id, m.answer, m.final_info.map(Into::into)),
            ProxyToClient::ErrorEx(m) => Self {
                final_info: m.final_info.map(Into::into),
                ..Self::error(m.request_id, m.error_code, m.error, false)
            },
            other => return Err(Box::new(other)),
        })
    }

    /// What a worker's message means, if it is part of an answer; anything else is given back.
    pub fn from_worker(packet: WorkerPacket) -> Result<Self, Box<WorkerPacket>> {
        Ok(match packet {
            WorkerPacket::Answer(m) => head(m.request_id, m.answer, completed(m.is_completed, m.tokens_used)),
            WorkerPacket::Part(m) => part(m.request_id, m.answer, completed(m.is_completed, m.tokens_used)),
            WorkerPacket::AnswerError(m) => failed(m.request_id, m.error_code, m.error, false, m.tokens_used),
            WorkerPacket::PartError(m) => failed(m.request_id, m.error_code, m.error, true, m.tokens_used),
            WorkerPacket::AnswerEx(m) => head(m.request_id, m.answer, m.final_info.map(Into::into)),
            WorkerPacket::PartEx(m) => part(m.request_id, m.answer, m.final_info.map(Into::into)),
            WorkerPacket::ErrorEx(m) => Self {
                final_info: m.final_info.map(Into::into),
                ..Self::error(m.request_id, m.error_code, m.error, false)
            },
            other => return Err(Box::new(other)),
        })
    }

    /// The message for a client of this version.
    pub fn to_client(&self, version: Version) -> ProxyToClient {
        let request_id = self.request_id;
        if version.has_ex_answers() {
            let final_info = self.final_info.as_ref().map(|info| info.to_client(version));
            return match &self.body {
                AnswerBody::Head(b) => client::QueryAnswerEx {
                    request_id,
                    answer: b.clone(),
                    flags: (),
                    final_info,
                }
                .into(),
                AnswerBody::Part(b) => client::QueryAnswerPartEx {
                    request_id,
                    answer: b.clone(),
                    flags: (),
                    final_info,
                }
                .into(),
                AnswerBody::Error { code, message, .. } => client::QueryAnswerErrorEx {
                    request_id,
                    error_code: *code,
                    error: message.clone(),
                    flags: (),
                    // A deployed client looks into the totals of every end, and dies where there are none.
                    final_info: final_info
                        .or_else(|| (!version.has_extensions()).then(|| FinalInfo::default().to_client(version))),
                }
                .into(),
            };
        }
        let (is_completed, tokens_used) = self.old_final();
        match &self.body {
            AnswerBody::Head(b) => client::QueryAnswer {
                answer: b.clone(),
                is_completed,
                request_id,
                tokens_used,
            }
            .into(),
            AnswerBody::Part(b) => client::QueryAnswerPart {
                answer: b.clone(),
                is_completed,
                request_id,
                tokens_used,
            }
            .into(),
            AnswerBody::Error {
                code,
                message,
                after_head: false,
            } => client::QueryAnswerError {
                error_code: *code,
                error: message.clone(),
                request_id,
                tokens_used,
            }
            .into(),
            AnswerBody::Error {
                code,
                message,
                after_head: true,
            } => client::QueryAnswerPartError {
                error_code: *code,
                error: message.clone(),
                request_id,
                tokens_used,
            }
            .into(),
        }
    }

    /// The message of a worker on a connection of this version.
    pub fn to_proxy(&self, version: Version) -> WorkerPacket {
        let request_id = self.request_id;
        if version.has_ex_answers() {
            let final_info = self.final_info.as_ref().map(|info| info.to_proxy(version));
            return match &self.body {
                AnswerBody::Head(b) => proxy::QueryAnswerEx {
                    request_id,
                    answer: b.clone(),
                    flags: (),
                    final_info,
                }
                .into(),
                AnswerBody::Part(b) => proxy::QueryAnswerPartEx {
                    request_id,
                    answer: b.clone(),
                    flags: (),
                    final_info,
                }
                .into(),
                AnswerBody::Error { code, message, .. } => proxy::QueryAnswerErrorEx {
                    request_id,
                    error_code: *code,
                    error: message.clone(),
                    flags: (),
                    final_info,
                }
                .into(),
            };
        }
        let (is_completed, tokens_used) = self.old_final();
        match &self.body {
            AnswerBody::Head(b) => proxy::QueryAnswer {
                answer: b.clone(),
                is_completed,
                request_id,
                tokens_used,
            }
            .into(),
            AnswerBody::Part(b) => proxy::QueryAnswerPart {
                answer: b.clone(),
                is_completed,
                request_id,
                tokens_used,
            }
            .into(),
            AnswerBody::Error {
                code,
                message,
                after_head: false,
            } => proxy::QueryAnswerError {
                error_code: *code,
                error: message.clone(),
                request_id,
                tokens_used,
            }
            .into(),
            AnswerBody::Error {
                code,
                message,
                after_head: true,
            } => proxy::QueryAnswerPartError {
                error_code: *code,
                error: message.clone(),
                request_id,
                tokens_used,
            }
            .into(),
        }
    }

    fn old_final(&self) -> (bool, TokensUsed) {
        (
            self.is_last(),
            self.final_info.as_ref().map(|info| info.tokens).unwrap_or_default(),
        )
    }
}

impl FinalInfo {
    fn to_client(&self, version: Version) -> ClientFinal {
        let debug = (self.worker_debug.is_some() || self.proxy_debug.is_some()).then(|| Debug {
            worker: self.worker_debug.clone().unwrap_or_default(),
            proxy: self.proxy_debug.clone().unwrap_or_default(),
        });
        let times = version.has_times().then(|| Times {
            proxy: self.proxy_times.unwrap_or_default(),
            worker: self.worker_times.unwrap_or_default(),
        });
        ClientFinal {
            flags: (),
            tokens_used: self.tokens,
            debug,
            times,
        }
    }

    fn to_proxy(&self, version: Version) -> WorkerFinal {
        let worker_times = version.has_times().then(|| self.worker_times.unwrap_or_default());
        WorkerFinal {
            flags: (),
            tokens_used: self.tokens,
            worker_debug: self.worker_debug.clone(),
            worker_times,
        }
    }
}

impl From<ClientFinal> for FinalInfo {
    fn from(info: ClientFinal) -> Self {
        let (worker_debug, proxy_debug) = info.debug.map(|d| (d.worker, d.proxy)).unzip();
        let (proxy_times, worker_times) = info.times.map(|t| (t.proxy, t.worker)).unzip();
        Self {
            tokens: info.tokens_used,
            worker_debug,
            proxy_debug,
            proxy_times,
            worker_times,
        }
    }
}

impl From<WorkerFinal> for FinalInfo {
    fn from(info: WorkerFinal) -> Self {
        Self {
            tokens: info.tokens_used,
            worker_debug: info.worker_debug,
            worker_times: info.worker_times,
            ..Self::default()
        }
    }
}

fn completed(is_completed: bool, tokens: TokensUsed) -> Option<FinalInfo> {
    is_completed.then(|| FinalInfo {
        tokens,
        ..FinalInfo::default()
    })
}

fn head(request_id: [u8; 32], bytes: Bytes, final_info: Option<FinalInfo>) -> Answer {
    Answer {
        request_id,
        body: AnswerBody::Head(bytes),
        final_info,
    }
}

fn part(request_id: [u8; 32], bytes: Bytes, final_info: Option<FinalInfo>) -> Answer {
    Answer {
        request_id,
        body: AnswerBody::Part(bytes),
        final_info,
    }
}

fn failed(request_id: [u8; 32], code: i32, message: String, after_head: bool, tokens: TokensUsed) -> Answer {
    let final_info = Some(FinalInfo {
        tokens,
        ..FinalInfo::default()
    });
    Answer {
        request_id,
        body: AnswerBody::Error {
            code,
            message,
            after_head,
        },
        final_info,
    }
}

/// Shows sizes only: bodies are users' content.
impl std::fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head(b) => write!(f, "Head({} bytes)", b.len()),
            Self::Part(b) => write!(f, "Part({} bytes)", b.len()),
            Self::Error { code, message, .. } => write!(f, "Error({code} {message})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_totals_for_every_deployed_client() {
        let refusal = Answer::error([1; 32], 621, "unknown model", false);
        for version in [Version::V0, Version::V1, Version::V2, Version::V3, Version::V4] {
            let read = Answer::from_proxy(refusal.to_client(version)).unwrap();
            assert_eq!(read.body, refusal.body);
            assert_eq!(read.final_info.is_some(), !version.has_extensions(), "{version:?}");
            assert_eq!(read.final_info.unwrap_or_default().tokens, TokensUsed::default());
        }
    }
}
