//! Reading memory as fast as it goes: the bound of every decode step.

use super::vectors::widest;

widest! {
    /// A sum over the bits of all numbers, so that all are read.
    pub(crate) fn read_all(numbers: &[f32]) -> u64 = read_all_body
}

#[inline(always)]
fn read_all_body(numbers: &[f32]) -> u64 {
    let mut lanes = [0_u32; 64];
    for chunk in numbers.as_chunks::<64>().0 {
        for (lane, number) in lanes.iter_mut().zip(chunk) {
            *lane ^= number.to_bits();
        }
    }
    lanes.iter().map(|lane| u64::from(*lane)).sum()
}
