//! What a number becomes in each format of weights: the definition that packed formats follow.

use super::WeightFormat;
use half::{bf16, f16};

/// Numbers that share a scale in [`WeightFormat::Q8`] and [`WeightFormat::Q4`].
pub(crate) const BLOCK: usize = 32;

/// Makes a row of a matrix what it is after packing and unpacking. A last block may be shorter.
pub(crate) fn round(row: &mut [f32], format: WeightFormat) {
    match format {
        WeightFormat::F32 => {}
        WeightFormat::Bf16 => row
            .iter_mut()
            .for_each(|number| *number = bf16::from_f32(*number).to_f32()),
        WeightFormat::Q8 => row.chunks_mut(BLOCK).for_each(|block| {
            let largest = block.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            let (scale, inverse) = scales(largest / 127.0);
            block
                .iter_mut()
                .for_each(|number| *number = (*number * inverse).round() * scale);
        }),
        WeightFormat::Q4 => row.chunks_mut(BLOCK).for_each(|block| {
            let further = |one: f32, other: f32| if other.abs() > one.abs() { other } else { one };
            let largest = block.iter().copied().fold(0.0, further);
            let (scale, inverse) = scales(largest / -8.0);
            block.iter_mut().for_each(|number| {
                let steps = (*number * inverse + 8.5).floor().clamp(0.0, 15.0);
                *number = (steps - 8.0) * scale;
            });
        }),
    }
}

/// The scale as it is stored, and the inverse of the exact one, by which numbers are counted (as GGUF does it).
fn scales(exact: f32) -> (f32, f32) {
    let inverse = if exact == 0.0 { 0.0 } else { 1.0 / exact };
    (f16::from_f32(exact).to_f32(), inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_stays_within_half_a_step() {
        let row: Vec<f32> = (0..80)
            .map(|n| (n as f32 * 0.7).sin() * (1.0 + n as f32 / 20.0))
            .collect();
        for (format, step) in [
            (WeightFormat::F32, 0.0),
            (WeightFormat::Bf16, 1.0 / 128.0),
            (WeightFormat::Q8, 1.0 / 127.0),
            (WeightFormat::Q4, 1.0 / 8.0),
        ] {
            let mut rounded = row.clone();
            round(&mut rounded, format);
            for (block, exact) in rounded.chunks(BLOCK).zip(row.chunks(BLOCK)) {
                let largest = exact.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
                for (one, other) in block.iter().zip(exact) {
                    // Half a step; at the far end of q4 a whole one; and the scale's own rounding.
                    let allowed = largest * step * if format == WeightFormat::Q4 { 1.01 } else { 0.51 };
                    let scale_error = if step == 0.0 { 0.0 } else { largest / 1000.0 };
                    assert!(
                        (one - other).abs() <= allowed + scale_error,
                        "{format:?}: {one} for {other}"
                    );
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for format in [WeightFormat::Q8, WeightFormat::Q4] {
            let mut row = vec![0.0; 40];
            round(&mut row, format);
            assert!(row.iter().all(|number| *number == 0.0));
        }
    }
}
