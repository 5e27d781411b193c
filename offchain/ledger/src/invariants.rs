//! The invariants of the crate under random histories, crashes included.
