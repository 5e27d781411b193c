//! The engine of this program, with a model that makes vectors, as a backend.

use super::prepare::refusal;
use super::{Asked, Trouble, ok_head};
use crate::answering::Answering;
use bytes::Bytes;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_engine::{EmbedderHandle, EmbeddingInput, EmbeddingRequest, EngineLoad, ModelCard};
use cocoon_openai::embeddings::{EmbeddingResponse, Input, Vector};
use cocoon_openai::{ApiError, Endpoint, Request};
use cocoon_receipt::FinishReason;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// An embedder on its thread.
pub(crate) struct Embeddings {
    embedder: EmbedderHandle,
    model: String,
}

impl Embeddings {
    /// `model` is the name that answers carry.
    pub(crate) fn new(embedder: EmbedderHandle, model: String) -> Self {
        Self { embedder, model }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.embedder.load().is_alive
    }

    pub(super) fn describe(&self) -> serde_json::Value {
        let card = self.embedder.card();
        let load = self.embedder.load();
        serde_json::json!({
            "kind": "embeddings",
            "engine": card.engine,
            "architecture": card.architecture,
            "precision": card.precision,
            "parameters": card.parameters,
            "max_model_len": card.max_model_len,
            "active": load.active,
            "running": load.occupancy.running,
            "waiting": load.occupancy.waiting,
        })
    }

    pub(super) fn card(&self) -> &ModelCard {
        self.embedder.card()
    }

    pub(super) fn load(&self) -> EngineLoad {
        self.embedder.load()
    }

    pub(super) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let request = asked.request;
        let mut embedding = EmbeddingRequest::new(inputs(&request)?);
        embedding.dimensions = request.dimensions().and_then(|number| usize::try_from(number).ok());
        embedding.payer = asked.payer.map(|known| known.payer);
        embedding.deadline = Some(asked.deadline.into_std());
        let (sender, answer) = oneshot::channel();
        let sink = Box::new(move |result| drop(sender.send(result)));
        // Dropped with this future, and with it the request.
        let _ticket = self.embedder.submit(embedding, sink).map_err(|error| refusal(&error))?;
        let vectors = answer
            .await
            .map_err(|_| Trouble::Failed("the engine has stopped".to_owned()))?
            .map_err(|error| match Instant::now() < asked.deadline {
                true => Trouble::from(refusal(&error)),
                false => Trouble::Timeout,
            })?;

        out.count(TokenCounts {
            prompt: vectors.iter().map(|vector| vector.tokens).fold(0, u64::saturating_add),
            ..TokenCounts::default()
        });
        out.head(&ok_head("application/json", out.started())).await?;
        let format = request.encoding_format();
        let vectors = vectors.into_iter().map(|vector| Vector::new(vector.numbers, format));
        let body = EmbeddingResponse::new(&self.model, vectors, out.usage());
        let body =
            serde_json::to_vec(&body).map_err(|_| Trouble::Failed("the vectors cannot be written".to_owned()))?;
        Ok((body.into(), FinishReason::Stop))
    }
}

fn inputs(request: &Request) -> Result<Vec<EmbeddingInput>, ApiError> {
    if request.endpoint() != Endpoint::Embeddings {
        return Err(ApiError::bad_request(
            "This model makes embeddings and writes no texts: use /v1/embeddings.",
        ));
    }
    let input = |input| match input {
        Input::Text(text) => EmbeddingInput::Text(text),
        Input::Tokens(tokens) => EmbeddingInput::Tokens(tokens),
    };
    Ok(request.inputs()?.into_iter().map(input).collect())
}
