//! What a model takes of memory, known before its weights are read.

use super::memory;
use crate::device::{DryDevice, Ledger, MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Checkpoint, Executor, LoadOptions, ModelSpec, Piece, Source, Transformer, Wanted};
use crate::options::EngineOptions;
use std::fmt;
use std::sync::Arc;

/// What a model takes of memory, in bytes, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryPlan {
    /// The format of the weights.
    pub weight_format: WeightFormat,
    /// Weights in this format.
    pub weights: u64,
    /// Positions of all running sequences together.
    pub kv_tokens: u64,
    /// Keys and values of one position in all layers.
    pub bytes_per_kv_token: u64,
    /// The largest step: a piece of a prompt beside as many sequences as may run.
    pub activations: u64,
    /// What the system can give; `None` if it does not say.
    pub available: Option<u64>,
    /// If it does not fit: the formats in which it would, with the same cache.
    pub fitting_formats: Vec<WeightFormat>,
}

impl MemoryPlan {
    /// For a spec; reads no weights.
    pub(super) fn new(spec: &ModelSpec, options: &EngineOptions) -> Result<Self, EngineError> {
        Self::with(spec, options, memory::available())
    }

    fn with(spec: &ModelSpec, options: &EngineOptions, available: Option<u64>) -> Result<Self, EngineError> {
        let blocks = options.max_kv_tokens.div_ceil(KV_BLOCK);
        let count = |format| Counted::new(spec, options, format);
        let counted = count(options.weight_format)?;
        let mut plan = Self {
            weight_format: options.weight_format,
            weights: counted.weights,
            kv_tokens: (blocks * KV_BLOCK) as u64,
            bytes_per_kv_token: counted.block / KV_BLOCK as u64,
            activations: counted.activations,
            available,
            fitting_formats: Vec::new(),
        };
        if !plan.fits() {
            for format in WeightFormat::ALL {
                let other = Self {
                    weights: count(format)?.weights,
                    ..plan.clone()
                };
                plan.fitting_formats.extend(other.fits().then_some(format));
            }
        }
        Ok(plan)
    }

    /// Keys and values of all positions.
    pub fn cache(&self) -> u64 {
        self.kv_tokens.saturating_mul(self.bytes_per_kv_token)
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights
            .saturating_add(self.cache())
            .saturating_add(self.activations)
    }

    /// Whether it fits; yes where the system does not say what there is.
    pub fn fits(&self) -> bool {
        self.available.is_none_or(|available| self.total() <= available)
    }

    /// As many positions as would fit with these weights.
    pub fn fitting_kv_tokens(&self) -> Option<u64> {
        let left = self
            .available?
            .saturating_sub(self.weights.saturating_add(self.activations));
        let tokens = left.checked_div(self.bytes_per_kv_token)?;
        Some(tokens / KV_BLOCK as u64 * KV_BLOCK as u64)
    }
}

/// One line: what is needed, what there is, and what would fit.
impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        write!(
            f,
            "{} MiB of weights in {}, {} MiB of cache for {} tokens, {} MiB for a step",
            mib(self.weights),
            self.weight_format,
            mib(self.cache()),
            self.kv_tokens,
            mib(self.activations),
        )?;
        let Some(available) = self.available else { return Ok(()) };
        write!(f, "; {} of {} MiB", mib(self.total()), mib(available))?;
        if self.fits() {
            return Ok(());
        }
        if let Some(tokens) = self.fitting_kv_tokens().filter(|tokens| *tokens > 0) {
            write!(f, "; {tokens} tokens of cache would fit")?;
        }
        if !self.fitting_formats.is_empty() {
            let names: Vec<&str> = self.fitting_formats.iter().map(|format| format.name()).collect();
            write!(f, "; weights in {} would fit", names.join(" or "))?;
        }
        Ok(())
    }
}

/// Bytes of one format.
struct Counted {
    weights: u64,
    block: u64,
    activations: u64,
}

