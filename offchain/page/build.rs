//! Writes the table of the page's files: each of `assets/` that a browser reads, so that none is forgotten.

use std::path::PathBuf;
use std::{env, fs, io};

/// What belongs to a page; the rest is about how its files were made.
const SERVED: [&str; 5] = [".css", ".html", ".js", ".svg", ".wasm"];

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("assets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && SERVED.iter().any(|kind| name.ends_with(kind)) {
            names.push(name);
        }
    }
    names.sort();
    let mut table = String::from("[\n");
    for name in names {
        let path = folder.join(&name);
        table.push_str(&format!(
            "    ({name:?}, include_bytes!({:?}) as &[u8]),\n",
            path.to_string_lossy()
        ));
    }
    table.push(']');
    fs::write(
        PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("assets.rs"),
        table,
    )?;
    // Cargo writes its instructions to be read from the standard output.
    use io::Write as _;
    writeln!(io::stdout(), "cargo::rerun-if-changed={}", folder.display())
}
