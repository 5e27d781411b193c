//! Writes the table of the page's files: each file of `assets/`, so that none is forgotten.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("assets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.starts_with('.') {
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
