//! What a model takes of memory, known before its weights are read.

use super::{gpu, memory};
use crate::device::{Device, DryDevice, DryTensor, Ledger, MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{
    Alone, BlockId, Checkpoint, Collective, Executor, LoadOptions, ModelSpec, Piece, Shard, Source, Transformer, Wanted,
};
use crate::options::{ComputeDevice, EngineOptions};
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
    /// What each rank has of all this, by rank; a single one has all.
    pub ranks: Vec<RankMemory>,
    /// What the system, or the GPU, can give; `None` if it does not say.
    pub available: Option<u64>,
    /// If it does not fit: the formats in which it would, with the same cache.
    pub fitting_formats: Vec<WeightFormat>,
}

/// What one rank of a model takes of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RankMemory {
    /// Its parts of the weights.
    pub weights: u64,
    /// Keys and values of its heads, for all positions.
    pub cache: u64,
    /// Of the largest step.
    pub activations: u64,
}

impl RankMemory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.cache).saturating_add(self.activations)
    }
}

impl MemoryPlan {
    /// For a spec; reads no weights.
    pub(super) fn new(spec: &ModelSpec, options: &EngineOptions) -> Result<Self, EngineError> {
        let available = match options.device {
            ComputeDevice::Cuda => gpu::available(),
            ComputeDevice::Cpu | ComputeDevice::Reference => memory::available(),
        };
        Self::with(spec, options, available)
    }

    fn with(spec: &ModelSpec, options: &EngineOptions, available: Option<u64>) -> Result<Self, EngineError> {
        let blocks = options.max_kv_tokens.div_ceil(KV_BLOCK);
        let count = |format| {
            let shards = Shard::all(options.ranks.get());
            shards
                .map(|shard| Counted::new(spec, shard, options, format))
                .collect::<Result<Vec<_>, _>>()
        };
        let sum = |ranks: &[Counted], of: fn(&Counted) -> u64| ranks.iter().map(of).sum();
        let counted = count(options.weight_format)?;
        let mut plan = Self {
            weight_format: options.weight_format,
            weights: sum(&counted, |rank| rank.weights),
            kv_tokens: (blocks * KV_BLOCK) as u64,
            bytes_per_kv_token: sum(&counted, |rank| rank.block / KV_BLOCK as u64),
            activations: sum(&counted, |rank| rank.activations),
            ranks: counted
                .iter()
                .map(|rank| RankMemory {
                    weights: rank.weights,
                    cache: rank.block * blocks as u64,
                    activations: rank.activations,
                })
                .collect(),
            available,
            fitting_formats: Vec::new(),
        };
        if !plan.fits() {
            for format in WeightFormat::ALL {
                let other = Self {
                    weights: sum(&count(format)?, |rank| rank.weights),
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
        if let (true, Some(largest)) = (self.ranks.len() > 1, self.ranks.iter().map(RankMemory::total).max()) {
            write!(f, "; {} ranks, the largest of {} MiB", self.ranks.len(), mib(largest))?;
        }
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

/// Bytes of one rank in one format.
struct Counted {
    weights: u64,
    block: u64,
    activations: u64,
}

impl Counted {
    /// Loads the model on a device that only counts, and runs the largest step there.
    fn new(spec: &ModelSpec, shard: Shard, options: &EngineOptions, format: WeightFormat) -> Result<Self, EngineError> {
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
        let device = DryDevice::new(ledger.clone(), options.threads_of_rank());
        let hidden = spec.embedding.inputs();
        let ranks: Box<dyn Collective<DryDevice>> = match shard.ranks {
            1 => Box::new(Alone),
            _ => Box::new(DrySum { width: hidden }),
        };
        let mut dry = Transformer::load_shard(spec, shard, &mut Shapes, device, ranks, on_device)?;
        let longest = positions.min(options.max_kv_tokens).max(1);
        let chunk = options.step_tokens().min(longest);
        let piece = |tokens: usize| Piece {
            tokens: vec![0; tokens],
            start: longest - tokens,
            blocks: Vec::<BlockId>::new(),
            wanted: Wanted::Logits,
        };
        let decodes = std::iter::repeat_with(|| piece(1)).take(options.max_num_seqs.saturating_sub(1));
        let pieces: Vec<Piece> = std::iter::once(piece(chunk)).chain(decodes).collect();
        dry.run(&pieces)?;
        let rows: usize = pieces.iter().map(|piece| piece.tokens.len()).sum();
        let meeting = match shard.ranks {
            1 => 0,
            _ => 2 * rows * hidden * size_of::<f32>(), // what `SharedMemory` keeps of a rank
        };
        Ok(Self {
            weights: ledger.weights() as u64,
            block: ledger.block() as u64,
            activations: (ledger.peak() + meeting) as u64,
        })
    }
}

/// A sum that counts its way through the host and adds nothing.
struct DrySum {
    width: usize,
}

impl Collective<DryDevice> for DrySum {
    fn sum(&mut self, device: &mut DryDevice, part: DryTensor) -> Result<DryTensor, EngineError> {
        let numbers = device.host(part)?;
        Ok(device.tensor(self.width, &numbers))
    }
}

/// A checkpoint that has every tensor and no numbers.
#[derive(Default)]
pub(super) struct Shapes;

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
        assert!(!text.contains("rank"));
        let plan = MemoryPlan::with(&spec, &options, Some(1000)).unwrap();
        assert!(plan.fitting_formats.is_empty() && plan.fitting_kv_tokens() == Some(0));
    }

    #[test]
    fn ranks_share_weights_and_cache_out() {
        let spec = spec();
        let with = |ranks: usize| {
            let options = EngineOptions {
                ranks: ranks.try_into().unwrap(),
                ..EngineOptions::default()
            };
            MemoryPlan::with(&spec, &options, None)
        };
        let (one, two) = (with(1).unwrap(), with(2).unwrap());
        assert_eq!((one.ranks.len(), one.ranks[0].total()), (1, one.total()));
        assert_eq!(two.ranks.iter().map(RankMemory::total).sum::<u64>(), two.total());
        // Norms and tables are with both.
        assert!(two.weights >= one.weights && two.weights < one.weights * 11 / 10);
        assert_eq!(two.bytes_per_kv_token, one.bytes_per_kv_token);
        assert!(two.ranks.iter().all(|rank| rank.cache * 2 == one.cache()));
        assert!(two.to_string().contains("; 2 ranks, the largest of "), "{two}");
        assert!(matches!(with(1000), Err(EngineError::Ranks { ranks: 1000, .. })));
    }
}
