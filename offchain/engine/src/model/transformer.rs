//! The model that a spec describes, on a device.

use super::batch::Batch;
use super::collective::{Alone, Collective};
use super::executor::{Executor, NOTHING_STARTED, Outcome, StepWork};
use super::flight::{Flight, Reads};
use super::layer::{Layer, Step};
use super::load::{Loader, Norm};
use super::shard::Shard;
use super::source::Checkpoint;
use super::spec::{LinearSpec, ModelSpec};
use crate::device::{CacheShape, Device, WeightFormat};
use crate::error::EngineError;
use std::collections::VecDeque;
use std::ops::Range;

/// How a model is put on a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadOptions {
    /// Of all matrices but routers.
    pub(crate) format: WeightFormat,
    /// Positions of one sequence.
    pub(crate) positions: usize,
    /// Blocks of the cache.
    pub(crate) blocks: usize,
}

/// Weights and cache on a device: the whole model, or one rank's part of it.
pub(crate) struct Transformer<D: Device> {
    device: D,
    collective: Box<dyn Collective<D>>,
    /// Width of the states.
    hidden: usize,
    /// The tokens whose rows the embedding has; `None` for all.
    tokens: Option<Range<usize>>,
    embedding: D::Matrix,
    embedding_scale: Option<f32>,
    layers: Vec<Layer<D>>,
    norm: Norm<D>,
    /// `None`: the embedding.
    head: Option<D::Matrix>,
    ropes: Vec<D::Rope>,
    cache: D::Cache,
    blocks: usize,
    /// What the step that was asked for last chooses, and for every piece of it which of these.
    chosen: Option<(D::Tokens, Vec<Option<usize>>)>,
    /// Steps that were asked for and not taken, oldest first.
    flights: VecDeque<Flight>,
}

impl<D: Device> Transformer<D> {
    /// Takes every tensor of the model from `checkpoint`.
    pub(crate) fn load(
        spec: &ModelSpec,
        checkpoint: &mut dyn Checkpoint,
        device: D,
        options: LoadOptions,
    ) -> Result<Self, EngineError> {
        let whole = Shard { rank: 0, ranks: 1 };
        Self::load_shard(spec, whole, checkpoint, device, Box::new(Alone), options)
    }

    /// Takes one rank's part of every tensor. `collective` leads to the other ranks; logits are those of this rank's
    /// tokens.
    pub(crate) fn load_shard(
        spec: &ModelSpec,
        shard: Shard,
        checkpoint: &mut dyn Checkpoint,
        mut device: D,
        collective: Box<dyn Collective<D>>,
        options: LoadOptions,
    ) -> Result<Self, EngineError> {
        let tokens = match shard.ranks {
            1 => None,
            _ => Some(shard.tokens(spec)?),
        };
        let spec = &shard.of(spec)?;
        let mut loader = Loader {
            device: &mut device,
            checkpoint,
            format: options.format,
        };
        let embedding = loader.linear(&LinearSpec::plain(spec.embedding.clone()))?;
        let layers = spec.layers.iter().map(|layer| Layer::load(layer, &mut loader));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let norm = loader.norm(&spec.norm)?;
        let head = match &spec.head {
            Some(head) => Some(loader.linear(&LinearSpec::plain(head.clone()))?),
            None => None,
        };
        spec.passed_over.iter().for_each(|name| checkpoint.pass_over(name));
        let ropes = spec
            .ropes
            .iter()
            .map(|rope| device.rope_table(&rope.table(options.positions)));
        let ropes = ropes.collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<CacheShape> = layers.iter().map(Layer::cache_shape).collect();
        let cache = device.cache(&shapes, options.blocks)?;
        Ok(Self {
            device,
            collective,
            hidden: spec.embedding.inputs(),
            tokens,
            embedding,
            embedding_scale: spec.embedding_scale,
            layers,
            norm,
            head,
            ropes,
            cache,
            blocks: options.blocks,
            chosen: None,
            flights: VecDeque::new(),
        })
    }

