//! What a folder has and whether it fits, without reading its weights into memory.

use super::folder::{Folder, Purpose};
use super::packed::list;
use super::plan::MemoryPlan;
use super::progress::Progress;
use crate::card::ModelCard;
use crate::device::WeightFormat;
use crate::error::EngineError;
use crate::model::{Checkpoint as _, ModelSpec};
use crate::options::EngineOptions;
use std::path::{Path, PathBuf};

/// What was found in a folder.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelReport {
    /// What model it is.
    pub card: ModelCard,
    /// Whether it makes vectors of texts and not answers.
    pub embeds: bool,
    /// The format that the weights were packed in ahead of time, if they were.
    pub packed: Option<WeightFormat>,
    /// For each format that the weights can be kept in: what the model takes on this machine.
    pub plans: Vec<MemoryPlan>,
    /// Files that are read, relative to the folder.
    pub files: Vec<PathBuf>,
}

/// Reads a folder as [`crate::load_model`] does, but for the numbers of matrices: every tensor must be there in its shape
/// and in a format that is read. Packed weights are compared with their sums, which reads them once.
pub fn inspect_model(
    folder: &Path,
    options: &EngineOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ModelReport, EngineError> {
    let mut opened = Folder::open(folder)?;
    let options = opened.weights.options(options)?;
    ask_for_all(&mut opened, options.weight_format)?;
    opened.weights.verify(progress)?;
    let packed = opened.weights.packed_format();
    let formats = packed.map_or(WeightFormat::ALL.to_vec(), |format| vec![format]);
    let plans = formats
        .into_iter()
        .map(|format| plan_in(&opened.spec, &options, format));
    Ok(ModelReport {
        card: opened.card(&options),
        embeds: matches!(opened.purpose, Purpose::Embeddings(_)),
        packed,
        plans: plans.collect::<Result<_, _>>()?,
        files: opened.all_files(),
    })
}

/// Asks for every matrix and vector, and for nothing of what they hold.
pub(super) fn ask_for_all(folder: &mut Folder, format: WeightFormat) -> Result<(), EngineError> {
    for request in list(&folder.spec, format)? {
        match request.kind {
            super::packed::Kind::Vector => drop(folder.weights.numbers(&request.source)?),
            super::packed::Kind::Matrix(_) => drop(folder.weights.matrix(&request.source)?),
        }
    }
    let passed_over = folder.spec.passed_over.iter();
    passed_over.for_each(|name| folder.weights.pass_over(name));
    folder.weights.finish()
}

fn plan_in(spec: &ModelSpec, options: &EngineOptions, weight_format: WeightFormat) -> Result<MemoryPlan, EngineError> {
    let options = EngineOptions {
        weight_format,
        ..options.clone()
    };
    MemoryPlan::new(spec, &options)
}
