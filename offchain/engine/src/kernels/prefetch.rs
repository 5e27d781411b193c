//! Numbers that will be read soon, asked for in the order in which they lie in memory.
//!
//! The loops over keys and values go through a block in columns, which hides from the processor that all of the block is
//! read: it would look for each column anew. So they ask for the next block, a line of it with each step: all at once
//! would keep the processor from going on until most of it has come.
#![allow(unsafe_code, reason = "an instruction that takes an address")]

/// Numbers of a cache line.
pub(super) const LINE: usize = 64 / size_of::<f32>();

/// Asks for line `line` of `numbers`, if there are so many. Changes nothing but the time that reading it takes.
#[inline(always)]
pub(super) fn ask_for(numbers: &[f32], line: usize) {
    if let Some(first) = numbers.get(line * LINE) {
        ask_for_line(std::ptr::from_ref(first).cast());
    }
}

/// Asks for the line at an address, which may be any: one that does not exist is not read.
#[inline(always)]
pub(super) fn ask_for_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, and it takes any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    // Elsewhere the instruction cannot be had from stable Rust.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