    /// The rows of the embedding. Each rank brings those of its tokens, and zeros for the others.
    fn embed(&mut self, tokens: &[u32]) -> Result<D::Tensor, EngineError> {
        let Some(known) = &self.tokens else {
            return Ok(self.device.embed(&self.embedding, tokens));
        };
        let first = known.start as u32;
        let places = (0..tokens.len()).filter(|row| known.contains(&(tokens[*row] as usize)));
        let places: Vec<usize> = places.collect();
        let own: Vec<u32> = places.iter().map(|row| tokens[*row] - first).collect();
        let mut numbers = vec![0.0; tokens.len() * self.hidden];
        if !own.is_empty() {
            let rows = self.device.embed(&self.embedding, &own);
            let rows = self.device.host(rows)?;
            for (row, place) in rows.chunks_exact(self.hidden).zip(places) {
                numbers[place * self.hidden..][..self.hidden].copy_from_slice(row);
            }
        }
        let part = self.device.tensor(self.hidden, &numbers);
        self.collective.sum(&mut self.device, part)
    }

    /// The rows of the embedding, where the last tokens of some pieces are those that the step before chooses.
    fn embed_chosen(&mut self, batch: &Batch, follows: &[Option<usize>]) -> Result<D::Tensor, EngineError> {
        const UNKNOWN: EngineError = EngineError::Device {
            doing: "going on from a token that was not chosen",
        };
        let (tokens, numbers) = self.chosen.as_ref().ok_or(UNKNOWN)?;
        let mut places = vec![None; batch.tokens.len()];
        for (span, follows) in batch.spans.iter().zip(follows) {
            if let Some(piece) = follows {
                let number = numbers.get(*piece).copied().flatten().ok_or(UNKNOWN)?;
                places[span.rows.end - 1] = Some(number);
            }
        }
        self.device
            .embed_chosen(&self.embedding, &batch.tokens, tokens, &places)
    }

    /// What the last layer leaves of the rows that are wanted, in their order.
    fn states(&mut self, batch: &Batch, follows: &[Option<usize>], wanted: &[usize]) -> Result<D::Tensor, EngineError> {
        let mut state = match follows.iter().any(Option::is_some) {
            true => self.embed_chosen(batch, follows)?,
            false => self.embed(&batch.tokens)?,
        };
        if let Some(factor) = self.embedding_scale {
            self.device.scale(&mut state, factor);
        }
        let mut step = Step {
            device: &mut self.device,
            collective: self.collective.as_mut(),
            cache: &mut self.cache,
            ropes: &self.ropes,
            batch,
        };
        let all_in_order = wanted.iter().copied().eq(0..batch.tokens.len());
        let mut fed = None;
        for (number, layer) in self.layers.iter().enumerate() {
            let is_last = number + 1 == self.layers.len();
            let rows = (is_last && !all_in_order).then_some(wanted);
            fed = layer.forward(&mut state, fed, number, &mut step, rows)?;
        }
        if let Some(fed) = fed {
            self.device.add(&mut state, &fed);
        }
        Ok(state)
    }

    /// The norm of some rows.
    fn normed(&mut self, state: &D::Tensor, rows: &[usize]) -> D::Tensor {
        let state = self.device.rows(state, rows);
        self.norm.forward(&mut self.device, &state)
    }

    /// The logits of some rows.
    fn logits(&mut self, state: &D::Tensor, rows: &[usize]) -> D::Tensor {
        let normed = self.normed(state, rows);
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        self.device.linear(&normed, head)
    }

