//! What answers: the engine of this program, or a server beside it.

mod constraint;
mod embeddings;
mod local;
mod prepare;
mod replay;
mod tools;
mod upstream;
mod writer;

pub(crate) use embeddings::Embeddings;
pub(crate) use local::Local;
pub(crate) use replay::Recorded;
pub(crate) use upstream::Upstream;

use crate::answering::Answering;
use bytes::Bytes;
use cocoon_engine::{EngineLoad, Payer, PayerSalt};
use cocoon_openai::{ApiError, Request};
use cocoon_protocol::context::ContextLength;
use cocoon_protocol::http::{Header, Response};
use cocoon_receipt::FinishReason;
use cocoon_runner::link::LinkError;
use tokio::time::Instant;

/// A checked request.
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// As the client sent them.
    pub(crate) headers: Vec<Header>,
    /// When the proxy waits no more.
    pub(crate) deadline: Instant,
    /// Who pays, as far as the proxy tells.
    pub(crate) payer: Option<KnownPayer>,
}

/// A payer in the engine's words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownPayer {
    /// Whose share of the engine a request takes.
    pub(crate) payer: Payer,
    /// Under which secret the prefix cache shares what its requests compute.
    pub(crate) salt: PayerSalt,
}

/// Why an answer does not come to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The request is at fault, or has to wait.
    Refused(ApiError),
    /// The backend is at fault.
    Failed(String),
    /// The time is over.
    Timeout,
    /// The proxy wants no more.
    Cancelled,
    /// The connection is gone.
    Link(#[expect(dead_code, reason = "shown by Debug")] LinkError),
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<LinkError> for Trouble {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

/// One of them.
pub(crate) enum Backend {
    /// The engine of this program, with a model that writes texts.
    Local(Local),
    /// The engine of this program, with a model that makes vectors.
    Embeddings(Embeddings),
    /// A server beside it.
    Upstream(Upstream),
}

impl Backend {
    /// Sends head and body; gives the last piece and why the answer ended. Dropping the future stops the work.
    pub(crate) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        match self {
            Self::Local(local) => local.answer(asked, out).await,
            Self::Embeddings(embeddings) => embeddings.answer(asked, out).await,
            Self::Upstream(upstream) => upstream.answer(asked, out).await,
        }
    }

    /// Whether it can answer now.
    pub(crate) async fn is_healthy(&self) -> bool {
        match self {
            Self::Local(local) => local.is_healthy(),
            Self::Embeddings(embeddings) => embeddings.is_healthy(),
            Self::Upstream(upstream) => upstream.is_healthy().await,
        }
    }

    /// How busy the engine is; a server beside it tells that itself.
    pub(crate) fn load(&self) -> Option<EngineLoad> {
        match self {
            Self::Local(local) => Some(local.load()),
            Self::Embeddings(embeddings) => Some(embeddings.load()),
            Self::Upstream(_) => None,
        }
    }

    /// What its model takes; a server beside it is not asked.
    pub(crate) fn context(&self) -> Option<ContextLength> {
        let card = match self {
            Self::Local(local) => local.engine().card(),
            Self::Embeddings(embeddings) => embeddings.card(),
            Self::Upstream(_) => return None,
        };
        ContextLength::at_most(card.max_model_len)
    }

    /// For statistics.
    pub(crate) fn describe(&self) -> serde_json::Value {
        match self {
            Self::Local(local) => local.describe(),
            Self::Embeddings(embeddings) => embeddings.describe(),
            Self::Upstream(_) => serde_json::json!({ "kind": "upstream" }),
        }
    }
}

/// The head of a good answer. `Transfer-Encoding` is for deployed clients, which frame the body by it.
fn ok_head(content_type: &str, started: f64) -> Response {
    let header = |name: &str, value: &str| Header {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let headers = vec![
        header("Content-Type", content_type),
        header("X-Cocoon-Worker-Start", &format!("{started:.6}")),
        header("Transfer-Encoding", "chunked"),
    ];
    Response::new(200, "OK", headers)
}
