//! The verifier behind a C interface, for `offchain/page/assets/verifier.js`: JSON in, JSON out, and nothing imported.
//!
//! The caller asks for memory with [`allocate`], writes its JSON there and gives it to [`verify_evidence`] or
//! [`verify_receipt`], which free it. What they return is a length, four bytes in little-endian order, and as many bytes of
//! JSON; the caller gives that back with [`release`].

use core::slice;

/// Memory of `length` bytes, zeroed; zero bytes are one.
#[unsafe(no_mangle)]
pub extern "C" fn allocate(length: usize) -> *mut u8 {
    let bytes = vec![0_u8; length.max(1)].into_boxed_slice();
    Box::into_raw(bytes).cast()
}

/// Gives memory back.
///
/// # Safety
///
/// `at` is from [`allocate`] with this `length`, or a result whose length and head this is, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn release(at: *mut u8, length: usize) {
    let bytes = core::ptr::slice_from_raw_parts_mut(at, length.max(1));
    // SAFETY: as the caller says, these are the pointer and the length of one boxed slice.
    drop(unsafe { Box::from_raw(bytes) });
}

/// Judges a certificate.
///
/// # Safety
///
/// As [`release`]: `at` and `length` are of [`allocate`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn verify_evidence(at: *mut u8, length: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { answer(at, length, cocoon_verifier::json::verify_evidence) }
}

/// Judges a receipt.
///
/// # Safety
///
/// As [`release`]: `at` and `length` are of [`allocate`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn verify_receipt(at: *mut u8, length: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { answer(at, length, cocoon_verifier::json::verify_receipt) }
}

/// # Safety
///
/// As [`release`].
unsafe fn answer(at: *mut u8, length: usize, verify: fn(&[u8]) -> Vec<u8>) -> *mut u8 {
    // SAFETY: as the caller says, the memory has this length and nobody else uses it.
    let json = verify(unsafe { slice::from_raw_parts(at, length) });
    // SAFETY: the same memory, which is not used after this.
    unsafe { release(at, length) };
    let head = u32::try_from(json.len()).unwrap_or_default().to_le_bytes();
    let result = [&head[..], &json].concat().into_boxed_slice();
    Box::into_raw(result).cast()
}

/// Seeds of hash tables. There is nothing here that randomness would keep secret or that a stranger could slow down but its own
/// page: they are constant, so that an answer never depends on chance.
///
/// # Safety
///
/// `at` has `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(at: *mut u8, length: usize) -> Result<(), getrandom::Error> {
    // SAFETY: as the caller says.
    unsafe { core::ptr::write_bytes(at, 0x5a, length) };
    Ok(())
}

getrandom_of_keys::register_custom_getrandom!(no_randomness);

/// Nothing here makes a key: there is no randomness to make one of.
fn no_randomness(_: &mut [u8]) -> Result<(), getrandom_of_keys::Error> {
    Err(getrandom_of_keys::Error::UNSUPPORTED)
}