    /// Asks the device for a step, which comes to its end without this.
    fn launch(&mut self, work: StepWork<'_>) -> Result<Flight, EngineError> {
        let batch = Batch::of(work.pieces);
        let reads = Reads::of(work, &batch);
        let mut flight = Flight {
            reads,
            choices: None,
            logits: None,
            states: None,
        };
        if batch.tokens.is_empty() {
            self.chosen = None;
            return Ok(flight);
        }
        let reads = &flight.reads;
        let state = self.states(&batch, work.follows, &reads.wanted)?;
        self.chosen = None;
        if !reads.drawn.is_empty() {
            let logits = self.logits(&state, &reads.drawn);
            let (tokens, choices) = self.device.choose(logits, &reads.draws)?;
            self.chosen = Some((tokens, reads.draw_numbers()));
            flight.choices = Some(choices);
        }
        if !reads.told.is_empty() {
            let logits = self.logits(&state, &reads.told);
            flight.logits = Some(self.device.host_later(logits)?);
        }
        if !reads.shown.is_empty() {
            let states = self.normed(&state, &reads.shown);
            flight.states = Some(self.device.host_later(states)?);
        }
        Ok(flight)
    }
}

impl<D: Device> Executor for Transformer<D> {
    fn blocks(&self) -> usize {
        self.blocks
    }

    fn ahead(&self) -> usize {
        if self.chooses() { self.device.ahead() } else { 0 }
    }

    fn chooses(&self) -> bool {
        // A rank has the logits of its own tokens only.
        self.device.chooses() && self.tokens.is_none()
    }

    fn plans(&self) -> usize {
        self.device.plans()
    }

    fn take_plan(&mut self, plan: usize) {
        self.device.take_plan(plan);
    }

