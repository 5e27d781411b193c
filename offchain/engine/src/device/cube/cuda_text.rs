//! Every kernel, as it is started for the operations and for a whole model, can be written as CUDA C++, with tensor cores
//! and without. Runs nothing, so it needs no GPU: `cargo test --release -p cocoon-engine --features cuda --lib cuda_text`.
#![allow(clippy::unwrap_used)] // a test

use super::*;
use crate::device::cpu::tests::{
    AddScale, Clamped, Columns, Gelu, Linear, LinearBf16, LinearHeads, LinearInBlocks, Mixture, Operation, RmsNorm,
    Rope, Silu, attended, attention_shapes, batch, host_rows, numbers, on,
};
use crate::kernels::cube::cuda_text::{TextDevice, TextRuntime, Written, written};
use std::collections::BTreeSet;

type Text = CubeDevice<TextRuntime>;

/// Where kernels are: the functions behind their marks are what must be written.
const SOURCES: [&str; 6] = [
    include_str!("../../kernels/cube/attention.rs"),
    include_str!("../../kernels/cube/choose.rs"),
    include_str!("../../kernels/cube/linear.rs"),
    include_str!("../../kernels/cube/rope.rs"),
    include_str!("../../kernels/cube/rows.rs"),
    include_str!("../../kernels/cube/tensor_cores.rs"),
];

/// Names of all kernels in the sources.
fn kernels() -> BTreeSet<String> {
    let functions = SOURCES
        .iter()
        .flat_map(|source| source.split("#[cube(launch_unchecked)]").skip(1));
    let name = |text: &str| {
        let (_, rest) = text.split_once("fn ").unwrap();
        rest.split(['(', '<']).next().unwrap().to_owned()
    };
    functions.map(name).collect()
}

/// Starts every kernel for a device.
fn start_all(device: &TextDevice) {
    fn operation<O: Operation>(device: &TextDevice) {
        for rows in [1, 3, 130] {
            let input = numbers(rows * O::WIDTH, 1);
            on::<_, O>(Text::new(device), &input, &batch(&[(0, rows, 0)]));
        }
    }
    operation::<Linear>(device);
    operation::<LinearBf16>(device);
    operation::<LinearInBlocks<2>>(device);
    operation::<LinearInBlocks<3>>(device);
    operation::<LinearHeads>(device);
    operation::<RmsNorm>(device);
    operation::<AddScale>(device);
    operation::<Silu>(device);
    operation::<Gelu>(device);
    operation::<Clamped>(device);
    operation::<Columns>(device);
    operation::<Rope>(device);
    operation::<Mixture>(device);
    for (shape, shared) in attention_shapes() {
        attended(Text::new(device), &shape, shared);
    }
    for format in WeightFormat::ALL {
        let mut gpu = Text::new(device);
        let table = gpu.matrix(&host_rows(61, 64, 2), None, format).unwrap();
        let rows = gpu.embed(&table, &[1, 2]);
        let logits = gpu.linear(&rows, &table);
        let draw = Draw {
            temperature: 1.0,
            top_p: 0.9,
            top_k: 5,
            min_p: 0.1,
            uniform: 0.5,
        };
        let (tokens, choices) = gpu.choose(logits, &[draw; 2]).unwrap();
        gpu.embed_chosen(&table, &[0; 2], &tokens, &[Some(1), None]).unwrap();
        assert_eq!(choices().unwrap(), [Some(0); 2]);
        let mut sum = gpu.rows(&rows, &[1]);
        let (other, scale) = (gpu.rows(&rows, &[0]), gpu.vector(&[1.0; 64]).unwrap());
        gpu.add_norm(&mut sum, &other, &scale, 1e-6);
        grouped(&mut gpu);
    }
}

/// Heads with norms and rotation on their way to attention.
fn grouped(gpu: &mut Text) {
    let shape = AttentionShape {
        heads: 4,
        kv_heads: 2,
        key_dim: 32,
        value_dim: 32,
        scale: 1.0,
        window: None,
        softcap: None,
    };
    let cache = CacheShape {
        kv_heads: 2,
        key_dim: 32,
        value_dim: 32,
    };
    let mut cache = gpu.cache(&[cache], 8).unwrap();
    let table = RopeTable {
        half: 16,
        cos: vec![1.0; 256 * 16],
        sin: vec![0.0; 256 * 16],
    };
    let (table, scale) = (gpu.rope_table(&table).unwrap(), gpu.vector(&[1.0; 32]).unwrap());
    for normed in [true, false] {
        let heads = GroupedHeads {
            query_norm: normed.then_some((&scale, 1e-6)),
            key_norm: normed.then_some((&scale, 1e-6)),
            rope: Some(&table),
            sinks: None,
        };
        let all = gpu.tensor(256, &numbers(256 * 3, 1));
        gpu.attend_grouped(&mut cache, 0, &shape, all, &heads, &batch(&[(0, 3, 0)]));
    }
}

/// What is wrong with a kernel's text, if anything.
fn fault(written: &Written) -> Option<String> {
    let source = match &written.source {
        Ok(source) => source,
        Err(error) => return Some(error.clone()),
    };
    let count = |sign: char| source.chars().filter(|found| *found == sign).count();
    let pairs = [('{', '}'), ('(', ')'), ('[', ']')];
    let faults = [
        (!source.contains("__global__"), "is no kernel"),
        (
            pairs.iter().any(|(one, other)| count(*one) != count(*other)),
            "has an open bracket",
        ),
        (
            written.shared > 48 * 1024,
            "wants more shared memory than every GPU has",
        ),
        (written.units > 1024, "wants more units than a cube has"),
    ];
    faults.iter().find(|(is, _)| *is).map(|(_, fault)| (*fault).to_owned())
}

#[test]
fn every_kernel_is_written_as_cuda() {
    for (architecture, has_tensor_cores) in [(90, true), (61, false)] {
        let device = TextDevice { architecture };
        start_all(&device);
        let all = written(&device);
        for written in &all {
            assert_eq!(fault(written), None, "{} for {architecture}", written.name);
        }
        let with_tiles = |written: &&Written| {
            written
                .source
                .as_ref()
                .is_ok_and(|source| source.contains("wmma::mma_sync"))
        };
        let tiles: BTreeSet<_> = all
            .iter()
            .filter(with_tiles)
            .map(|written| written.name.as_str())
            .collect();
        let found: BTreeSet<String> = all.iter().map(|written| written.name.clone()).collect();
        let mut expected = kernels();
        if has_tensor_cores {
            assert_eq!(tiles, BTreeSet::from(["few_rows", "many_rows"]));
        } else {
            assert!(tiles.is_empty());
            expected.remove("few_rows");
            expected.remove("many_rows");
        }
        assert_eq!(found, expected, "for {architecture}");
    }
}
