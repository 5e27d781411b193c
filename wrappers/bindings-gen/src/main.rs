//! Writes what is generated from the contracts, or with `--check` compares it with what is checked in.

use cocoon_bindings_gen::generate;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Folders whose files are all generated: what is there and not generated is left over.
const OWNED: [&str; 3] = [
    "contracts/abi",
    "wrappers/bindings/src/generated",
    "tests/contracts/tests/codec_oracle",
];

fn main() -> ExitCode {
    let check = std::env::args().nth(1).as_deref() == Some("--check");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match run(&repository, check) {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(differences) => {
            for path in differences {
                report(&format!(
                    "{path}: {}",
                    if check {
                        "is not what the contracts generate"
                    } else {
                        "written"
                    }
                ));
            }
            if check {
                report("hint: run `cargo run --release -p cocoon-bindings-gen` and commit the result");
            }
            ExitCode::from(u8::from(check))
        }
        Err(error) => {
            report(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// The paths that differ from what is generated; without `check` they are brought up to date.
fn run(repository: &Path, check: bool) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let files = generate(repository)?;
    let mut differences = BTreeSet::new();
    for (path, text) in &files {
        let full = repository.join(path);
        if std::fs::read_to_string(&full).ok().as_ref() == Some(text) {
            continue;
        }
        differences.insert(path.clone());
        if !check {
            if let Some(folder) = full.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&full, text)?;
        }
    }
    for folder in OWNED {
        for path in listed(repository, folder)? {
            if !files.contains_key(&path) {
                if !check {
                    std::fs::remove_file(repository.join(&path))?;
                }
                differences.insert(path);
            }
        }
    }
    Ok(differences)
}

fn listed(repository: &Path, folder: &str) -> Result<Vec<String>, std::io::Error> {
    let mut paths = Vec::new();
    let full = repository.join(folder);
    if !full.is_dir() {
        return Ok(paths);
    }
    for entry in std::fs::read_dir(full)? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            paths.extend(listed(repository, &path)?);
        } else {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn report(line: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}
