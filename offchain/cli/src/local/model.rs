//! The model of a local network: the built-in one or a folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cocoon_engine::demo;
use cocoon_manifest::ModelName;
use sha2::{Digest, Sha256};

use super::layout::DataDir;
use crate::failure::{Exit, Failure, OrFail as _};

/// Bytes hashed at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A model folder and the name that the network knows it by.
#[derive(Clone, Debug)]
pub struct LocalModel {
    /// The folder.
    pub folder: PathBuf,
    /// `name@local:hash`, the hash being that of all files.
    pub name: ModelName,
}

impl LocalModel {
    /// The models in `folders`, or the built-in one.
    pub fn prepare_all(folders: &[PathBuf], data: &DataDir) -> Result<Vec<Self>, Failure> {
        if folders.is_empty() {
            return Ok(vec![Self::prepare(None, data)?]);
        }
        folders.iter().map(|folder| Self::prepare(Some(folder), data)).collect()
    }

    /// The model in `folder`, or the built-in one, unpacked into the data folder.
    pub fn prepare(folder: Option<&Path>, data: &DataDir) -> Result<Self, Failure> {
        let (folder, base) = match folder {
            Some(folder) => (absolute(folder)?, base_name(folder)?),
            None => {
                let folder = data.demo_model_dir();
                demo::write_to(&folder).or_fail(
                    Exit::Configuration,
                    &format!("cannot unpack the built-in model into {}", folder.display()),
                    "check the permissions and the free space of the data folder",
                )?;
                (folder, demo::NAME.to_owned())
            }
        };
        let hash = hash_folder(&folder).or_fail(
            Exit::Configuration,
            &format!("cannot read the model in {}", folder.display()),
            "give --model the folder with config.json, tokenizer.json and the safetensors files",
        )?;
        let name = format!("{base}@local:{hash}").parse().or_fail(
            Exit::Configuration,
            &format!("{base:?} cannot be the name of a model"),
            "rename the model's folder: no blanks, at most 100 characters",
        )?;
        Ok(Self { folder, name })
    }
}

fn base_name(folder: &Path) -> Result<String, Failure> {
    let folder = absolute(folder)?;
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| anyhow::anyhow!("no folder name"));
    Ok(name
        .or_fail(
            Exit::Usage,
            "the model's folder has no name",
            "give --model the folder itself",
        )?
        .to_owned())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().or_fail(
        Exit::Configuration,
        &format!("there is no folder {}", path.display()),
        "give --model the folder with config.json, tokenizer.json and the safetensors files",
    )
}

/// SHA-256 over a list of names and hashes in the form of sha256sum, sorted by name; files of folders inside are named with
/// their folder.
fn hash_folder(folder: &Path) -> std::io::Result<String> {
    let mut files = Vec::new();
    find_files(folder, &mut files)?;
    files.sort();
    let mut list = String::new();
    for path in &files {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{}  {name}", hash_file(path)?);
    }
    Ok(hex::encode(Sha256::digest(list)))
}

/// All files that are not hidden.
fn find_files(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_file() {
            files.push(path);
        } else if entry.file_type()?.is_dir() {
            find_files(&path, files)?;
        }
    }
    Ok(())
}

fn hash_file(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0u8; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_changes_with_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("parrot");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("config.json"), "{}").unwrap();
        let data = DataDir::new(folder.path());
        let first = LocalModel::prepare(Some(&model), &data).unwrap();
        assert_eq!(first.name.base(), "parrot");
        std::fs::write(model.join("config.json"), "{ }").unwrap();
        let second = LocalModel::prepare(Some(&model), &data).unwrap();
        assert_ne!(first.name, second.name);
        std::fs::create_dir(model.join("1_Pooling")).unwrap();
        std::fs::write(model.join("1_Pooling/config.json"), "{}").unwrap();
        let third = LocalModel::prepare(Some(&model), &data).unwrap();
        assert_ne!(second.name, third.name);
    }

    #[test]
    fn a_missing_folder_is_a_matter_of_configuration() {
        let failure = LocalModel::prepare(Some(Path::new("/nowhere")), &DataDir::new("x")).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
    }
}
