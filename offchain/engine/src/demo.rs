//! The model that comes with the program: a Qwen3 of 3,672,832 numbers that answers short questions about this project.
//! It is for trying a network out; `scripts/models/demo` makes it and says where its text comes from.

use std::io;
use std::path::Path;

/// Name under which test networks offer it.
pub const NAME: &str = "cocoon/demo";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Files of the model, by name.
        pub const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../assets/demo/", $name)))),*];
    };
}

files![
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "SHA256SUMS",
];

/// Writes the model's folder. Files that are there with the right content stay as they are.
pub fn write_to(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, content) in FILES {
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
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_files_have_the_listed_hashes() {
        let listed = FILES.iter().find(|(name, _)| *name == "SHA256SUMS").unwrap().1;
        let listed = std::str::from_utf8(listed).unwrap();
        assert_eq!(listed.lines().count() + 1, FILES.len());
        for line in listed.lines() {
            let (hash, name) = line.split_once("  ").unwrap();
            let content = FILES.iter().find(|(file, _)| *file == name).unwrap().1;
            assert_eq!(hex::encode(Sha256::digest(content)), hash, "{name}");
        }
    }

    #[test]
    fn writing_twice_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write_to(folder.path()).unwrap();
        let path = folder.path().join("model.safetensors");
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        write_to(folder.path()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
        std::fs::write(&path, b"damaged").unwrap();
        write_to(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), FILES.len());
        assert!(std::fs::read(&path).unwrap().len() > 1_000_000);
    }
}
