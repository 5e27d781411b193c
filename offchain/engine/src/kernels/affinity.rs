//! Keeps a thread on one processor.
#![allow(
    unsafe_code,
    reason = "calls of the C library that every program here is linked with"
)]

/// Bits of the sets that Linux is given: 1024 processors.
#[cfg(target_os = "linux")]
const WORDS: usize = 16;

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn sched_getaffinity(thread: i32, bytes: usize, set: *mut u64) -> i32;
    fn sched_setaffinity(thread: i32, bytes: usize, set: *const u64) -> i32;
}

/// Keeps this thread on the `number`-th processor (counted round) of those that it may use. Where this does not work,
/// the thread goes where the system puts it.
#[cfg(target_os = "linux")]
pub(super) fn stay_on(number: usize) {
    let mut allowed = [0_u64; WORDS];
    // SAFETY: the set is as long as said; 0 is this thread.
    let known = unsafe { sched_getaffinity(0, WORDS * 8, allowed.as_mut_ptr()) } == 0;
    let processors: Vec<usize> = (0..WORDS * 64)
        .filter(|processor| allowed[processor / 64] >> (processor % 64) & 1 == 1)
        .collect();
    if !known || processors.is_empty() {
        return;
    }
    let processor = processors[number % processors.len()];
    let mut one = [0_u64; WORDS];
    one[processor / 64] = 1 << (processor % 64);
    // SAFETY: as above. When it fails, the thread keeps its processors.
    unsafe { sched_setaffinity(0, WORDS * 8, one.as_ptr()) };
}

/// Not known how on this platform.
#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on(_number: usize) {}
