//! Files that a command reads.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::failure::{Exit, Failure, OrFail as _};

/// Reads a file that must not be larger than `limit` bytes, and never more of it; `hint` says what to do where it cannot
/// be read or is larger.
pub(crate) fn read(path: &Path, limit: usize, hint: &'static str) -> Result<Vec<u8>, Failure> {
    // Room at once: a buffer that grows leaves copies behind, also of secrets.
    let size = std::fs::metadata(path).map_or(0, |file| file.len()).min(limit as u64);
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(64));
    File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut content))
        .or_fail(Exit::Configuration, &format!("cannot read {}", path.display()), hint)?;
    if content.len() > limit {
        let error = anyhow::anyhow!("{} has more than {limit} bytes", path.display());
        return Err(Failure::new(Exit::Configuration, error, hint));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_limit_is_read_and_a_larger_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [7; 5]).unwrap();
        assert_eq!(read(&path, 5, "hint").unwrap(), [7; 5]);
        let refused = read(&path, 4, "hint").unwrap_err();
        assert!(format!("{refused:?}").contains("more than 4 bytes"), "{refused:?}");
        assert!(read(&folder.path().join("other"), 4, "hint").is_err());
    }
}