impl Counted {
    /// Loads the model on a device that only counts, and runs the largest step there.
    fn new(spec: &ModelSpec, options: &EngineOptions, format: WeightFormat) -> Result<Self, EngineError> {
        let ledger = Arc::new(Ledger::default());
        let positions = options
            .max_model_len
            .unwrap_or(spec.max_positions)
            .min(spec.max_positions);
        let on_device = LoadOptions {
            format,
            positions,
            blocks: 0,
        };
        let device = DryDevice::new(ledger.clone(), options.thread_count());
        let mut dry = Transformer::load(spec, &mut Shapes, device, on_device)?;
        let longest = positions.min(options.max_kv_tokens).max(1);
        let chunk = options.step_tokens().min(longest);
        let piece = |tokens: usize| Piece {
            tokens: vec![0; tokens],
            start: longest - tokens,
            blocks: Vec::<BlockId>::new(),
            wanted: Wanted::Logits,
        };
        let decodes = std::iter::repeat_with(|| piece(1)).take(options.max_num_seqs.saturating_sub(1));
        dry.run(&std::iter::once(piece(chunk)).chain(decodes).collect::<Vec<_>>())?;
        Ok(Self {
            weights: ledger.weights() as u64,
            block: ledger.block() as u64,
            activations: ledger.peak() as u64,
        })
    }
}

/// A checkpoint that has every tensor and no numbers.
struct Shapes;

struct ShapeRows {
    outputs: usize,
    inputs: usize,
}

impl MatrixRows for ShapeRows {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn read(&self, _first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        rows.fill(0.0);
        Ok(())
    }
}

impl Checkpoint for Shapes {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        Ok(Box::new(ShapeRows {
            outputs: source.outputs(),
            inputs: source.inputs(),
        }))
    }

    fn pass_over(&mut self, _tensor: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DEFAULT_MAX_KV_TOKENS;
    use crate::load::read_spec;
    use crate::tiny;

    fn spec() -> ModelSpec {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        read_spec(&folder.path().join("config.json")).unwrap()
    }

    #[test]
    fn bytes_are_those_of_the_shapes() {
        let spec = spec();
        let options = EngineOptions::default();
        let plan = MemoryPlan::with(&spec, &options, None).unwrap();
        let numbers: usize = 4 * (spec.embedding.outputs() * spec.embedding.inputs());
        assert!(plan.weights > numbers as u64 && plan.weights < 20 << 20, "{plan:?}");
        assert_eq!(plan.kv_tokens, DEFAULT_MAX_KV_TOKENS as u64);
        assert!(plan.bytes_per_kv_token > 0 && plan.activations > 0);
        assert!(plan.fits() && plan.fitting_kv_tokens().is_none());
        let half = EngineOptions {
            weight_format: WeightFormat::Bf16,
            ..options
        };
        let half = MemoryPlan::with(&spec, &half, None).unwrap();
        assert!(half.weights < plan.weights * 2 / 3 && half.bytes_per_kv_token == plan.bytes_per_kv_token);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let (spec, options) = (spec(), EngineOptions::default());
        let whole = MemoryPlan::with(&spec, &options, None).unwrap();
        let plan = MemoryPlan::with(&spec, &options, Some(whole.total())).unwrap();
        assert!(plan.fits() && plan.fitting_kv_tokens() == Some(plan.kv_tokens));
        let plan = MemoryPlan::with(&spec, &options, Some(whole.total() - 1)).unwrap();
        assert!(!plan.fits());
        let tokens = plan.fitting_kv_tokens().unwrap();
        assert_eq!(tokens, plan.kv_tokens - KV_BLOCK as u64);
        assert!(
            plan.fitting_formats.contains(&WeightFormat::Bf16) && !plan.fitting_formats.contains(&WeightFormat::F32)
        );
        let text = plan.to_string();
        let would = format!("{tokens} tokens of cache would fit; weights in bf16 or q8 or q4 would fit");
        assert!(text.contains(&would), "{text}");
        let plan = MemoryPlan::with(&spec, &options, Some(1000)).unwrap();
        assert!(plan.fitting_formats.is_empty() && plan.fitting_kv_tokens() == Some(0));
    }
}
