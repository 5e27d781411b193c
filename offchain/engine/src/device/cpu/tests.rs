use super::*;
use crate::device::{BurnDevice, WeightFormat};
use crate::model::{BlockId, HostRows, Piece, Wanted};

pub(in crate::device) type Reference = BurnDevice<burn::backend::Flex>;

/// Numbers between -1 and 1 that look random and are always the same.
pub(in crate::device) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

pub(in crate::device) fn host_rows(outputs: usize, inputs: usize, seed: u64) -> HostRows {
    HostRows::new(inputs, numbers(outputs * inputs, seed))
}

/// One operation on a device: from rows of the batch to rows.
pub(in crate::device) trait Operation {
    /// What rows it takes.
    const WIDTH: usize;
    /// How far results may be apart, of the greatest.
    const TOLERANCE: f32 = 1e-5;
    fn run<D: Device>(device: &mut D, input: D::Tensor, batch: &Batch) -> D::Tensor;
}

/// A batch of sequences: how many tokens each has, and where they begin.
pub(in crate::device) fn batch(pieces: &[(usize, usize, u32)]) -> Batch {
    let pieces: Vec<Piece> = pieces
        .iter()
        .map(|(start, tokens, first_block)| Piece {
            tokens: (0..*tokens as u32)
                .map(|token| (token * 7 + *start as u32) % 50)
                .collect(),
            start: *start,
            blocks: (0..8).map(|block| BlockId(first_block + 7 - block)).collect(),
            wanted: Wanted::Nothing,
        })
        .collect();
    Batch::of(&pieces)
}

pub(in crate::device) fn on<D: Device, O: Operation>(mut device: D, rows: &[f32], batch: &Batch) -> Vec<f32> {
    let input = device.tensor(O::WIDTH, rows);
    let out = O::run(&mut device, input, batch);
    device.host(out).unwrap()
}

/// Compares an operation with the reference, and every row alone with the same row among others, on 1 to 4 threads.
fn check<O: Operation>() {
    // More than one tile of tokens, and enough rows that threads share them.
    for rows in [1, 3, 6, 7, 40, 300] {
        let input = numbers(rows * O::WIDTH, rows as u64);
        let all = batch(&[(0, rows, 0)]);
        let expected = on::<_, O>(Reference::new(), &input, &all);
        let found = on::<_, O>(CpuDevice::new(1, false), &input, &all);
        assert_eq!(found.len(), expected.len());
        let greatest = expected
            .iter()
            .fold(0.0_f32, |greatest, number| greatest.max(number.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() <= O::TOLERANCE * greatest,
                "{found} is not {expected} of {greatest}"
            );
        }
        for threads in 2..=4 {
            assert_eq!(
                on::<_, O>(CpuDevice::new(threads, false), &input, &all),
                found,
                "{threads} threads"
            );
        }
        let width = found.len() / rows;
        for row in (0..rows).step_by(rows.div_ceil(5)) {
            let one = on::<_, O>(
                CpuDevice::new(2, false),
                &input[row * O::WIDTH..(row + 1) * O::WIDTH],
                &batch(&[(row, 1, 0)]),
            );
            assert_eq!(one, found[row * width..(row + 1) * width], "row {row} of {rows}");
        }
    }
}

/// Defines an operation and its test.
macro_rules! operation {
    ($test:ident, $name:ident, $width:expr, |$device:ident, $input:ident, $batch:ident| $body:expr) => {
        pub(in crate::device) struct $name;
        impl Operation for $name {
            const WIDTH: usize = $width;
            fn run<D: Device>($device: &mut D, $input: D::Tensor, $batch: &Batch) -> D::Tensor {
                $body
            }
        }
        #[test]
        fn $test() {
            check::<$name>();
        }
    };
}

operation!(linear_is_the_product, Linear, 96, |device, input, _batch| {
    let bias = numbers(203, 9);
    let matrix = device
        .matrix(&host_rows(203, 96, 1), Some(&bias), WeightFormat::F32)
        .unwrap();
    device.linear(&input, &matrix)
});

operation!(
    linear_in_bf16_is_the_product_of_rounded_weights,
    LinearBf16,
    96,
    |device, input, _batch| {
        let matrix = device.matrix(&host_rows(520, 96, 1), None, WeightFormat::Bf16).unwrap();
        device.linear(&input, &matrix)
    }
);

