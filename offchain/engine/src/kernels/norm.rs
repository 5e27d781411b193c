//! Root mean square norms.

use super::vectors::{LANES, tree_sum, widest};

widest! {
    /// Divides every group of as many columns as `scale` has numbers by the root of its mean square plus `epsilon`, and
    /// multiplies it by `scale`.
    pub(crate) fn rms_norm(input: &[f32], out: &mut [f32], scale: &[f32], epsilon: f32) = rms_norm_body
}

#[inline(always)]
fn rms_norm_body(input: &[f32], out: &mut [f32], scale: &[f32], epsilon: f32) {
    let width = scale.len();
    for (input, out) in input.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        // Column `c` in lane `c % LANES`, ascending; then the lanes in a tree.
        let mut lanes = [0.0_f32; LANES];
        let (whole, rest) = input.as_chunks::<LANES>();
        for chunk in whole {
            for lane in 0..LANES {
                lanes[lane] = chunk[lane].mul_add(chunk[lane], lanes[lane]);
            }
        }
        for (lane, number) in lanes.iter_mut().zip(rest) {
            *lane = number.mul_add(*number, *lane);
        }
        let mean = tree_sum(lanes) / width as f32;
        let factor = 1.0 / (mean + epsilon).sqrt();
        for ((out, input), scale) in out.iter_mut().zip(input).zip(scale) {
            *out = input * factor * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_follow_the_formula_group_by_group() {
        for width in [1, 7, 16, 33, 128] {
            let input: Vec<f32> = (0..width * 5)
                .map(|i| (i as f32 * 0.71).sin() * (1 + i / width) as f32)
                .collect();
            let scale: Vec<f32> = (0..width).map(|i| 0.5 + i as f32 * 0.01).collect();
            let mut out = vec![f32::NAN; input.len()];
            rms_norm(&input, &mut out, &scale, 1e-6);
            let mut compiled_plainly = vec![f32::NAN; input.len()];
            rms_norm_body(&input, &mut compiled_plainly, &scale, 1e-6);
            assert_eq!(out, compiled_plainly);
            for (group, out) in input.chunks(width).zip(out.chunks(width)) {
                let squares: f64 = group.iter().map(|x| f64::from(*x).powi(2)).sum();
                let root = (squares / width as f64 + 1e-6).sqrt();
                for column in 0..width {
                    let expected = f64::from(group[column]) / root * f64::from(scale[column]);
                    assert!((f64::from(out[column]) - expected).abs() < 1e-6 * expected.abs().max(1.0));
                }
            }
        }
    }
}
