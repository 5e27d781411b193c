//! A result that several threads write, each its own part.
#![allow(unsafe_code, reason = "threads write disjoint parts of one slice")]

use std::marker::PhantomData;
use std::ops::Range;

/// A slice that is written in parts.
#[derive(Clone, Copy)]
pub(crate) struct SharedOut<'a, T = f32> {
    start: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: parts are only reachable through `part`, whose callers keep them disjoint.
unsafe impl<T: Send> Send for SharedOut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedOut<'_, T> {}

impl<'a, T> SharedOut<'a, T> {
    /// Takes the slice until the last part is dropped.
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            owner: PhantomData,
        }
    }

    /// A part.
    ///
    /// # Safety
    /// While the part lives, nobody else has a part that overlaps it.
    #[allow(clippy::mut_from_ref, reason = "the caller keeps the parts disjoint")]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "a part outside of the slice"
        );
        // SAFETY: inside of the slice, and disjoint from all others by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
