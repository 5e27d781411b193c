//! A result that several threads write, each its own part.
#![allow(unsafe_code, reason = "threads write disjoint parts of one slice")]

use std::marker::PhantomData;
use std::ops::Range;

/// A slice that is written in parts.
#[derive(Clone, Copy)]
pub(crate) struct SharedOut<'a> {
    start: *mut f32,
    len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: parts are only reachable through `part`, whose callers keep them disjoint.
unsafe impl Send for SharedOut<'_> {}
// SAFETY: as above.
unsafe impl Sync for SharedOut<'_> {}

impl<'a> SharedOut<'a> {
    /// Takes the slice until the last part is dropped.
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
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
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &'a mut [f32] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "a part outside of the slice"
        );
        // SAFETY: inside of the slice, and disjoint from all others by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
