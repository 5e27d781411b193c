//! Memory for numbers: aligned to cache lines, used again without asking the system.
#![allow(
    unsafe_code,
    reason = "aligned memory that begins as zeros is asked from the system directly"
)]

use memmap2::MmapMut;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a cache line.
const LINE: usize = 64;

/// From so many bytes on, a buffer has pages of its own: then keys and values that were never written take no memory.
const OWN_PAGES: usize = 2 << 20;

/// Numbers that begin on a cache line. Pages of its own that were never written take no memory.
pub(crate) struct Buffer {
    start: NonNull<f32>,
    len: usize,
    /// What `start` points to, if the buffer has pages of its own.
    pages: Option<MmapMut>,
}

/// Zeroed memory in pages of its own, large ones where the system has them: they spare the look-up of addresses.
pub(super) fn own_pages(bytes: usize) -> std::io::Result<MmapMut> {
    let pages = MmapMut::map_anon(bytes.max(1))?;
    // Without large pages the numbers are the same.
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    Ok(pages)
}

// SAFETY: the buffer owns its memory, and f32 may be sent and shared.
unsafe impl Send for Buffer {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Zeros.
    ///
    /// # Panics
    /// When a buffer of this length cannot exist.
    #[allow(
        clippy::expect_used,
        reason = "lengths come from shapes whose sizes were checked at load"
    )]
    pub(crate) fn zeroed(len: usize) -> Self {
        let layout = Self::layout(len).expect("more bytes than there are addresses");
        if layout.size() == 0 {
            return Self {
                start: NonNull::dangling(),
                len,
                pages: None,
            };
        }
        let (memory, pages) = if layout.size() >= OWN_PAGES {
            match own_pages(layout.size()) {
                // A page begins on a cache line.
                Ok(mut pages) => (pages.as_mut_ptr(), Some(pages)),
                Err(_) => handle_alloc_error(layout),
            }
        } else {
            // SAFETY: the layout has a size.
            (unsafe { alloc_zeroed(layout) }, None)
        };
        match NonNull::new(memory.cast::<f32>()) {
            Some(start) => Self { start, len, pages },
            None => handle_alloc_error(layout),
        }
    }

    fn layout(len: usize) -> Option<Layout> {
        Layout::from_size_align(len.checked_mul(4)?, LINE).ok()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.pages.is_some() {
            return;
        }
        if let Some(layout) = Self::layout(self.len).filter(|layout| layout.size() > 0) {
            // SAFETY: the memory came from `alloc_zeroed` with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` numbers from `start` are ours and were written, as zeros at first.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and nobody else refers to them.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

/// Buffers that come back when they are dropped, so that a step asks the system for nothing.
#[derive(Clone, Default)]
pub(crate) struct Arena {
    free: Arc<Mutex<Vec<Buffer>>>,
}

/// Numbers borrowed from an [`Arena`].
pub(crate) struct Loan {
    buffer: Option<Buffer>,
    len: usize,
    arena: Arena,
}

impl Arena {
    /// Room for `len` numbers that are old ones: the borrower writes all that it reads.
    pub(crate) fn borrow(&self, len: usize) -> Loan {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = free.iter().enumerate().filter(|(_, buffer)| buffer.len() >= len);
        let tightest = fitting.min_by_key(|(_, buffer)| buffer.len()).map(|(place, _)| place);
        let buffer = match tightest {
            // A buffer far too large is kept for what needs it.
            Some(place) if free[place].len() / 4 <= len.max(1024) => free.swap_remove(place),
            _ => Buffer::zeroed(len.next_power_of_two().max(1024)),
        };
        Loan {
            buffer: Some(buffer),
            len,
            arena: self.clone(),
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            let mut free = self.arena.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(buffer);
        }
    }
}

impl Deref for Loan {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.buffer.as_deref().map_or(&[], |buffer| &buffer[..self.len])
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = self.len;
        self.buffer.as_deref_mut().map_or(&mut [], |buffer| &mut buffer[..len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_zero_and_writable() {
        let mut buffer = Buffer::zeroed(1001);
        assert_eq!(buffer.as_ptr().addr() % LINE, 0);
        assert!(buffer.iter().all(|number| *number == 0.0));
        buffer[1000] = 3.0;
        assert_eq!(buffer[1000], 3.0);
        assert!(Buffer::zeroed(0).is_empty());
    }

    #[test]
    fn a_great_buffer_has_pages_of_its_own_and_is_zero_and_writable() {
        let mut buffer = Buffer::zeroed(OWN_PAGES / 4 + 3);
        assert!(buffer.pages.is_some());
        assert_eq!(buffer.as_ptr().addr() % LINE, 0);
        assert!(buffer.iter().all(|number| *number == 0.0));
        buffer[OWN_PAGES / 4 + 2] = 3.0;
        assert_eq!(buffer[OWN_PAGES / 4 + 2], 3.0);
    }

    #[test]
    fn an_arena_lends_the_same_memory_again() {
        let arena = Arena::default();
        let first = arena.borrow(5000);
        let place = first.as_ptr();
        drop(first);
        let again = arena.borrow(4200);
        assert_eq!((again.as_ptr(), again.len()), (place, 4200));
        assert_ne!(arena.borrow(4200).as_ptr(), place);
    }

    #[test]
    fn a_small_loan_does_not_take_a_great_buffer() {
        let arena = Arena::default();
        let great = arena.borrow(1 << 20);
        let place = great.as_ptr();
        drop(great);
        let small = arena.borrow(100);
        assert_ne!(small.as_ptr(), place);
    }
}