/// Inputs are rounded to bytes too, which the reference does not do.
pub(in crate::device) struct LinearInBlocks<const FORMAT: usize>;

impl<const FORMAT: usize> Operation for LinearInBlocks<FORMAT> {
    const WIDTH: usize = 160;
    const TOLERANCE: f32 = 0.02;
    fn run<D: Device>(device: &mut D, input: D::Tensor, _batch: &Batch) -> D::Tensor {
        let matrix = device
            .matrix(&host_rows(203, 160, 1), None, WeightFormat::ALL[FORMAT])
            .unwrap();
        device.linear(&input, &matrix)
    }
}

#[test]
fn linear_in_q8_is_near_the_product() {
    check::<LinearInBlocks<2>>();
}

#[test]
fn linear_in_q4_is_near_the_product() {
    check::<LinearInBlocks<3>>();
}

operation!(
    heads_have_their_own_matrices,
    LinearHeads,
    3 * 24,
    |device, input, _batch| {
        let matrices: Vec<_> = (0..3)
            .map(|head| {
                device
                    .matrix(&host_rows(40, 24, head), None, WeightFormat::F32)
                    .unwrap()
            })
            .collect();
        device.linear_heads(&input, &matrices)
    }
);

operation!(norms_are_of_groups, RmsNorm, 6 * 32, |device, input, _batch| {
    let scale = device.vector(&numbers(32, 4)).unwrap();
    device.rms_norm(&input, &scale, 1e-5)
});

operation!(sums_and_factors, AddScale, 200, |device, input, _batch| {
    let scale = device.vector(&numbers(200, 8)).unwrap();
    let mut sum = device.rms_norm(&input, &scale, 1e-5);
    device.add(&mut sum, &input);
    device.scale(&mut sum, 1.7);
    sum
});

operation!(silu_gates, Silu, 2 * 90, |device, input, _batch| device
    .gated(input, Activation::Silu));
operation!(gelu_gates, Gelu, 2 * 90, |device, input, _batch| device
    .gated(input, Activation::GeluTanh));
operation!(clamped_gates, Clamped, 2 * 90, |device, input, _batch| {
    let activation = Activation::ClampedSwiglu {
        alpha: 1.702,
        limit: 0.5,
    };
    device.gated(input, activation)
});

operation!(columns_and_heads_join, Columns, 4 * 10, |device, input, _batch| {
    let left = device.columns(&input, 0..24);
    let right = device.columns(&input, 24..40);
    device.join_heads(&left, &right, 4)
});

fn rope_table<D: Device>(device: &mut D) -> D::Rope {
    let angles: Vec<f64> = (0..512 * 8)
        .map(|place| (place / 8) as f64 / 100_f64.powf((place % 8) as f64 / 8.0))
        .collect();
    let table = RopeTable {
        half: 8,
        cos: angles.iter().map(|angle| angle.cos() as f32).collect(),
        sin: angles.iter().map(|angle| angle.sin() as f32).collect(),
    };
    device.rope_table(&table).unwrap()
}

operation!(heads_turn, Rope, 3 * 20, |device, input, batch| {
    let mut input = input;
    let table = rope_table(device);
    let shape = RopeHeads {
        heads: 3,
        stride: 20,
        offset: 4,
    };
    device.rope(&mut input, shape, &table, batch);
    input
});

operation!(experts_add_up_by_their_weights, Mixture, 48, |device, input, batch| {
    let experts: Vec<Expert<D>> = (0..5)
        .map(|expert| Expert {
            gate_up: device
                .matrix(&host_rows(2 * 40, 48, expert), None, WeightFormat::F32)
                .unwrap(),
            down: device
                .matrix(&host_rows(48, 40, expert + 50), None, WeightFormat::F32)
                .unwrap(),
        })
        .collect();
    // By position, so that a row alone takes the same way; some rows take none.
    let routes: Vec<Route> = batch
        .positions
        .iter()
        .enumerate()
        .flat_map(|(row, position)| {
            let position = *position as usize;
            let chosen = [(position * 3 + 1) % 5, (position * 3) % 5, (position + 4) % 5];
            let distinct = if chosen[0] == chosen[2] || chosen[1] == chosen[2] {
                2
            } else {
                3
            };
            chosen
                .into_iter()
                .take(if position % 7 == 3 { 0 } else { distinct })
                .enumerate()
                .map(move |(place, expert)| Route {
                    row,
                    expert,
                    weight: 0.2 + place as f32 * 0.3,
                })
        })
        .collect();
    device.experts(&input, &experts, &routes, Activation::Silu)
});

