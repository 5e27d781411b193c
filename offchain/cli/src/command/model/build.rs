//! `cocoon model build`: packs a model's weights and makes its archive.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use cocoon_archive::ArchiveError;
use cocoon_engine::{BuiltFile, WeightFormat, build_model};
use serde::Serialize;

use super::archive::{self, Archived};
use crate::args::model::BuildArgs;
use crate::failure::{Exit, Failure, from_archive, from_engine};
use crate::output::Output;
use crate::progress::Portion;

#[derive(Serialize)]
struct Built {
    /// The folder with packed weights, if one was asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    packed: Option<Packed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<Archived>,
}

#[derive(Serialize)]
struct Packed {
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

/// Makes a folder with packed weights, an archive, or both.
pub(crate) fn build(args: BuildArgs, output: Output) -> Result<Exit, Failure> {
    if let Some(archive) = args.archive.as_ref().filter(|archive| archive.exists()) {
        // Found before hours of packing, not after.
        let path = archive.clone();
        return Err(from_archive(ArchiveError::Exists { path }));
    }
    let packed = match (args.out, args.weights) {
        (Some(out), Some(weights)) => Some(pack(&args.folder, out, weights, args.threads, output)?),
        _ => None,
    };
    let folder = packed.as_ref().map_or(&args.folder, |packed| &packed.folder);
    let archive = args
        .archive
        .map(|out| archive::make(folder, out, args.name.as_ref(), args.threads, output));
    let built = Built {
        archive: archive.transpose()?,
        packed,
    };
    output.result(&built, |built| {
        let parts = [
            built.packed.as_ref().map(Packed::text),
            built.archive.as_ref().map(Archived::text),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}

fn pack(
    folder: &Path,
    out: PathBuf,
    weights: WeightFormat,
    threads: Option<NonZeroUsize>,
    output: Output,
) -> Result<Packed, Failure> {
    let portion = Portion::new(output, "packing weights");
    let built = build_model(folder, &out, weights, threads, &mut |progress| {
        portion.at(progress.done, progress.total);
    });
    drop(portion);
    let built = built.map_err(from_engine)?;
    Ok(Packed {
        folder: out,
        architecture: built.card.architecture,
        parameters: built.card.parameters,
        weights: built.card.precision,
        files: built.files.into_iter().map(File::from).collect(),
    })
}

impl Packed {
    fn text(&self) -> String {
        let size: u64 = self.files.iter().map(|file| file.bytes).sum();
        let files = self.files.iter();
        let lines = files.map(|file| format!("{}  {}", file.sha256, file.path.display()));
        format!(
            "{} with {} parameters in {}: {} MiB in {}\n{}",
            self.architecture,
            self.parameters,
            self.weights,
            size.div_ceil(1 << 20),
            self.folder.display(),
            lines.collect::<Vec<_>>().join("\n")
        )
    }
}
