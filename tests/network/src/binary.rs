//! Where the `cocoon` command is: built from the tree as it is now, so that a story never tests yesterday's program.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Path of the command. `COCOON_BIN` names another one.
pub fn cocoon() -> Result<&'static Path, String> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BINARY.get_or_init(find).as_deref().map_err(Clone::clone)
}

fn find() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("COCOON_BIN") {
        return Ok(path.into());
    }
    // This executable lies in <target>/release/deps.
    let profile_dir = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile_dir = profile_dir
        .ancestors()
        .nth(2)
        .ok_or("the test lies in no target folder")?
        .to_owned();
    let release = profile_dir.ends_with("release");
    let target_dir = profile_dir.parent().ok_or("the test lies in no target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "--package", "cocoon-cli", "--target-dir"])
        .arg(target_dir);
    if release {
        build.arg("--release");
    }
    let status = build
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build of the command failed: {status}"));
    }
    let binary = profile_dir.join("cocoon");
    if binary.is_file() {
        Ok(binary)
    } else {
        Err(format!("{} is missing", binary.display()))
    }
}
