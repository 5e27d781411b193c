//! `cocoon model build`: packs a model's weights.

use std::path::PathBuf;

use cocoon_engine::{BuiltFile, build_model};
use serde::Serialize;

use crate::args::model::BuildArgs;
use crate::failure::{Exit, Failure, from_engine};
use crate::output::Output;
use crate::progress::Portion;

#[derive(Serialize)]
struct Built {
    folder: PathBuf,
    architecture: String,
    parameters: u64,
    weights: &'static str,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: PathBuf,
    bytes: u64,
    sha256: String,
}

impl From<BuiltFile> for File {
    fn from(file: BuiltFile) -> Self {
        Self {
            path: file.path,
            bytes: file.size,
            sha256: file.hash.to_string(),
        }
    }
}

/// Makes a folder with packed weights.
pub(crate) fn build(args: BuildArgs, output: Output) -> Result<Exit, Failure> {
    let portion = Portion::new(output, "packing weights");
    let built = build_model(&args.folder, &args.out, args.weights, args.threads, &mut |progress| {
        portion.at(progress);
    });
    drop(portion);
    let built = built.map_err(from_engine)?;
    let built = Built {
        folder: args.out,
        architecture: built.card.architecture,
        parameters: built.card.parameters,
        weights: built.card.precision,
        files: built.files.into_iter().map(File::from).collect(),
    };
    output.result(&built, |built| {
        let size: u64 = built.files.iter().map(|file| file.bytes).sum();
        let files = built.files.iter();
        let lines = files.map(|file| format!("{}  {}", file.sha256, file.path.display()));
        format!(
            "{} with {} parameters in {}: {} MiB in {}\n{}",
            built.architecture,
            built.parameters,
            built.weights,
            size.div_ceil(1 << 20),
            built.folder.display(),
            lines.collect::<Vec<_>>().join("\n")
        )
    })?;
    Ok(Exit::Done)
}
