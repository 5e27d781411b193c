//! How many multiply-adds the processor does when it need not wait for memory: what products are compared with.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]
#![allow(clippy::needless_range_loop, reason = "the indices are those of registers")]

use super::PANEL;
use super::lanes::{Lanes, Work};
use super::multiply::{Task, on};
use super::variant::Variant;

/// Chains that run side by side: as many as an innermost loop has.
const CHAINS: usize = 6;

/// Does at least `count` multiply-adds in registers; gives how many.
pub(crate) fn multiply_adds(count: usize) -> usize {
    let links = count.div_ceil(CHAINS * PANEL);
    on(Variant::detected(), Registers { links });
    links * CHAINS * PANEL
}

struct Registers {
    links: usize,
}

impl Task for Registers {
    unsafe fn run<L: Lanes>(self) {
        // SAFETY: the same contract.
        unsafe { L::enter(self) }
    }
}

impl Work for Registers {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        // SAFETY: nothing but registers.
        unsafe {
            let (factor, more) = (
                L::splat(std::hint::black_box(0.5)),
                L::splat(std::hint::black_box(0.25)),
            );
            let mut sums = [L::splat(1.0); CHAINS];
            for _ in 0..self.links {
                for chain in 0..CHAINS {
                    sums[chain] = L::fma(sums[chain], factor, more);
                }
            }
            let mut numbers = [0.0; PANEL];
            for sum in sums {
                L::store(numbers.as_mut_ptr(), sum);
                std::hint::black_box(&numbers);
            }
        }
    }
}
