//! Packs a folder ahead of time.

use super::contents::{Contents, Entry, Kind};
use super::key::{key, name};
use super::listing::{Request, list};
use super::{FILE, PAGE, damaged};
use crate::card::ModelCard;
use crate::device::WeightFormat;
use crate::error::{EngineError, PackedError};
use crate::kernels::Pool;
use crate::kernels::matrix::{PANEL, pack_panels};
use crate::load::folder::Folder;
use crate::load::hash_file;
use crate::load::inspect::ask_for_all;
use crate::load::progress::Progress;
use crate::load::stored::StoredWeights;
use crate::model::Checkpoint as _;
use crate::options::EngineOptions;
use cocoon_manifest::FileHash;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Bytes of a matrix that are packed before they are written.
const CHUNK: usize = 64 * 1024 * 1024;

/// A folder that was packed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BuiltModel {
    /// What model it is; its precision is the format of the weights.
    pub card: ModelCard,
    /// The files of the new folder, in the order of their names.
    pub files: Vec<BuiltFile>,
}

/// A file of a folder that was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuiltFile {
    /// Relative to the folder.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub hash: FileHash,
}

/// Makes the folder `out` from the model in `folder`: its configuration, tokenizer and template as they are, and its
/// weights in `format` as `model.packed`, which [`crate::load_model`] maps without reading it. Answers are those of the
/// model that is packed while it is loaded. The same folder gives the same bytes. `progress` is in bytes.
///
/// `out` must not be there; it appears when all is written.
pub fn build_model(
    folder: &Path,
    out: &Path,
    format: WeightFormat,
    threads: Option<NonZeroUsize>,
    progress: &mut dyn FnMut(Progress),
) -> Result<BuiltModel, EngineError> {
    let mut opened = Folder::open(folder)?;
    if let StoredWeights::Packed(_) = &opened.weights {
        return Err(EngineError::PackedAlready);
    }
    if out.exists() {
        let source = std::io::ErrorKind::AlreadyExists.into();
        return Err(written(out)(source));
    }
    // Whatever is wrong with the weights is found before anything is written.
    ask_for_all(&mut opened, format)?;
    let options = EngineOptions {
        weight_format: format,
        threads,
        ..EngineOptions::default()
    };
    let card = opened.card(&options);

    let partial = partial_of(out);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(written(&partial))?;
    }
    std::fs::create_dir_all(&partial).map_err(written(&partial))?;
    let mut paths = opened.files.clone();
    for path in &paths {
        copy(&folder.join(path), &partial.join(path))?;
    }
    let pool = Pool::new(options.thread_count(), false);
    write_weights(&mut opened, &partial.join(FILE), format, pool, progress)?;
    paths.push(PathBuf::from(FILE));
    paths.sort();
    let files = paths.into_iter().map(|path| {
        let (size, hash) = hash_file(&partial.join(&path))?;
        Ok(BuiltFile { path, size, hash })
    });
    let files = files.collect::<Result<Vec<_>, EngineError>>()?;
    std::fs::rename(&partial, out).map_err(written(out))?;
    Ok(BuiltModel { card, files })
}

/// A folder beside `out` that is not yet whole.
fn partial_of(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    out.with_file_name(name)
}

fn copy(from: &Path, to: &Path) -> Result<(), EngineError> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(written(parent))?;
    }
    let bytes = std::fs::read(from).map_err(|source| EngineError::ReadFile {
        path: from.to_owned(),
        source,
    })?;
    std::fs::write(to, bytes).map_err(written(to))
}

fn written(path: &Path) -> impl Fn(std::io::Error) -> EngineError {
    move |source| EngineError::WriteFile {
        path: path.to_owned(),
        source,
    }
}

/// Writes the data, and then the table of contents with their sums in front.
fn write_weights(
    opened: &mut Folder,
    path: &Path,
    format: WeightFormat,
    mut pool: Pool,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), EngineError> {
    let mut requests = list(&opened.spec, format)?;
    let mut seen = BTreeSet::new();
    requests.retain(|request| seen.insert((key(&request.source), request.kind == Kind::Vector)));
    let too_long = || damaged(path, PackedError::TooLong);
    let mut contents = Contents {
        weights: format,
        panel: PANEL,
        parameters: opened.weights.parameters(),
        entries: requests.iter().map(entry).collect(),
    };
    // Offsets lie behind the table, whose length depends on their digits: it is placed again until it fits.
    let mut front = 0;
    loop {
        place(&mut contents.entries, front);
        let length = contents.front().ok_or_else(too_long)?.len();
        if length <= front {
            break;
        }
        front = length.next_multiple_of(PAGE);
    }
    let total = contents.entries.iter().map(|entry| entry.bytes as u64).sum();
    let mut file = File::create_new(path).map_err(written(path))?;
    let (mut done, mut end) = (0, 0);
    for (request, entry) in requests.iter().zip(&mut contents.entries) {
        let (mut at, mut hasher) = (entry.offset, Sha256::new());
        file.seek(SeekFrom::Start(at as u64)).map_err(written(path))?;
        each_chunk(opened, request, &mut pool, &mut |bytes| {
            progress(Progress { done, total });
            hasher.update(bytes);
            at += bytes.len();
            done += bytes.len() as u64;
            file.write_all(bytes).map_err(written(path))
        })?;
        entry.sha256 = hasher.finalize().into();
        end = at;
    }
    file.set_len(end.next_multiple_of(PAGE) as u64).map_err(written(path))?;
    file.seek(SeekFrom::Start(0)).map_err(written(path))?;
    file.write_all(&contents.front().ok_or_else(too_long)?)
        .map_err(written(path))?;
    file.sync_all().map_err(written(path))?;
    progress(Progress { done, total });
    Ok(())
}

/// What is known of an entry before it is packed and placed.
fn entry(request: &Request) -> Entry {
    let (outputs, inputs) = (request.source.outputs(), request.source.inputs());
    Entry {
        source: key(&request.source),
        name: name(&request.source),
        kind: request.kind,
        outputs,
        inputs,
        offset: 0,
        bytes: request.kind.bytes_for(outputs, inputs),
        sha256: [0; 32],
    }
}

/// Puts entries one behind the other, from byte `front` on.
fn place(entries: &mut [Entry], front: usize) {
    let mut at = front.next_multiple_of(PAGE);
    for entry in entries {
        entry.offset = at;
        at = (at + entry.bytes).next_multiple_of(PAGE);
    }
}

/// Hands out the bytes of an entry in order.
fn each_chunk(
    opened: &mut Folder,
    request: &Request,
    pool: &mut Pool,
    write: &mut dyn FnMut(&[u8]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let Kind::Matrix(format) = request.kind else {
        let numbers = opened.weights.numbers(&request.source)?;
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        return write(&bytes);
    };
    let rows = opened.weights.matrix(&request.source)?;
    let panel_bytes = request.kind.bytes_for(1, rows.inputs());
    let panels = rows.outputs().div_ceil(PANEL);
    let at_once = (CHUNK / panel_bytes).clamp(1, panels);
    let mut bytes = vec![0; at_once * panel_bytes];
    for first in (0..panels).step_by(at_once) {
        let bytes = &mut bytes[..at_once.min(panels - first) * panel_bytes];
        bytes.fill(0);
        pack_panels(pool, rows.as_ref(), format, first, bytes)?;
        write(bytes)?;
    }
    Ok(())
}
