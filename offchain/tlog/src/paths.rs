//! Names of the files of a published log.

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::log::{TileId, TileKind};

/// The newest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// Before the numbers of bundles of entries, and of records of challenges.
const ENTRIES: &str = "tile/entries/";
const CHALLENGES: &str = "challenges/";

/// Whether a path is one of records of challenges.
pub(crate) fn is_challenges(path: &str) -> bool {
    let number = path.strip_prefix(CHALLENGES);
    let like = number.and_then(|number| TileId::parse(&format!("{ENTRIES}{number}")));
    like.is_some_and(|tile| tile.width == cocoon_receipt::log::TILE_WIDTH)
}

/// Which log this is.
pub const DESCRIPTION: &str = "log.json";

/// The certificate with this SHA-256.
pub fn evidence(hash: &HashBytes) -> String {
    format!("evidence/{}", hex::encode(hash.0))
}

/// The records of challenges with these numbers: 256 × `number` and on.
pub fn challenges(number: u64) -> String {
    let (kind, width) = (TileKind::Entries, cocoon_receipt::log::TILE_WIDTH);
    let like = TileId {
        kind,
        index: number,
        width,
    };
    like.to_string().replacen(ENTRIES, CHALLENGES, 1)
}

/// How long a copy of a file is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// It never changes.
    Forever,
    /// It gains signatures.
    Gains,
    /// It is replaced.
    Changes,
}

/// What is known of a path; `None` when no file of a published log has it.
pub fn known(path: &str) -> Option<Keeps> {
    if path == CHECKPOINT || path == DESCRIPTION {
        return Some(Keeps::Changes);
    }
    if let Some(name) = path.strip_prefix("evidence/") {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        return (name.len() == 64 && name.bytes().all(is_digit)).then_some(Keeps::Forever);
    }
    if is_challenges(path) {
        return Some(Keeps::Gains);
    }
    match TileId::parse(path)?.kind {
        TileKind::Signatures => Some(Keeps::Gains),
        TileKind::Hashes(_) | TileKind::Entries | TileKind::Receipts => Some(Keeps::Forever),
    }
}

/// The folder with the partial forms of a tile or bundle.
pub(crate) fn partial_folder(kind: TileKind, index: u64) -> String {
    let width = cocoon_receipt::log::TILE_WIDTH;
    format!("{}.p", TileId { kind, index, width })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_log_have_known_paths() {
        let hash = "ab".repeat(32);
        for (path, keeps) in [
            ("checkpoint", Keeps::Changes),
            ("log.json", Keeps::Changes),
            ("tile/0/000", Keeps::Forever),
            ("tile/entries/000.p/7", Keeps::Forever),
            ("receipts/x001/000", Keeps::Forever),
            ("signatures/000", Keeps::Gains),
            ("challenges/000", Keeps::Gains),
            ("challenges/x001/234", Keeps::Gains),
            (&format!("evidence/{hash}"), Keeps::Forever),
        ] {
            assert_eq!(known(path), Some(keeps), "{path}");
        }
        let upper = format!("evidence/{}", hash.to_uppercase());
        for path in [
            "",
            "mark.json",
            "checkpoint.new",
            "checkpoint/",
            "evidence/../checkpoint",
            &upper,
            "evidence/",
            "tile/0/000.p/256",
            "challenges/000.p/3",
            "challenges/0",
            "receipts/../../etc/passwd",
        ] {
            assert_eq!(known(path), None, "{path}");
        }
        assert_eq!(challenges(1234), "challenges/x001/234");
        assert_eq!(partial_folder(TileKind::Entries, 1234), "tile/entries/x001/234.p");
    }
}
