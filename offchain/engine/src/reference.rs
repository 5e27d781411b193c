//! The engine against transformers, on the checkpoints that `scripts/models/reference/make.py` makes: for every folder
//! the logits after a prompt and after each of 64 greedy tokens, or the vector of an embedding model.

use crate::device::{BurnDevice, CpuDevice, Device, WeightFormat};
use crate::embedding::EmbeddingInput;
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::load::{Weights, load_embedder, read_spec};
use crate::model::{BlockId, Executor, LoadOptions, ModelSpec, Piece, Ranks, Transformer, Wanted};
use crate::options::EngineOptions;
use burn::backend::Flex;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// Of differences, relative to the largest logit of a prompt.
const TOLERANCE: f32 = 1e-3;
/// The same between one rank and several: only sums are in another order.
const RANKS_TOLERANCE: f32 = 1e-5;
/// Tokens of a piece of a prompt: not a divisor of the block size, so that pieces begin and end anywhere.
const PIECE: usize = 21;

/// What transformers computed from one prompt.
struct Golden {
    prompt: Vec<u32>,
    greedy: Vec<u32>,
    /// One row for each greedy token.
    logits: Vec<Vec<f32>>,
}

/// All folders of the place that `COCOON_REFERENCE` names. Without it nothing is compared, and that is said loudly; in CI
/// it must be there.
fn folders() -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("COCOON_REFERENCE") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "COCOON_REFERENCE names no folder of checkpoints"
        );
        eprintln!("SKIPPED: COCOON_REFERENCE is not set, the engine is not compared with transformers");
        return Vec::new();
    };
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries
        .filter(|path| path.join("golden.safetensors").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no checkpoint is there");
    folders
}

fn golden(folder: &Path) -> Vec<Golden> {
    let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| {
        let (words, _) = file.tensor(name).ok()?.data().as_chunks::<4>();
        Some(words.to_vec())
    };
    let tokens = |name: &str| Some(words(name)?.into_iter().map(u32::from_le_bytes).collect::<Vec<_>>());
    let case = |number: usize| {
        let numbers: Vec<f32> = words(&format!("logits.{number}"))?
            .into_iter()
            .map(f32::from_le_bytes)
            .collect();
        let greedy = tokens(&format!("greedy.{number}"))?;
        Some(Golden {
            prompt: tokens(&format!("prompt.{number}"))?,
            logits: numbers
                .chunks_exact(numbers.len() / greedy.len())
                .map(<[f32]>::to_vec)
                .collect(),
            greedy,
        })
    };
    (0..).map_while(case).collect()
}

fn load(folder: &Path, device: impl Device) -> Result<Box<dyn Executor>, EngineError> {
    load_with(folder, |spec, weights, options| {
        Ok(Box::new(Transformer::load(spec, weights, device, options)?))
    })
}

fn load_with(
    folder: &Path,
    load: impl FnOnce(&ModelSpec, &mut Weights, LoadOptions) -> Result<Box<dyn Executor>, EngineError>,
) -> Result<Box<dyn Executor>, EngineError> {
    let spec = read_spec(&folder.join("config.json"))?;
    let mut weights = Weights::open(folder)?;
    let options = LoadOptions {
        format: WeightFormat::F32,
        positions: spec.max_positions,
        blocks: 64,
    };
    let model = load(&spec, &mut weights, options)?;
    weights.finish()?;
    Ok(model)
}

/// One sequence, in blocks that do not lie side by side.
struct Sequence<'a> {
    executor: &'a mut dyn Executor,
    blocks: Vec<BlockId>,
    position: usize,
}

impl<'a> Sequence<'a> {
    fn new(executor: &'a mut dyn Executor, positions: usize) -> Self {
        let all = executor.blocks() as u32;
        let blocks = (0..positions.div_ceil(KV_BLOCK) as u32).map(|block| BlockId(block * 5 % all));
        Self {
            blocks: blocks.collect(),
            executor,
            position: 0,
        }
    }

    fn run(&mut self, tokens: &[u32], wanted: Wanted) -> Option<Vec<f32>> {
        let end = self.position + tokens.len();
        let piece = Piece {
            tokens: tokens.to_vec(),
            start: self.position,
            blocks: self.blocks[..end.div_ceil(KV_BLOCK)].to_vec(),
            wanted,
        };
        self.position = end;
        self.executor.run(&[piece]).unwrap().remove(0)
    }
}

