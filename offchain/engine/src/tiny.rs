//! A tiny model for tests: a Qwen3 of 820,608 numbers that knows a few dozen questions by heart and thinks aloud.
//! `scripts/models/tiny` makes it.

use crate::builtin;
use std::io;
use std::path::Path;

/// Name under which test networks offer it.
pub const NAME: &str = "cocoon/tiny";

/// Files of the model, by name.
pub const FILES: &[(&str, &[u8])] = builtin::files!("tiny");

/// Writes the model's folder. Files that are there with the right content stay as they are.
pub fn write_to(folder: &Path) -> io::Result<()> {
    builtin::write_to(folder, FILES)
}
