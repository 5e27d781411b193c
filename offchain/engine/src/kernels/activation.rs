//! The function between the halves of a gated feed-forward, and sums of rows.

use super::exp::{sigmoid, tanh};
use super::vectors::widest;
use crate::device::Activation;

/// sqrt(2 / pi), of the tanh approximation of gelu.
const GELU_SLOPE: f32 = 0.797_884_6;
/// Of the cube in the tanh approximation of gelu.
const GELU_CUBE: f32 = 0.044_715;

widest! {
    /// For each row of `gate_up` the second half of its columns, scaled by the first through `activation`, into `out`,
    /// which has half as many columns. `width` is that half.
    pub(crate) fn gated(gate_up: &[f32], out: &mut [f32], width: usize, activation: Activation) = gated_body
}

#[inline(always)]
fn gated_body(gate_up: &[f32], out: &mut [f32], width: usize, activation: Activation) {
    for (halves, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
        let (gate, up) = halves.split_at(width);
        let columns = gate.iter().zip(up).zip(out);
        match activation {
            Activation::Silu => {
                for ((gate, up), out) in columns {
                    *out = gate * sigmoid(*gate) * up;
                }
            }
            Activation::GeluTanh => {
                for ((gate, up), out) in columns {
                    let cube = GELU_CUBE * gate * gate * gate;
                    *out = 0.5 * gate * (1.0 + tanh(GELU_SLOPE * (gate + cube))) * up;
                }
            }
            Activation::ClampedSwiglu { alpha, limit } => {
                for ((gate, up), out) in columns {
                    // Comparisons that keep NaN, unlike `min` and `max`.
                    let gate = if *gate > limit { limit } else { *gate };
                    let up = if *up > limit { limit } else { *up };
                    let up = if up < -limit { -limit } else { up };
                    *out = gate * sigmoid(alpha * gate) * (up + 1.0);
                }
            }
        }
    }
}

widest! {
    /// `sum += factor * other`, rounded once.
    pub(crate) fn add_scaled(sum: &mut [f32], other: &[f32], factor: f32) = add_scaled_body
}

#[inline(always)]
fn add_scaled_body(sum: &mut [f32], other: &[f32], factor: f32) {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum = factor.mul_add(*other, *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formulas in f64.
    fn plain(gate: f64, up: f64, activation: Activation) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Silu => gate * sigmoid(gate) * up,
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (gate + 0.044_715 * gate.powi(3));
                0.5 * gate * (1.0 + inner.tanh()) * up
            }
            Activation::ClampedSwiglu { alpha, limit } => {
                let (alpha, limit) = (f64::from(alpha), f64::from(limit));
                let gate = gate.min(limit);
                gate * sigmoid(alpha * gate) * (up.clamp(-limit, limit) + 1.0)
            }
        }
    }

    #[test]
    fn activations_follow_their_formulas_and_rows_do_not_mix() {
        let width = 37;
        let clamped = Activation::ClampedSwiglu {
            alpha: 1.702,
            limit: 7.0,
        };
        let gate_up: Vec<f32> = (0..2 * width * 3).map(|i| (i as f32 * 0.37).sin() * 12.0).collect();
        for activation in [Activation::Silu, Activation::GeluTanh, clamped] {
            let mut out = vec![f32::NAN; width * 3];
            gated(&gate_up, &mut out, width, activation);
            let mut compiled_plainly = vec![f32::NAN; width * 3];
            gated_body(&gate_up, &mut compiled_plainly, width, activation);
            assert_eq!(out, compiled_plainly);
            for row in 0..3 {
                for column in 0..width {
                    let gate = f64::from(gate_up[row * 2 * width + column]);
                    let up = f64::from(gate_up[row * 2 * width + width + column]);
                    let expected = plain(gate, up, activation);
                    let off = (f64::from(out[row * width + column]) - expected).abs();
                    assert!(off <= 1e-5 * expected.abs().max(1.0), "{activation:?} of {gate}, {up}");
                }
            }
        }
    }

    #[test]
    fn sums_are_rounded_once() {
        let mut sum = vec![1.0; 19];
        add_scaled(&mut sum, &[3.0; 19], 1.0 / 3.0);
        assert!(sum.iter().all(|sum| *sum == (1.0_f32 / 3.0).mul_add(3.0, 1.0)));
    }
}
