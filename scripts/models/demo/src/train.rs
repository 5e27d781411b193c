//! Training: AdamW, warm-up and cosine, loss on answers only.

mod batch;
mod checkpoint;
mod parts;
mod schedule;
mod watch;

pub(crate) use checkpoint::Checkpoint;

use crate::chat::Chats;
use crate::model::Model;
use crate::progress::{Progress, Stand};
use crate::shape::Shape;
use crate::tokens::Tokens;
use anyhow::Result;
use batch::{Batch, batches};
use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, Optimizer};
use burn::tensor::backend::AutodiffBackend;
use parts::Parts;
use schedule::Schedule;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use watch::Watch;

/// Batches of one round of chats: chats of a round are sorted by length, so that a batch has little filling.
const BATCHES_PER_ROUND: u64 = 8;

/// How a training runs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Steps after which it ends.
    pub(crate) steps: u64,
    /// Time after which it ends, if it has not before.
    pub(crate) budget: Option<Duration>,
    /// Chats of a step.
    pub(crate) chats: usize,
    /// Threads, each with a part of the chats of a step.
    pub(crate) threads: usize,
    /// Highest rate of learning.
    pub(crate) rate: f64,
    /// Where checkpoints are kept, and whether to go on from the last one.
    pub(crate) checkpoints: Option<PathBuf>,
    pub(crate) resume: bool,
}

/// What a training came to.
pub(crate) struct Outcome<B: AutodiffBackend> {
    pub(crate) model: Model<B>,
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    /// Tokens that were read, filling not counted.
    pub(crate) tokens: u64,
    pub(crate) loss: f32,
}

/// Trains a model from the plan's seed, or goes on from a checkpoint.
pub(crate) fn train<B: AutodiffBackend>(
    plan: &Plan,
    shape: &Shape,
    tokens: &Tokens,
    chats: &Chats<'_>,
    device: &B::Device,
) -> Result<Outcome<B>> {
    B::seed(device, plan.seed);
    let mut model = Model::<B>::new(shape, device);
    let mut optimizer = AdamWConfig::new()
        .with_beta_2(0.98)
        .with_epsilon(1e-8)
        .with_weight_decay(0.01)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init::<B, Model<B>>();
    let checkpoint = plan.checkpoints.clone().map(Checkpoint::new);
    let (mut step, mut spent) = (0, Duration::ZERO);
    if let Some(checkpoint) = checkpoint.as_ref().filter(|_| plan.resume) {
        (model, optimizer, step, spent) = checkpoint.load(model, optimizer, device)?;
    }
    let schedule = Schedule::new(plan);
    let parts = Parts::new(plan.threads)?;
    let first = step;
    let mut watch = Watch::start(Instant::now());
    let mut progress = Progress::new(plan.steps);
    let mut seen = 0;
    let mut loss = f32::NAN;
    let mut round = Vec::new();
    while step < plan.steps && schedule.has_time(spent + watch.counted()) {
        let place = step % BATCHES_PER_ROUND;
        if round.is_empty() || place == 0 {
            round = batches(
                chats,
                step / BATCHES_PER_ROUND,
                BATCHES_PER_ROUND as usize,
                plan,
                tokens.pad,
            )?;
        }
        let batch = &round[place as usize];
        let (value, gradients) = parts.gradients(&model, shape, batch, device)?;
        loss = value;
        let rate = schedule.rate(step, spent + watch.counted());
        model = optimizer.step(rate, model, gradients);
        step += 1;
        watch.step(Instant::now());
        seen += batch.iter().map(|part| part.used).sum::<u64>();
        progress.step(&Stand {
            step,
            loss,
            rate,
            steps: step - first,
            tokens: seen,
            spent: watch.counted(),
            left: schedule.left(step, first, spent, watch.counted()),
        });
        if let Some(checkpoint) = checkpoint.as_ref().filter(|_| step.is_multiple_of(checkpoint::EVERY)) {
            checkpoint.save(&model, &optimizer, step, spent + watch.counted())?;
        }
    }
    Ok(Outcome {
        model,
        steps: step,
        seconds: watch.counted().as_secs_f64(),
        tokens: seen,
        loss,
    })
}
