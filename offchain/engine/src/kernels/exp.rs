//! The exponential function, the same bits on every machine.

/// 1.5 * 2^23: adding it rounds a small number to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// Above this, `exp` gives its value here (1.7e38, below the greatest f32).
const GREATEST: f32 = 88.0;
/// Below this, `exp` gives 0.
const LEAST: f32 = -87.0;

/// e^x within two units in the last place; 0 below -87, e^88 above 88, NaN of NaN.
///
/// Reduction to [-ln(2)/2, ln(2)/2] by Cody and Waite; polynomial of Cephes' `expf`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let bounded = if x > GREATEST { GREATEST } else { x };
    let shifted = bounded.mul_add(std::f32::consts::LOG2_E, ROUND);
    let powers = shifted - ROUND;
    let rest = (-powers).mul_add(0.693_359_4, bounded);
    let rest = (-powers).mul_add(-2.121_944_4e-4, rest);
    let series = 1.987_569_1e-4_f32
        .mul_add(rest, 1.398_2e-3)
        .mul_add(rest, 8.333_452e-3)
        .mul_add(rest, 4.166_579_6e-2)
        .mul_add(rest, 1.666_666_5e-1)
        .mul_add(rest, 0.5);
    let value = (series * rest).mul_add(rest, rest) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    let power = f32::from_bits(exponent << 23);
    if x < LEAST { 0.0 } else { value * power }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, absolutely within 2e-7.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let x = if x > 40.0 { 40.0 } else { x };
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for step in 0..1_740_000 {
            let x = -86.9 + step as f32 * 1e-4;
            let true_value = f64::from(x).exp();
            let off = (f64::from(exp(x)) - true_value).abs() / true_value;
            assert!(off < 2.4e-7, "exp({x}) is {}", exp(x));
        }
    }

    #[test]
    fn exp_at_the_ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1e30), 0.0);
        assert!(exp(f32::INFINITY).is_finite() && exp(f32::INFINITY) > 1e38);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_and_sigmoid_are_close() {
        for step in -4000..4000 {
            let x = step as f32 * 0.01;
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7, "tanh({x})");
            assert!(
                (f64::from(sigmoid(x)) - 1.0 / (1.0 + f64::from(-x).exp())).abs() < 2e-7,
                "sigmoid({x})"
            );
        }
    }
}
