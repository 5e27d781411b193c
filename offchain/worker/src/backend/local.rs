//! The engine of this program as a backend.

use super::prepare::{Prepared, prepare, refusal};
use super::writer::{Piece, Writer};
use super::{Asked, Trouble, ok_head};
use crate::answering::Answering;
use crate::limits::MAX_MERGED_EVENTS;
use bytes::Bytes;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_engine::{
    EngineError, EngineEvent, EngineHandle, EngineLoad, FinishReason as EngineFinish, PayerSalt, StepOutput,
    SubmitRequest, Ticket, Usage,
};
use cocoon_receipt::FinishReason;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// An engine on its thread.
pub(crate) struct Local {
    engine: EngineHandle,
    model: String,
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
        let load = self.engine.load();
        serde_json::json!({
            "kind": "engine",
            "engine": card.engine,
            "architecture": card.architecture,
            "precision": card.precision,
            "parameters": card.parameters,
            "max_model_len": card.max_model_len,
            "active": load.active,
            "running": load.occupancy.running,
            "waiting": load.occupancy.waiting,
            "kv_blocks": load.occupancy.kv_blocks,
            "kv_blocks_used": load.occupancy.kv_blocks_used,
            "preemptions": load.occupancy.preemptions,
        })
    }

    pub(super) fn load(&self) -> EngineLoad {
        self.engine.load()
    }

    pub(super) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let request = asked.request;
        let card = self.engine.card();
        let Prepared {
            mut submit,
            sampling,
            choices,
        } = prepare(&request, &card.sampling_defaults, card.tools, rand::random())?;
        submit.payer = asked.payer.map(|known| known.payer);
        submit.payer_salt = asked.payer.map(|known| known.salt);
        submit.deadline = Some(asked.deadline.into_std());
        if choices > 1 && submit.payer_salt.is_none() {
            // The answers share the prompt's blocks among themselves, and with nobody else.
            submit.payer_salt = Some(PayerSalt::from(rand::random::<[u8; 32]>()));
        }
        out.set_sampling(sampling.hash(), submit.seed);
        let created = out.now() as u64;
        let writer = Writer::new(request.endpoint(), &self.model, created, rand::random(), choices)
            .with_tools(card.tools)
            .with_logprobs(submit.logprobs.is_some());

        let answers = self.submit(&submit, choices, writer).map_err(|error| refusal(&error))?;
        if request.stream() {
            answers.stream(out).await
        } else {
            answers.whole(out).await
        }
    }

    /// Asks the engine for all answers to a request.
    pub(super) fn submit(
        &self,
        submit: &SubmitRequest,
        choices: usize,
        writer: Writer,
    ) -> Result<Answers, EngineError> {
        // Bounded by the request's own bound on tokens.
        let (sender, events) = unbounded_channel();
        let mut tickets = Vec::new();
        for (at, index) in (0..choices).zip(0u64..) {
            let sender = sender.clone();
            let sink = Box::new(move |event| drop(sender.send((at, event))));
            tickets.push(self.engine.submit(submit.choice(index), sink)?);
        }
        Ok(Answers {
            writer,
            events,
            usage: vec![Usage::default(); choices],
            finish: vec![None; choices],
            _tickets: tickets,
        })
    }

    pub(super) fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }
}

/// The answers to one request while they come.
pub(super) struct Answers {
    writer: Writer,
    events: UnboundedReceiver<(usize, EngineEvent)>,
    usage: Vec<Usage>,
    finish: Vec<Option<EngineFinish>>,
    /// Dropped, they end the work.
    _tickets: Vec<Ticket>,
}

impl Answers {
    /// Waits for all of every answer.
    pub(super) async fn collect(&mut self) -> Result<Vec<Piece>, Trouble> {
        let mut pieces = vec![Piece::default(); self.usage.len()];
        while !self.are_complete() {
            for (piece, next) in pieces.iter_mut().zip(self.next().await?) {
                piece.append(next);
            }
        }
        Ok(pieces)
    }

