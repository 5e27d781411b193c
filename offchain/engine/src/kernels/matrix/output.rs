//! Where the results of a product go: some columns of rows.

#![allow(unsafe_code, reason = "threads write columns of one tensor")]

use std::marker::PhantomData;
use std::ops::Range;

/// Columns of a tensor, to be written. Two of them never have a column in common, unless `part` was misused.
pub(crate) struct OutputColumns<'a> {
    /// The first column of the first row.
    first: *mut f32,
    rows: usize,
    /// From row to row.
    stride: usize,
    width: usize,
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable borrow of its columns, and numbers may go to any thread.
unsafe impl Send for OutputColumns<'_> {}
// SAFETY: a shared reference gives nothing but sizes and `part`, whose contract keeps threads apart.
unsafe impl Sync for OutputColumns<'_> {}

impl<'a> OutputColumns<'a> {
    /// Some columns of rows that have `stride` numbers each.
    pub(crate) fn new(numbers: &'a mut [f32], stride: usize, columns: Range<usize>) -> Self {
        assert!(
            columns.start <= columns.end && columns.end <= stride,
            "rows have these columns"
        );
        assert!(stride > 0 && numbers.len().is_multiple_of(stride), "rows are whole");
        Self {
            first: numbers.as_mut_ptr().wrapping_add(columns.start),
            rows: numbers.len() / stride,
            stride,
            width: columns.len(),
            life: PhantomData,
        }
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The columns before `column` and those from it on.
    pub(crate) fn split_at(self, column: usize) -> (Self, Self) {
        let width = self.width;
        // SAFETY: the two have no column in common, and `self` is gone.
        unsafe { (self.part(0..column), self.part(column..width)) }
    }

    /// Some of the columns, counted from the first of these.
    ///
    /// # Safety
    /// While the part lives, nothing else writes or reads its columns, neither `self` nor another part.
    pub(crate) unsafe fn part(&self, columns: Range<usize>) -> Self {
        assert!(
            columns.start <= columns.end && columns.end <= self.width,
            "there are these columns"
        );
        Self {
            first: self.first.wrapping_add(columns.start),
            rows: self.rows,
            stride: self.stride,
            width: columns.len(),
            life: PhantomData,
        }
    }

    /// The place of a number.
    pub(super) fn at(&self, row: usize, column: usize) -> *mut f32 {
        debug_assert!(row < self.rows && column < self.width, "the number is ours");
        self.first.wrapping_add(row * self.stride + column)
    }
}
