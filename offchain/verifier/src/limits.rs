//! Bounds of this crate, each with its reason.

/// Longest document of either question, in bytes of JSON: a request and its answer in base64, some collateral, and room. A
/// browser has a few times as much memory for the whole page.
pub const MAX_INPUT_BYTES: usize = 48 << 20;

/// Most images of one role: the root contract's lists hold some dozen.
pub const MAX_IMAGES: usize = 4096;
