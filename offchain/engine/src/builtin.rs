//! Models that come with the program: how their folders are written.

use std::io;
use std::path::Path;

/// Files of a folder: name and content.
pub(crate) type Files = &'static [(&'static str, &'static [u8])];

/// The files of `assets/$folder` by name.
macro_rules! files {
    ($folder:literal) => {
        $crate::builtin::files!(
            $folder,
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "SHA256SUMS",
        )
    };
    ($folder:literal, $($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../assets/", $folder, "/", $name)))),*]
    };
}
pub(crate) use files;

/// Writes a model's folder. Files that are there with the right content stay as they are.
pub(crate) fn write_to(folder: &Path, files: Files) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, content) in files {
        let path = folder.join(name);
        if std::fs::read(&path).ok().as_deref() == Some(*content) {
            continue;
        }
        // A reader never sees half a file.
        let partial = folder.join(format!(".{name}.partial"));
        std::fs::write(&partial, content)?;
        std::fs::rename(&partial, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{demo, tiny};
    use sha2::{Digest, Sha256};

    #[test]
    fn the_files_have_the_listed_hashes() {
        for files in [demo::FILES, tiny::FILES] {
            let listed = files.iter().find(|(name, _)| *name == "SHA256SUMS").unwrap().1;
            let listed = std::str::from_utf8(listed).unwrap();
            assert_eq!(listed.lines().count() + 1, files.len());
            for line in listed.lines() {
                let (hash, name) = line.split_once("  ").unwrap();
                let content = files.iter().find(|(file, _)| *file == name).unwrap().1;
                assert_eq!(hex::encode(Sha256::digest(content)), hash, "{name}");
            }
        }
    }

    #[test]
    fn writing_twice_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        let path = folder.path().join("model.safetensors");
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        tiny::write_to(folder.path()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
        std::fs::write(&path, b"damaged").unwrap();
        tiny::write_to(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), tiny::FILES.len());
        assert!(std::fs::read(&path).unwrap().len() > 1_000_000);
    }
}