#[test]
fn rows_of_the_embedding_are_gathered() {
    for format in WeightFormat::ALL {
        let tokens: Vec<u32> = (0..500).map(|token| token * 37 % 61).collect();
        let mut reference = Reference::new();
        let table = reference.matrix(&host_rows(61, 50, 2), None, format).unwrap();
        let expected = reference.embed(&table, &tokens);
        let expected = reference.host(expected).unwrap();
        let mut device = CpuDevice::new(2, false);
        let table = device.matrix(&host_rows(61, 50, 2), None, format).unwrap();
        let found = device.embed(&table, &tokens);
        let two = device.rows(&found, &[499, 3]);
        assert_eq!(
            device.host(two).unwrap(),
            [&expected[499 * 50..], &expected[150..200]].concat()
        );
        assert_eq!(device.host(found).unwrap(), expected);
    }
}

/// Attends two steps on a device: a prompt beside another, then a token of each.
pub(in crate::device) fn attended<D: Device>(mut device: D, shape: &AttentionShape, shared: bool) -> Vec<f32> {
    let cache = CacheShape {
        kv_heads: shape.kv_heads,
        key_dim: shape.key_dim,
        value_dim: if shared { 0 } else { shape.value_dim },
    };
    let mut cache = device.cache(&[cache, cache], 16).unwrap();
    let sinks = device.vector(&numbers(shape.heads, 3)).unwrap();
    let mut out = Vec::new();
    for (step, pieces) in [[(0, 45, 0), (0, 20, 8)], [(45, 1, 0), (20, 1, 8)]].iter().enumerate() {
        let batch = batch(pieces);
        let rows = batch.tokens.len();
        let mut tensor = |width: usize, seed| device.tensor(width, &numbers(rows * width, seed + step as u64 * 10));
        let queries = tensor(shape.heads * shape.key_dim, 1);
        let keys = tensor(shape.kv_heads * shape.key_dim, 2);
        let values = tensor(shape.kv_heads * shape.value_dim, 3);
        let values = (!shared).then_some(&values);
        let attended = device.attend(&mut cache, 1, shape, &queries, &keys, values, Some(&sinks), &batch);
        out.extend(device.host(attended).unwrap());
    }
    out
}

/// Kinds of attention, and whether values are columns of keys.
pub(in crate::device) fn attention_shapes() -> [(AttentionShape, bool); 3] {
    let shape = AttentionShape {
        heads: 6,
        kv_heads: 2,
        key_dim: 20,
        value_dim: 16,
        scale: 0.8,
        window: None,
        softcap: None,
    };
    let windowed = AttentionShape {
        window: Some(9),
        softcap: Some(2.0),
        ..shape
    };
    [(shape, false), (windowed, false), (shape, true)]
}

#[test]
fn attention_is_the_reference() {
    for (shape, shared) in attention_shapes() {
        let expected = attended(Reference::new(), &shape, shared);
        let found = attended(CpuDevice::new(1, false), &shape, shared);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5, "{found} is not {expected}");
        }
        for threads in 2..=4 {
            assert_eq!(attended(CpuDevice::new(threads, false), &shape, shared), found);
        }
    }
}

#[test]
fn the_arena_stops_growing() {
    let mut device = CpuDevice::new(2, false);
    let matrix = device.matrix(&host_rows(64, 64, 1), None, WeightFormat::F32).unwrap();
    let step = |device: &mut CpuDevice| {
        let input = device.tensor(64, &numbers(64 * 9, 1));
        let out = device.linear(&input, &matrix);
        let out = device.linear(&out, &matrix);
        device.gated(out, Activation::Silu).numbers.as_ptr()
    };
    let first = step(&mut device);
    for _ in 0..10 {
        assert_eq!(step(&mut device), first);
    }
}
