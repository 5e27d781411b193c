//! The kernels on Vulkan, which Mesa's lavapipe has on any processor, against the reference and the CPU.

use super::*;
use crate::device::BurnDevice;
use crate::device::cpu::tests::{
    AddScale, Clamped, Columns, Gelu, Linear, LinearBf16, LinearHeads, LinearInBlocks, Mixture, Operation, Reference,
    RmsNorm, Rope, Silu, attended, attention_shapes, batch, host_rows, numbers, on,
};
use crate::kernels::cube::testing;
use crate::sampling::{Sampler, Sampling};
use burn::backend::Flex;

type Vulkan = CubeDevice<cubecl::wgpu::WgpuRuntime>;

/// Compares an operation with the reference, and rows alone with the same rows among others.
fn check<O: Operation>(tolerance: f32) {
    let Some(vulkan) = testing::vulkan() else { return };
    for rows in [1, 3, 40, 130] {
        let input = numbers(rows * O::WIDTH, rows as u64);
        let all = batch(&[(0, rows, 0)]);
        let expected = on::<_, O>(Reference::new(), &input, &all);
        let found = on::<_, O>(Vulkan::new(&vulkan), &input, &all);
        near(&found, &expected, tolerance);
        let width = found.len() / rows;
        for row in (0..rows).step_by(rows.div_ceil(3)) {
            let one = on::<_, O>(
                Vulkan::new(&vulkan),
                &input[row * O::WIDTH..(row + 1) * O::WIDTH],
                &batch(&[(row, 1, 0)]),
            );
            assert!(one == found[row * width..(row + 1) * width], "row {row} of {rows}");
        }
    }
}

fn near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let greatest = expected.iter().fold(0.0_f32, |most, number| most.max(number.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance * greatest,
            "{found} is not {expected} of {greatest}"
        );
    }
}

/// Tests of operations.
macro_rules! operations {
    ($($test:ident: $operation:ty;)*) => {
        $(#[test]
        fn $test() {
            check::<$operation>(1e-5);
        })*
    };
}

operations! {
    linear_is_the_product: Linear;
    linear_in_bf16_is_the_product_of_rounded_weights: LinearBf16;
    linear_in_q8_is_the_product_of_rounded_weights: LinearInBlocks<2>;
    linear_in_q4_is_the_product_of_rounded_weights: LinearInBlocks<3>;
    heads_have_their_own_matrices: LinearHeads;
    norms_are_of_groups: RmsNorm;
    sums_and_factors: AddScale;
    silu_gates: Silu;
    gelu_gates: Gelu;
    clamped_gates: Clamped;
    columns_and_heads_join: Columns;
    heads_turn: Rope;
    experts_add_up_by_their_weights: Mixture;
}

/// The kernels of tensor cores, with plain multiplications in their place: a product of numbers that bf16 has, over several
/// slices, is near the reference, and few rows have the bits of the same among many.
#[test]
fn tiles_add_up_slices_whatever_the_number_of_rows() {
    let Some(vulkan) = testing::vulkan() else { return };
    let (inputs, outputs) = (600, 200);
    for (format, tolerance) in [
        (WeightFormat::Bf16, 1e-5),
        (WeightFormat::Q8, 4e-3),
        (WeightFormat::Q4, 4e-3),
    ] {
        let mut input = numbers(150 * inputs, 5);
        crate::device::rounding::round(&mut input, WeightFormat::Bf16);
        let bias = numbers(outputs, 9);
        let rows = host_rows(outputs, inputs, 1);
        let mut reference = Reference::new();
        let matrix = reference.matrix(&rows, Some(&bias), format).unwrap();
        let tensor = reference.tensor(inputs, &input);
        let expected = reference.linear(&tensor, &matrix);
        let expected = reference.host(expected).unwrap();
        let mut device = Vulkan::new(&vulkan).imitating();
        let matrix = device.matrix(&rows, Some(&bias), format).unwrap();
        let mut product = |rows: Range<usize>| {
            let tensor = device.tensor(inputs, &input[rows.start * inputs..rows.end * inputs]);
            let out = device.linear(&tensor, &matrix);
            device.host(out).unwrap()
        };
        let many = product(0..150);
        near(&many, &expected, tolerance);
        for rows in [0..1, 7..30, 100..150] {
            let of_many = &many[rows.start * outputs..rows.end * outputs];
            assert!(product(rows.clone()) == of_many, "{rows:?} in {format}");
        }
    }
}

