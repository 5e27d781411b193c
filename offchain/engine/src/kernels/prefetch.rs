//! Numbers that will be read soon, asked for in the order in which they lie in memory.
//!
//! The loops over keys and values go through a block in columns, which hides from the processor that all of the block is
//! read: it would look for each column anew.
#![allow(unsafe_code, reason = "an instruction that takes an address")]

/// Asks for all of `numbers`. Changes nothing but the time that reading them takes.
#[inline(always)]
pub(super) fn ask_for(numbers: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks(64 / size_of::<f32>()) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, and it takes any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
    }
    // Elsewhere the instruction cannot be had from stable Rust.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}