    /// The answers as one document.
    pub(super) fn write(&mut self, pieces: Vec<Piece>, usage: cocoon_openai::Usage) -> String {
        self.writer.whole(pieces, usage)
    }

    async fn whole(mut self, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let pieces = self.collect().await?;
        out.count(self.counts());
        out.head(&ok_head("application/json", out.started())).await?;
        let body = self.write(pieces, out.usage());
        Ok((body.into(), self.reason()))
    }

    async fn stream(mut self, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        // The head waits for the first token: until then a refusal can still be a proper status.
        let mut first = true;
        loop {
            let pieces = self.next().await?;
            let mut data = String::new();
            if std::mem::take(&mut first) {
                out.head(&ok_head("text/event-stream; charset=utf-8", out.started()))
                    .await?;
                data += &self.writer.opening();
            }
            for (at, piece) in pieces.into_iter().enumerate() {
                data += &self.writer.more(at, piece);
            }
            out.count(self.counts());
            if self.are_complete() {
                data += &self.writer.closing(out.usage());
                return Ok((data.into(), self.reason()));
            }
            out.body(data.into()).await?;
        }
    }

    /// Waits for an event and takes more that are there: a slow connection gets fewer and larger pieces. One piece for
    /// each answer, empty where nothing is new.
    async fn next(&mut self) -> Result<Vec<Piece>, Trouble> {
        let mut waiting = Vec::new();
        self.events.recv_many(&mut waiting, MAX_MERGED_EVENTS).await;
        if waiting.is_empty() {
            return Err(Trouble::Failed("the engine has stopped".to_owned()));
        }
        let mut pieces = vec![Piece::default(); self.usage.len()];
        for (at, event) in waiting {
            let output = match event {
                EngineEvent::Output(output) => output,
                EngineEvent::Failed(error) => return Err(refusal(&error).into()),
                _ => {
                    return Err(Trouble::Failed(
                        "the engine sent what this worker does not know".to_owned(),
                    ));
                }
            };
            if output.finish_reason == Some(EngineFinish::Deadline) {
                return Err(Trouble::Timeout);
            }
            self.usage[at] = output.usage;
            self.finish[at] = output.finish_reason.or(self.finish[at]);
            pieces[at].append(piece(output));
        }
        Ok(pieces)
    }

    fn are_complete(&self) -> bool {
        self.finish.iter().all(Option::is_some)
    }

    /// Of all answers together: they share one prompt.
    pub(super) fn counts(&self) -> TokenCounts {
        let first = self.usage.first().copied().unwrap_or_default();
        self.usage.iter().fold(
            TokenCounts {
                prompt: first.prompt,
                cached: first.cached,
                ..TokenCounts::default()
            },
            |counts, usage| TokenCounts {
                completion: counts.completion.saturating_add(usage.completion),
                reasoning: counts.reasoning.saturating_add(usage.reasoning),
                ..counts
            },
        )
    }

    /// Of all answers together: what kept one of them from its own end comes first.
    fn reason(&self) -> FinishReason {
        let is = |reason| self.finish.contains(&Some(reason));
        if is(EngineFinish::Cancelled) {
            FinishReason::Cancelled
        } else if is(EngineFinish::Length) {
            FinishReason::Length
        } else if self.finish.iter().any(|finish| *finish != Some(EngineFinish::Stop)) {
            FinishReason::Failed
        } else if (0..self.finish.len()).any(|at| self.writer.has_called(at)) {
            FinishReason::ToolCalls
        } else {
            FinishReason::Stop
        }
    }
}

fn piece(output: StepOutput) -> Piece {
    Piece {
        text: output.text_delta,
        reasoning: output.reasoning_delta,
        calls: output.tool_calls,
        logprobs: output.logprobs,
        finish: output.finish_reason,
    }
}
