//! Checks of the repository itself: which crate may import which, how long a file may be, which claims of the
//! README are true.
//!
//! **Invariant:** reads the tree and `cargo metadata`; changes nothing.
//!
//! The main item is [`root`]; the checks are this package's tests.

use std::path::{Path, PathBuf};

/// The root folder of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Every file below `dir` whose name ends in one of `extensions`, sorted; build output and dependencies left out.
///
/// # Errors
///
/// Any error of reading a folder.
pub fn files(dir: &Path, extensions: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name, "target" | "node_modules" | ".git" | ".cocoon" | ".venv") {
                    open.push(path);
                }
            } else if path
                .extension()
                .and_then(|e| e.to_str())
                .is_some_and(|e| extensions.contains(&e))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