    fn start(&mut self, work: StepWork<'_>) -> Result<(), EngineError> {
        let draws = if self.chooses() { work.draws } else { &[] };
        let flight = self.launch(StepWork { draws, ..work })?;
        self.flights.push_back(flight);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Outcome>, EngineError> {
        self.flights.pop_front().ok_or(NOTHING_STARTED)?.land()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{BurnDevice, CpuDevice};
    use crate::load::{Weights, read_spec};
    use crate::model::{BlockId, Piece, Wanted};
    use crate::tiny;
    use burn::backend::Flex;
    use serde_json::Value;

    #[cfg(feature = "wgpu")]
    type VulkanDevice = crate::device::CubeDevice<cubecl::wgpu::WgpuRuntime>;

    const BLOCKS: usize = 64;

    fn model() -> Transformer<BurnDevice<Flex>> {
        model_on(BurnDevice::new(), WeightFormat::F32)
    }

    fn model_on<D: Device>(device: D, format: WeightFormat) -> Transformer<D> {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        let spec = read_spec(&folder.path().join("config.json")).unwrap();
        let mut weights = Weights::open(folder.path()).unwrap();
        let options = LoadOptions {
            format,
            positions: spec.max_positions,
            blocks: BLOCKS,
        };
        Transformer::load(&spec, &mut weights, device, options).unwrap()
    }

    fn piece(tokens: &[u32], start: usize, blocks: &[u32], wanted: Wanted) -> Piece {
        Piece {
            tokens: tokens.to_vec(),
            start,
            blocks: blocks.iter().map(|id| BlockId(*id)).collect(),
            wanted,
        }
    }

    #[test]
    fn logits_are_those_of_the_reference() {
        check_golden(model());
        check_golden(model_on(CpuDevice::new(2, false), WeightFormat::F32));
    }

    /// On Vulkan, with plain products and with those of tensor cores as far as the format has them.
    #[cfg(feature = "wgpu")]
    fn vulkan_model(format: WeightFormat, imitated: bool) -> Option<Transformer<VulkanDevice>> {
        let device = VulkanDevice::new(&crate::kernels::cube::testing::vulkan()?);
        let device = if imitated { device.imitating() } else { device };
        Some(model_on(device, format))
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn nor_does_a_gpu() {
        let Some(model) = vulkan_model(WeightFormat::F32, false) else {
            return;
        };
        check_golden(model);
        for (format, imitated) in [(WeightFormat::Q8, false), (WeightFormat::Q4, true)] {
            solo_logits(vulkan_model(format, imitated).unwrap());
        }
    }

    fn check_golden(mut model: impl Executor) {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden-tiny.json")).unwrap();
        let numbers = |value: &Value| -> Vec<f64> {
            let numbers = value.as_array().unwrap().iter();
            numbers.map(|n| n.as_f64().unwrap()).collect()
        };
        for (number, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
            let tokens: Vec<u32> = numbers(&case["prompt_tokens"])
                .iter()
                .map(|token| *token as u32)
                .collect();
            let blocks: Vec<u32> = (0..BLOCKS as u32).collect();
            let found = model.run(&[piece(&tokens, 0, &blocks, Wanted::Logits)]).unwrap();
            let found = found.into_iter().next().flatten().unwrap();
            let expected = numbers(&case["logits"]);
            let scale = expected.iter().fold(0.0_f64, |max, logit| max.max(logit.abs()));
            let differences = found.iter().zip(&expected);
            let differences = differences.map(|(one, other)| (f64::from(*one) - other).abs());
            let worst = differences.fold(0.0, f64::max);
            assert!(worst <= 1e-3 * scale, "case {number}: {worst} of {scale}");
        }
    }

    #[test]
    fn neighbours_pieces_and_blocks_change_no_bit() {
        solo_logits(model());
    }

    #[test]
    fn nor_do_threads_in_any_format() {
        for format in WeightFormat::ALL {
            let expected = solo_logits(model_on(CpuDevice::new(1, false), format));
            for threads in 2..=4 {
                let found = solo_logits(model_on(CpuDevice::new(threads, false), format));
                assert_eq!(found, expected, "{threads} threads, {format}");
            }
        }
    }

    /// Logits of a sequence alone, which are the same in pieces and beside another.
    fn solo_logits(mut model: impl Executor) -> Vec<f32> {
        let tokens: Vec<u32> = (0..70).map(|n| n * 37 % 1000).collect();
        let alone = model
            .run(&[piece(&tokens, 0, &[0, 1, 2], Wanted::Logits)])
            .unwrap()
            .remove(0)
            .unwrap();
        // The same in pieces, in scattered blocks, beside another sequence.
        let blocks = [9, 4, 30];
        let mut last = None;
        for (number, cut) in [0..33, 33..34, 34..70].into_iter().enumerate() {
            let other = piece(&tokens[number..number + 5], 5 * number, &[7], Wanted::Logits);
            let own = piece(&tokens[cut.clone()], cut.start, &blocks, Wanted::Logits);
            last = model.run(&[other, own]).unwrap().remove(1);
        }
        assert_eq!(last.unwrap(), alone);
        alone
    }

    #[test]
    fn states_come_for_every_token_and_logits_belong_to_their_piece() {
        let mut model = model();
        let (one, other) = ([5, 6, 7], [8, 9]);
        let states = |model: &mut Transformer<_>, tokens: &[u32], block| {
            let result = model.run(&[piece(tokens, 0, &[block], Wanted::States)]).unwrap();
            result.into_iter().next().flatten().unwrap()
        };
        let (first, second) = (states(&mut model, &one, 0), states(&mut model, &other, 1));
        assert_eq!((first.len(), second.len()), (3 * 128, 2 * 128));
        let logits = model.run(&[piece(&one, 0, &[0], Wanted::Logits)]).unwrap().remove(0);
        let nothing = model.run(&[piece(&one, 0, &[6], Wanted::Nothing)]).unwrap();
        assert_eq!(nothing, [None]);
        let mixed = model
            .run(&[
                piece(&one, 0, &[2], Wanted::States),
                piece(&other, 0, &[3], Wanted::Nothing),
                piece(&one, 0, &[4], Wanted::Logits),
                piece(&other, 0, &[5], Wanted::States),
            ])
            .unwrap();
        assert_eq!(mixed, [Some(first), None, logits, Some(second)]);
    }
}
