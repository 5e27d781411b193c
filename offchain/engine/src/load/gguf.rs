//! Weights of a GGUF file (version 2 or 3): its table of contents, and its tensors where they lie, under the names that
//! they have in a Hugging Face folder. Nothing else of the file is used: configuration and tokenizer are those of the
//! folder.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod cursor;
mod header;
mod names;
#[cfg(test)]
mod tests;

use super::mapped::MappedFile;
use super::tensor::{NumberFormat, Tensor};
use crate::error::{EngineError, GgufError};
use header::Header;
use names::Names;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// An open file and its table of contents.
pub(super) struct GgufFile {
    file: MappedFile,
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies, and as what.
struct Place {
    shape: Vec<usize>,
    /// Rows of a head whose halves lie interleaved.
    interleaved: Option<usize>,
    numbers: Numbers,
}

/// How the numbers are stored.
enum Numbers {
    /// In a format that is read, in these bytes of the file.
    Known(NumberFormat, Range<usize>),
    /// In another one.
    Other(String),
}

/// Opens all GGUF files of `folder`, in the order of their names: one, or all parts of one model. Reads their tables of
/// contents and checks that all tensors lie in them.
pub(super) fn open_all(folder: &Path) -> Result<Vec<(String, GgufFile)>, EngineError> {
    let names = files_of(folder)?;
    let found = names.len();
    let damaged = |name: &String| {
        let path = folder.join(name);
        move |source| EngineError::Gguf { path, source }
    };
    let mut files = Vec::new();
    for name in names {
        let file = MappedFile::open(&folder.join(&name))?;
        let header = Header::read(file.bytes()).map_err(damaged(&name))?;
        if header.parts != found as u64 {
            let expected = header.parts;
            return Err(damaged(&name)(GgufError::Parts { expected, found }));
        }
        files.push((name, file, header));
    }
    // Of several parts only the first says what model it is.
    let Some((first, _, header)) = files.first() else {
        return Ok(Vec::new());
    };
    let names = Names::new(header).map_err(damaged(first))?;
    let files = files.into_iter().map(|(name, file, header)| {
        let tensors = places(&header, &names, file.bytes().len()).map_err(damaged(&name))?;
        Ok((name, GgufFile { file, tensors }))
    });
    files.collect()
}

impl GgufFile {
    /// Names of the tensors, as a Hugging Face folder has them.
    pub(super) fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    /// A tensor, if there is one of this name.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<Tensor<'_>>, EngineError> {
        let Some(place) = self.tensors.get(name) else {
            return Ok(None);
        };
        match &place.numbers {
            Numbers::Known(format, range) => {
                let tensor = Tensor::new(*format, &place.shape, &self.file.bytes()[range.clone()]);
                Ok(Some(match place.interleaved {
                    Some(rows) => tensor.interleaved(rows),
                    None => tensor,
                }))
            }
            Numbers::Other(dtype) => Err(EngineError::TensorType {
                name: name.to_owned(),
                dtype: dtype.clone(),
            }),
        }
    }
}

/// Names of the files in `folder` that end in `.gguf`, in order.
fn files_of(folder: &Path) -> Result<Vec<String>, EngineError> {
    let failed = |source| EngineError::ReadFile {
        path: folder.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.into_string().ok().filter(|name| name.ends_with(".gguf")));
    }
    names.sort();
    Ok(names)
}

/// Where all tensors lie in a file of `size` bytes.
fn places(header: &Header, names: &Names, size: usize) -> Result<BTreeMap<String, Place>, GgufError> {
    let mut places = BTreeMap::new();
    for tensor in &header.tensors {
        let cut = || GgufError::Outside {
            tensor: tensor.name.clone(),
        };
        let numbers = match number_format(tensor.kind) {
            Ok(format) => {
                let bytes = tensor.bytes_in(format).ok_or_else(cut)?;
                let from = header.data.checked_add(tensor.offset).ok_or_else(cut)?;
                let to = from.checked_add(bytes).filter(|to| *to <= size).ok_or_else(cut)?;
                Numbers::Known(format, from..to)
            }
            Err(name) => Numbers::Other(name),
        };
        let Some(name) = names.of(tensor)? else { continue };
        let place = Place {
            shape: tensor.shape.clone(),
            interleaved: name.interleaved,
            numbers,
        };
        if places.insert(name.text, place).is_some() {
            return Err(GgufError::Twice {
                tensor: tensor.name.clone(),
            });
        }
    }
    Ok(places)
}

/// The format of a `ggml_type`, or its name if it is not read.
fn number_format(kind: u32) -> Result<NumberFormat, String> {
    match kind {
        0 => Ok(NumberFormat::F32),
        1 => Ok(NumberFormat::F16),
        2 => Ok(NumberFormat::Q4),
        8 => Ok(NumberFormat::Q8),
        30 => Ok(NumberFormat::Bf16),
        _ => Err(names::of_type(kind)),
    }
}
