//! The engine of this program as a backend.

use super::chat::{Prepared, Writer, prepare, refusal};
use super::{Asked, Trouble, ok_head};
use crate::answering::{Answering, unix_seconds};
use crate::limits::MAX_MERGED_EVENTS;
use bytes::Bytes;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_engine::{EngineEvent, EngineHandle, FinishReason as EngineFinish, StepOutput, Usage};
use cocoon_receipt::FinishReason;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// An engine on its thread.
pub(crate) struct Local {
    engine: EngineHandle,
    model: String,
}

/// What has come from the engine since the last look.
#[derive(Default)]
struct Batch {
    text: String,
    usage: Option<Usage>,
    finish: Option<EngineFinish>,
}

impl Local {
    /// `model` is the name that answers carry.
    pub(crate) fn new(engine: EngineHandle, model: String) -> Self {
        Self { engine, model }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.engine.load().is_alive
    }

    pub(super) fn describe(&self) -> serde_json::Value {
        let card = self.engine.card();
        serde_json::json!({
            "kind": "engine",
            "engine": card.engine,
            "architecture": card.architecture,
            "precision": card.precision,
            "parameters": card.parameters,
            "max_model_len": card.max_model_len,
            "active": self.engine.load().active,
        })
    }

    pub(super) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let request = asked.request;
        let Prepared { submit, sampling } = prepare(&request, &self.engine.card().sampling_defaults, rand::random())?;
        out.set_sampling(sampling.hash(), submit.seed);
        let writer = Writer::new(request.endpoint(), &self.model, unix_seconds() as u64, rand::random());

        // Bounded by the request's own bound on tokens.
        let (sender, mut events) = unbounded_channel();
        let sink = Box::new(move |event| drop(sender.send(event)));
        let _ticket = self.engine.submit(submit, sink).map_err(|error| refusal(&error))?;
        if request.stream() {
            stream(&writer, &mut events, out).await
        } else {
            whole(&writer, &mut events, out).await
        }
    }
}

async fn whole(
    writer: &Writer,
    events: &mut UnboundedReceiver<EngineEvent>,
    out: &mut Answering,
) -> Result<(Bytes, FinishReason), Trouble> {
    let mut text = String::new();
    loop {
        let batch = next(events).await?;
        text += &batch.text;
        if let (Some(finish), Some(usage)) = (batch.finish, batch.usage) {
            out.count(counts(usage));
            out.head(&ok_head("application/json", out.started())).await?;
            return Ok((writer.whole(text, finish, out.usage()).into(), reason(finish)));
        }
    }
}

async fn stream(
    writer: &Writer,
    events: &mut UnboundedReceiver<EngineEvent>,
    out: &mut Answering,
) -> Result<(Bytes, FinishReason), Trouble> {
    // The head waits for the first token: until then a refusal can still be a proper status.
    let mut first = true;
    loop {
        let batch = next(events).await?;
        let mut data = String::new();
        if std::mem::take(&mut first) {
            out.head(&ok_head("text/event-stream; charset=utf-8", out.started()))
                .await?;
            data += &writer.opening().unwrap_or_default();
        }
        if !batch.text.is_empty() {
            data += &writer.more(batch.text);
        }
        if let Some(usage) = batch.usage {
            out.count(counts(usage));
        }
        if let (Some(finish), Some(_)) = (batch.finish, batch.usage) {
            data += &writer.closing(finish, out.usage());
            return Ok((data.into(), reason(finish)));
        }
        out.body(data.into()).await?;
    }
}

/// Waits for an event and takes more that are there: a slow connection gets fewer and larger pieces.
async fn next(events: &mut UnboundedReceiver<EngineEvent>) -> Result<Batch, Trouble> {
    let mut waiting = Vec::new();
    events.recv_many(&mut waiting, MAX_MERGED_EVENTS).await;
    if waiting.is_empty() {
        return Err(Trouble::Failed("the engine has stopped".to_owned()));
    }
    let mut batch = Batch::default();
    for event in waiting {
        match event {
            EngineEvent::Output(StepOutput {
                text_delta,
                usage,
                finish_reason,
                ..
            }) => {
                batch.text += &text_delta;
                batch.usage = Some(usage);
                batch.finish = finish_reason;
            }
            EngineEvent::Failed(error) => return Err(refusal(&error).into()),
            _ => {
                return Err(Trouble::Failed(
                    "the engine sent what this worker does not know".to_owned(),
                ));
            }
        }
    }
    Ok(batch)
}

fn counts(usage: Usage) -> TokenCounts {
    let Usage {
        prompt,
        cached,
        completion,
        reasoning,
    } = usage;
    TokenCounts {
        prompt,
        cached,
        completion,
        reasoning,
    }
}

fn reason(finish: EngineFinish) -> FinishReason {
    match finish {
        EngineFinish::Stop => FinishReason::Stop,
        EngineFinish::Length => FinishReason::Length,
        EngineFinish::Cancelled => FinishReason::Cancelled,
        _ => FinishReason::Failed,
    }
}
