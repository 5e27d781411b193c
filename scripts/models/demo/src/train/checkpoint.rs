//! Checkpoints: the model, the optimizer's moments and how far the training is.

use crate::model::Model;
use anyhow::{Context, Result};
use burn::module::Module;
use burn::optim::Optimizer;
use burn::record::{FullPrecisionSettings, NamedMpkFileRecorder, Recorder};
use burn::tensor::backend::AutodiffBackend;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Steps between checkpoints.
pub(super) const EVERY: u64 = 200;

/// A folder with the last checkpoint.
pub(crate) struct Checkpoint {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct State {
    step: u64,
    seconds: f64,
}

type Files = NamedMpkFileRecorder<FullPrecisionSettings>;

impl Checkpoint {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes beside the last checkpoint, then takes its place: an interruption leaves one of them whole.
    pub(super) fn save<B: AutodiffBackend, O: Optimizer<Model<B>, B>>(
        &self,
        model: &Model<B>,
        optimizer: &O,
        step: u64,
        spent: Duration,
    ) -> Result<()> {
        let (partial, old) = (self.folder.with_extension("partial"), self.folder.with_extension("old"));
        std::fs::create_dir_all(&partial)?;
        let files = Files::default();
        files.record(model.clone().into_record(), partial.join("model"))?;
        files.record(optimizer.to_record(), partial.join("optimizer"))?;
        let state = State {
            step,
            seconds: spent.as_secs_f64(),
        };
        std::fs::write(partial.join("state.json"), serde_json::to_vec(&state)?)?;
        if self.folder.exists() {
            std::fs::rename(&self.folder, &old)?;
        }
        std::fs::rename(&partial, &self.folder)?;
        if old.exists() {
            std::fs::remove_dir_all(&old)?;
        }
        Ok(())
    }

    /// What was saved last: model, optimizer, steps done, time spent.
    pub(super) fn load<B: AutodiffBackend, O: Optimizer<Model<B>, B>>(
        &self,
        model: Model<B>,
        optimizer: O,
        device: &B::Device,
    ) -> Result<(Model<B>, O, u64, Duration)> {
        let state = std::fs::read(self.folder.join("state.json"))
            .with_context(|| format!("no checkpoint in {}", self.folder.display()))?;
        let state: State = serde_json::from_slice(&state)?;
        let files = Files::default();
        let model = model.load_record(files.load(self.folder.join("model"), device)?);
        let optimizer = optimizer.load_record(files.load(self.folder.join("optimizer"), device)?);
        Ok((model, optimizer, state.step, Duration::from_secs_f64(state.seconds)))
    }
}

#[cfg(test)]
mod tests;
