//! Which instructions a product uses.

use super::multiply::multiply_with;
use super::{Activations, OutputColumns, PackedMatrix};
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;
use std::sync::OnceLock;

/// Instructions of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Plain Rust.
    Scalar,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with sums of bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Of every 64-bit Arm processor.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Variant {
    /// From slow to fast.
    const ALL: &[Self] = &[
        Self::Scalar,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
    ];

    /// The fastest that this processor has and that gives the bits of plain Rust here, as all must: others could not
    /// repeat what this machine computes.
    pub(crate) fn detected() -> Self {
        static DETECTED: OnceLock<Variant> = OnceLock::new();
        *DETECTED.get_or_init(|| {
            let plain = Self::Scalar.sample();
            let agrees = |variant: &Self| plain.is_ok() && variant.sample().ok() == plain.as_ref().ok().cloned();
            Self::available().filter(agrees).last().unwrap_or(Self::Scalar)
        })
    }

    /// All that this processor has, the fastest last.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|variant| variant.is_available())
    }

    /// Whether this processor has the instructions.
    pub(super) fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
        }
    }

    /// The bits of small products, one for each format, by every loop.
    fn sample(self) -> Result<Vec<u32>, EngineError> {
        let mut bits = Vec::new();
        for format in WeightFormat::ALL {
            let matrix = PackedMatrix::pack(&Sample, None, format)?;
            for tokens in 1..=8 {
                let input: Vec<f32> = (0..tokens * Sample::INPUTS).map(Sample::number).collect();
                let mut prepared = Activations::new();
                prepared.prepare(matrix.input_kind(), tokens, Sample::INPUTS, |token| {
                    &input[token * Sample::INPUTS..][..Sample::INPUTS]
                });
                let mut out = vec![0.0; tokens * Sample::OUTPUTS];
                let mut columns = OutputColumns::new(&mut out, Sample::OUTPUTS, 0..Sample::OUTPUTS);
                multiply_with(self, &matrix, 0..matrix.panels(), &prepared, &mut columns);
                bits.extend(out.into_iter().map(f32::to_bits));
            }
        }
        Ok(bits)
    }
}

/// A matrix of seven panels and three blocks, the last of each not full.
struct Sample;

impl Sample {
    const OUTPUTS: usize = 103;
    const INPUTS: usize = 75;

    /// Between -1 and 1, without a pattern that sums would hide.
    fn number(place: usize) -> f32 {
        (place * place * 7 + place * 131) as f32 % 1009.0 / 504.5 - 1.0
    }
}

impl MatrixRows for Sample {
    fn outputs(&self) -> usize {
        Self::OUTPUTS
    }

    fn inputs(&self) -> usize {
        Self::INPUTS
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        for (place, number) in rows.iter_mut().enumerate() {
            *number = Self::number(first * Self::INPUTS + place + 17);
        }
        Ok(())
    }
}
