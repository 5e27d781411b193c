use super::*;
use crate::device::{BurnDevice, CpuDevice, WeightFormat};
use crate::load::{Weights, read_spec};
use crate::model::BlockId;
use crate::tiny;
use burn::backend::Flex;

const BLOCKS: usize = 16;

fn options(spec: &ModelSpec, format: WeightFormat) -> LoadOptions {
    LoadOptions {
        format,
        positions: spec.max_positions,
        blocks: BLOCKS,
    }
}

fn load<D: Device>(ranks: usize, format: WeightFormat, device: impl Fn() -> D) -> Result<Ranks, EngineError> {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    let spec = read_spec(&folder.path().join("config.json")).unwrap();
    let mut weights = Weights::open(folder.path()).unwrap();
    let devices = (0..ranks).map(|_| device()).collect();
    let model = Ranks::load(&spec, &mut weights, devices, options(&spec, format))?;
    weights.finish()?;
    Ok(model)
}

fn cpu(ranks: usize, format: WeightFormat) -> Ranks {
    load(ranks, format, || CpuDevice::new(1, false)).unwrap()
}

fn piece(tokens: &[u32], start: usize, blocks: &[u32], wanted: Wanted) -> Piece {
    Piece {
        tokens: tokens.to_vec(),
        start,
        blocks: blocks.iter().map(|id| BlockId(*id)).collect(),
        wanted,
    }
}

/// Logits of a sequence alone, which are the same in pieces and beside another.
fn solo_logits(model: &mut dyn Executor) -> Vec<f32> {
    let tokens: Vec<u32> = (0..70).map(|n| n * 37 % 1000).collect();
    let alone = model.run(&[piece(&tokens, 0, &[0, 1, 2], Wanted::Logits)]).unwrap();
    let alone = alone.into_iter().next().flatten().unwrap();
    let blocks = [9, 4, 13];
    let mut last = None;
    for (number, cut) in [0..33, 33..34, 34..70].into_iter().enumerate() {
        let other = piece(&tokens[number..number + 5], 5 * number, &[7], Wanted::Logits);
        let own = piece(&tokens[cut.clone()], cut.start, &blocks, Wanted::Logits);
        last = model.run(&[other, own]).unwrap().remove(1);
    }
    assert_eq!(last.unwrap(), alone, "neighbours or pieces change bits");
    alone
}

/// The largest difference relative to the largest number.
fn difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let scale = other.iter().fold(0.0_f32, |scale, number| scale.max(number.abs()));
    let differences = one.iter().zip(other).map(|(one, other)| (one - other).abs() / scale);
    differences.fold(0.0, f32::max)
}

#[test]
fn logits_are_those_of_one_rank_and_no_batch_changes_a_bit() {
    let expected = solo_logits(&mut cpu(1, WeightFormat::F32));
    for ranks in [2, 3, 4] {
        let found = solo_logits(&mut cpu(ranks, WeightFormat::F32));
        assert!(difference(&found, &expected) <= 1e-5, "{ranks} ranks");
        assert_eq!(found, solo_logits(&mut cpu(ranks, WeightFormat::F32)), "another run");
    }
    let mut burn = load(2, WeightFormat::F32, BurnDevice::<Flex>::new).unwrap();
    assert!(difference(&solo_logits(&mut burn), &expected) <= 1e-5);
}

#[test]
fn threads_of_ranks_change_no_bit_in_any_format() {
    for format in WeightFormat::ALL {
        let expected = solo_logits(&mut cpu(2, format));
        let mut more = load(2, format, || CpuDevice::new(3, false)).unwrap();
        assert_eq!(solo_logits(&mut more), expected, "{format}");
    }
}

#[test]
fn states_and_logits_come_to_their_pieces() {
    let (mut one, mut two) = (cpu(1, WeightFormat::F32), cpu(2, WeightFormat::F32));
    let (tokens, other) = ([5, 6, 7], [8, 9]);
    let pieces = [
        piece(&tokens, 0, &[2], Wanted::States),
        piece(&other, 0, &[3], Wanted::Nothing),
        piece(&tokens, 0, &[4], Wanted::Logits),
        piece(&other, 0, &[5], Wanted::States),
    ];
    let (one, two) = (one.run(&pieces).unwrap(), two.run(&pieces).unwrap());
    for (one, two) in one.iter().zip(&two) {
        match (one, two) {
            (None, None) => {}
            (Some(one), Some(two)) => assert!(difference(two, one) <= 1e-5),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_model_of_too_few_heads_is_refused() {
    let error = load(64, WeightFormat::F32, || CpuDevice::new(1, false)).err().unwrap();
    assert!(matches!(error, EngineError::Ranks { ranks: 64, .. }), "{error:?}");
}

#[test]
fn a_rank_that_dies_is_an_error_and_not_a_wait() {
    let mut model = cpu(2, WeightFormat::F32);
    // A block that the cache does not have: both devices panic.
    let outside = piece(&[1], 0, &[BLOCKS as u32], Wanted::Logits);
    assert!(matches!(model.run(&[outside]), Err(EngineError::Device { .. })));
    let good = piece(&[1], 0, &[0], Wanted::Logits);
    assert!(model.run(&[good]).is_err(), "keys and values are not known any more");
}
