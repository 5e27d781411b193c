//! The model that comes with the program: a Qwen3 of 3,672,832 numbers that answers short questions about this project.
//! It is for trying a network out; `scripts/models/demo` makes it and says where its text comes from.

use crate::builtin;
use std::io;
use std::path::Path;

/// Name under which test networks offer it.
pub const NAME: &str = "cocoon/demo";

/// Files of the model, by name.
pub const FILES: &[(&str, &[u8])] = builtin::files!("demo");

/// Writes the model's folder. Files that are there with the right content stay as they are.
pub fn write_to(folder: &Path) -> io::Result<()> {
    builtin::write_to(folder, FILES)
}
