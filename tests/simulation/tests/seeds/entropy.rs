//! Randomness drawn from the seed. Everything that asks the system's library for it on the thread of a life gets numbers that
//! follow from the seed alone: the generators of `rand`, the keys of hash maps and with them their order, and tokio's choice
//! between branches that are ready at once. Keys and nonces of TLS come from elsewhere; they change bytes, not what happens.

use std::cell::Cell;

thread_local! {
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on randomness of this thread follows from `seed`. To be called before anything is drawn.
pub(crate) fn seed(seed: u64) {
    STATE.set(Some(seed));
}

/// The next number of a seeded thread (SplitMix64); `None` on any other.
fn next() -> Option<u64> {
    STATE
        .try_with(|state| {
            let now = state.get()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
            state.set(Some(now));
            let mixed = (now ^ (now >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            Some(mixed ^ (mixed >> 31))
        })
        .ok()
        .flatten()
}

/// Stands in for the function of the system's library in this program.
#[cfg(target_os = "linux")]
mod library {
    use std::fs::File;
    use std::io::Read as _;

    /// `getrandom(2)`: writes `length` bytes to `buffer` and returns how many they are, or -1.
    #[allow(
        unsafe_code,
        reason = "only a symbol of this name makes std and rand draw from the seed, in this test alone"
    )]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
        // SAFETY: the caller owns `length` writable bytes there, as it would have to for the system.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
        isize::try_from(length).ok().filter(|_| fill(bytes)).unwrap_or(-1)
    }

    /// From the seed, or from the machine on threads without one.
    fn fill(bytes: &mut [u8]) -> bool {
        for chunk in bytes.chunks_mut(8) {
            let drawn = super::next().map(u64::to_le_bytes).or_else(machine);
            let Some(drawn) = drawn else {
                return false;
            };
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
        true
    }

    fn machine() -> Option<[u8; 8]> {
        let mut bytes = [0; 8];
        File::open("/dev/urandom").ok()?.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}
