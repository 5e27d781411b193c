//! The file of a proposal: written whole or not at all, and over nothing but an older file of the same change.

use std::path::{Path, PathBuf};

use cocoon_bindings::ton::{Address, parse_boc_base64};
use cocoon_chain::ChainClient;
use cocoon_owner::governance::{Bundle, Change, Network};
use cocoon_owner::limits::MAX_BUNDLE_BYTES;
use cocoon_owner::operation::governance::Propose;

use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::input;

const PATH_HINT: &str = "check the folder and its permissions; the same command writes it again";

/// Refuses a path at which there is something else than a proposal of this change.
pub(super) fn assert_free(path: &Path, root: &Address, change: &Change) -> Result<(), Failure> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    let hint = "take another name: nothing else is written over";
    let is_same = input::read(path, MAX_BUNDLE_BYTES, hint).is_ok_and(|bytes| is_of(&bytes, root, change));
    if is_same {
        return Ok(());
    }
    let error = anyhow::anyhow!("{} is there, and is no proposal of this change", path.display());
    Err(Failure::new(Exit::Configuration, error, hint))
}

fn is_of(bytes: &[u8], root: &Address, change: &Change) -> bool {
    let Ok(bundle) = Bundle::parse(bytes) else { return false };
    let decoded = parse_boc_base64(&bundle.body).ok();
    let decoded = decoded.and_then(|body| Change::decode(&body).ok());
    bundle.root == root.to_string() && decoded.is_some_and(|(other, _)| other == *change)
}

/// Writes the file of a proposal that the governor holds.
pub(super) async fn write(
    chain: &dyn ChainClient,
    network: &Network,
    (id, operation): (u64, &Propose),
    path: &Path,
) -> Result<(), Failure> {
    assert_free(path, &operation.root, &operation.change)?;
    let bundle = Bundle::of(chain, network, id).await.map_err(failure::from_owner)?;
    let text = bundle.to_text().map_err(failure::from_owner)?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    written.or_fail(
        Exit::Configuration,
        &format!("cannot write {}", path.display()),
        PATH_HINT,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::Nanoton;

    #[test]
    fn nothing_that_is_no_proposal_of_the_same_change_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let root = Address::new(0, [1; 32].into());
        let change = Change::prices(Nanoton::new(2), Nanoton::new(1));
        assert!(assert_free(&path, &root, &change).is_ok(), "there is none");
        std::fs::write(&path, "{\"image_hash\": 1}").unwrap();
        let refused = assert_free(&path, &root, &change).unwrap_err();
        assert_eq!(refused.exit(), Exit::Configuration);
        assert!(assert_free(folder.path(), &root, &change).is_err(), "a folder");
    }
}