/// Draws on the device and on the host agree, but where the random number falls on a border.
#[test]
fn tokens_are_those_of_the_host() {
    let Some(vulkan) = testing::vulkan() else { return };
    let mut device = Vulkan::new(&vulkan);
    let count = 1003;
    let kinds = [
        (0.0, 0, 1.0, 0.0),
        (1.0, 0, 1.0, 0.0),
        (0.7, 20, 1.0, 0.0),
        (1.2, 0, 0.9, 0.0),
        (0.6, 20, 0.95, 0.01),
        (1.0, 1, 0.5, 0.0),
        (1.5, 0, 1.0, 0.2),
    ];
    let mut logits: Vec<f32> = numbers(count * 21, 6)
        .iter()
        .map(|number| (number * 40.0).round() / 5.0)
        .collect();
    logits[count * 20] = f32::NAN;
    let samplers: Vec<_> = (0..21)
        .map(|row| {
            let (temperature, top_k, top_p, min_p) = kinds[row % kinds.len()];
            let sampling = Sampling {
                temperature,
                top_k,
                top_p,
                min_p,
                ..Sampling::default()
            };
            Sampler::new(sampling, row as u64, &[])
        })
        .collect();
    let draws: Vec<_> = samplers.iter().map(|sampler| sampler.draw(5).unwrap()).collect();
    let tensor = device.tensor(count, &logits);
    let (chosen, found) = device.choose(tensor, &draws).unwrap();
    // What is asked for before the tokens are read does not change them.
    let table = device.matrix(&host_rows(count, 8, 2), None, WeightFormat::F32).unwrap();
    let places: Vec<_> = (0..21).rev().map(Some).chain([None]).collect();
    let rows = device.embed_chosen(&table, &[7; 22], &chosen, &places).unwrap();
    let found = found().unwrap();
    // Where there is no token, there is any row.
    let tokens: Vec<u32> = found.iter().rev().map(|token| token.unwrap_or(0)).chain([7]).collect();
    let known = device.embed(&table, &tokens);
    assert_eq!(device.host(rows).unwrap(), device.host(known).unwrap());
    let rows = logits.chunks(count).map(<[f32]>::to_vec);
    let expected: Vec<Option<u32>> = samplers
        .into_iter()
        .zip(rows)
        .map(|(mut sampler, logits)| sampler.next(5, logits).ok().map(|chosen| chosen.token))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn attention_is_the_reference() {
    let Some(vulkan) = testing::vulkan() else { return };
    for (shape, shared) in attention_shapes() {
        let expected = attended(Reference::new(), &shape, shared);
        let found = attended(Vulkan::new(&vulkan), &shape, shared);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5, "{found} is not {expected}");
        }
    }
}

#[test]
fn rows_of_the_embedding_are_gathered() {
    let Some(vulkan) = testing::vulkan() else { return };
    for format in WeightFormat::ALL {
        let tokens: Vec<u32> = (0..500).map(|token| token * 37 % 61).collect();
        let mut reference = BurnDevice::<Flex>::new();
        let table = reference.matrix(&host_rows(61, 50, 2), None, format).unwrap();
        let expected = reference.embed(&table, &tokens);
        let expected = reference.host(expected).unwrap();
        let mut device = Vulkan::new(&vulkan);
        let table = device.matrix(&host_rows(61, 50, 2), None, format).unwrap();
        let found = device.embed(&table, &tokens);
        let two = device.rows(&found, &[499, 3]);
        assert_eq!(
            device.host(two).unwrap(),
            [&expected[499 * 50..], &expected[150..200]].concat()
        );
        assert_eq!(device.host(found).unwrap(), expected, "{format}");
    }
}

#[test]
fn a_sum_and_its_norm_are_one_operation() {
    let Some(vulkan) = testing::vulkan() else { return };
    let mut device = Vulkan::new(&vulkan);
    let scale = device.vector(&numbers(70, 3)).unwrap();
    let other = device.tensor(70, &numbers(70 * 5, 2));
    let mut one = device.tensor(70, &numbers(70 * 5, 1));
    let mut two = device.tensor(70, &numbers(70 * 5, 1));
    device.add(&mut one, &other);
    let apart = device.rms_norm(&one, &scale, 1e-6);
    let joined = device.add_norm(&mut two, &other, &scale, 1e-6);
    assert_eq!(device.host(apart).unwrap(), device.host(joined).unwrap());
    assert_eq!(device.host(one).unwrap(), device.host(two).unwrap());
}