fn best(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

/// The larger difference; one that is not a number is the largest of all.
fn worse(one: f32, other: f32) -> f32 {
    if one.is_nan() || one >= other { one } else { other }
}

/// The largest difference relative to the largest logit, and where the first other token was chosen.
fn compare(executor: &mut dyn Executor, golden: &Golden) -> (f32, Option<usize>) {
    let mut sequence = Sequence::new(executor, golden.prompt.len() + golden.greedy.len());
    let mut pieces = golden.prompt.chunks(PIECE).peekable();
    let mut logits = None;
    while let Some(piece) = pieces.next() {
        let wanted = match pieces.peek() {
            Some(_) => Wanted::Nothing,
            None => Wanted::Logits,
        };
        logits = sequence.run(piece, wanted);
    }
    let scale = golden
        .logits
        .iter()
        .flatten()
        .fold(0.0_f32, |scale, logit| scale.max(logit.abs()));
    let (mut worst, mut other) = (0.0_f32, None);
    for (step, (token, expected)) in golden.greedy.iter().zip(&golden.logits).enumerate() {
        let found = logits.take().unwrap();
        assert_eq!(found.len(), expected.len());
        let differences = found
            .iter()
            .zip(expected)
            .map(|(one, other)| (one - other).abs() / scale);
        worst = differences.fold(worst, worse);
        if best(&found) != *token {
            other = other.or(Some(step));
        }
        // With the token of the reference, so that one step says nothing about the next.
        logits = sequence.run(&[*token], Wanted::Logits);
    }
    (worst, other)
}

/// Compares every language model on one kind of device.
fn compare_all<D: Device>(device: impl Fn() -> D) {
    let mut failed = Vec::new();
    for folder in folders() {
        let golden = golden(&folder);
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if golden.is_empty() {
            continue; // an embedding model
        }
        let mut executor = match load(&folder, device()) {
            Ok(executor) => executor,
            Err(error) => {
                println!("{name:30} {error}");
                failed.push(name);
                continue;
            }
        };
        let results = golden.iter().map(|golden| compare(executor.as_mut(), golden));
        let (worst, other) = results.fold((0.0, None), |(worst, other): (f32, Option<usize>), (new, step)| {
            (worse(worst, new), other.or(step))
        });
        println!("{name:30} largest difference {worst:.1e}, first other token {other:?}");
        if worst.is_nan() || worst > TOLERANCE || other.is_some() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "unlike transformers: {}", failed.join(", "));
}

#[test]
fn every_family_is_that_of_transformers_on_the_cpu() {
    compare_all(|| CpuDevice::new(2, false));
}

#[test]
fn every_family_is_that_of_transformers_on_burn() {
    compare_all(BurnDevice::<Flex>::new);
}

/// The logits after a prompt in pieces and after some tokens of the answer.
fn all_logits(executor: &mut dyn Executor, golden: &Golden) -> Vec<Vec<f32>> {
    let mut sequence = Sequence::new(executor, golden.prompt.len() + golden.greedy.len());
    let pieces = golden.prompt.chunks(PIECE).chain(golden.greedy[..8].chunks(1));
    pieces.filter_map(|piece| sequence.run(piece, Wanted::Logits)).collect()
}

/// Compares every language model on one kind of device with the same on several of them.
fn compare_ranks<D: Device>(device: impl Fn() -> D) {
    for folder in folders() {
        let Some(golden) = golden(&folder).into_iter().next() else {
            continue; // an embedding model
        };
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let expected = all_logits(load(&folder, device()).unwrap().as_mut(), &golden);
        let scale = expected
            .iter()
            .flatten()
            .fold(0.0_f32, |scale, logit| scale.max(logit.abs()));
        for ranks in [2, 4] {
            let devices = (0..ranks).map(|_| device()).collect();
            let mut executor = load_with(&folder, |spec, weights, options| {
                Ok(Box::new(Ranks::load(spec, weights, devices, options)?))
            });
            let found = all_logits(executor.as_mut().unwrap().as_mut(), &golden);
            let pairs = found.iter().flatten().zip(expected.iter().flatten());
            let worst = pairs.map(|(one, other)| (one - other).abs() / scale).fold(0.0, worse);
            println!("{name:30} {ranks} ranks, largest difference {worst:.1e}");
            assert!(
                found.len() == expected.len() && worst <= RANKS_TOLERANCE,
                "{name}: {worst}"
            );
        }
    }
}

#[test]
fn every_family_is_the_same_on_several_ranks() {
    compare_ranks(|| CpuDevice::new(1, false));
}

#[test]
fn every_family_is_the_same_on_several_ranks_of_burn() {
    compare_ranks(BurnDevice::<Flex>::new);
}

#[test]
#[cfg(feature = "wgpu")]
fn every_family_is_that_of_transformers_on_vulkan() {
    if let Some(vulkan) = crate::kernels::cube::testing::vulkan() {
        compare_all(|| crate::device::CubeDevice::<cubecl::wgpu::WgpuRuntime>::new(&vulkan));
    }
}

#[test]
fn embedding_models_give_the_vectors_of_transformers() {
    let (folders, mut models) = (folders(), 0);
    for folder in folders.iter().filter(|folder| folder.join("modules.json").exists()) {
        models += 1;
        let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let words = |name: &str, number| {
            let (words, _) = file.tensor(&format!("{name}.{number}")).ok()?.data().as_chunks::<4>();
            Some(words.to_vec())
        };
        let tokens = |number| Some(words("prompt", number)?.into_iter().map(u32::from_le_bytes).collect());
        let inputs: Vec<_> = (0..).map_while(tokens).map(EmbeddingInput::Tokens).collect();
        // Steps so short that one input needs several, and so long that all go into one.
        for max_step_tokens in [1, 1024] {
            let options = EngineOptions {
                max_step_tokens,
                max_num_seqs: 1,
                ..EngineOptions::default()
            };
            let mut embedder = load_embedder(folder, &options).unwrap().into_embedder();
            let found = embedder.embed(&inputs, None).unwrap();
            assert_eq!(found.len(), inputs.len());
            for (number, found) in found.into_iter().enumerate() {
                let expected: Vec<f32> = words("embedding", number)
                    .unwrap()
                    .into_iter()
                    .map(f32::from_le_bytes)
                    .collect();
                let scale = expected.iter().fold(0.0_f32, |scale, number| scale.max(number.abs()));
                let differences = found
                    .numbers
                    .iter()
                    .zip(&expected)
                    .map(|(one, other)| (one - other).abs() / scale);
                let worst = differences.fold(0.0, worse);
                println!(
                    "{} largest difference {worst:.1e}",
                    folder.file_name().unwrap().display()
                );
                assert!(worst <= TOLERANCE, "{worst}");
            }
        }
    }
    assert!(folders.is_empty() || models > 0, "no embedding model is there");
}
