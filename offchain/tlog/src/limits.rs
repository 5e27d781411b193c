//! Bounds of this crate, each with its reason.

use std::time::Duration;

use cocoon_receipt::CHALLENGE_BYTES;
use cocoon_receipt::limits::{MAX_NOTE_BYTES, MAX_RECEIPT_BYTES};
use cocoon_receipt::log::{TILE_WIDTH, TileId, TileKind};

/// Bytes of a full tile of hashes.
pub const MAX_TILE_BYTES: usize = TILE_WIDTH as usize * 32;

/// Largest bundle of entries: a receipt's id and its length each.
pub const MAX_ENTRIES_BYTES: usize = TILE_WIDTH as usize * 34;

/// Largest bundle of receipts: as many as it holds, none larger than any receipt.
pub const MAX_RECEIPTS_BYTES: usize = TILE_WIDTH as usize * (2 + MAX_RECEIPT_BYTES);

/// Largest bundle of signatures.
pub const MAX_SIGNATURES_BYTES: usize = TILE_WIDTH as usize * (2 + 64);

/// Largest file of records of challenges.
pub const MAX_CHALLENGES_BYTES: usize = TILE_WIDTH as usize * CHALLENGE_BYTES;

/// Files of records of challenges that are read of one log: a million records.
pub const MAX_CHALLENGE_FILES: u64 = 4096;

/// Largest certificate: that of an attested peer is below 40 KiB.
pub const MAX_EVIDENCE_BYTES: usize = 65_536;

/// Largest `log.json`: it is about 500 bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 8192;

/// Batches that are fetched ahead of the one that is looked at: hides the way to a far server, and is some MiB of memory.
pub const BATCHES_AHEAD: usize = 8;

/// Batches on each side of the one where a receipt should stand by its time in which it is looked for: receipts of one second may
/// fill that many, and their order within it is that of the disk.
pub const BATCHES_NEAR: u64 = 16;

/// Tiles above the lowest level that a reader keeps: a walk along the log needs one of each level, eight at most.
pub const KEPT_TILES: usize = 32;

/// Late signatures of full bundles that a writer keeps before it writes their bundles again.
pub const MAX_LATE_BUNDLES: usize = 64;

/// Receipts without their worker's signature that a publisher remembers the places of. A signature comes within seconds or
/// when a worker is back; one that comes after so many others stays out of the published log.
pub const MAX_AWAITED: usize = 65_536;

/// Full bundles before the last checkpoint in which a publisher that starts again looks for receipts without a signature, and a
/// mirror for signatures that were added.
pub const BUNDLES_LOOKED_AT_AGAIN: u64 = 64;

/// Longest wait for a connection to a server of a log, or a witness.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence of a server within an answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest time that a whole answer takes: the largest file over a way of 10 KB a second.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest wait for a witness's signature: the next checkpoint waits too.
pub const WITNESS_TIMEOUT: Duration = Duration::from_secs(10);

/// Witnesses that one log asks: more signatures make the note longer than readers take.
pub const MAX_WITNESSES: usize = 16;

/// Consistency proofs toward a witness have no more nodes than this, as tlog-witness says.
pub const MAX_WITNESS_PROOF: usize = 63;

/// Largest request to a witness: a proof and a note.
pub const MAX_WITNESS_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 4096;

/// Logs that one witness follows: each is one small file.
pub const MAX_WITNESSED_LOGS: usize = 4096;

/// Longest text of an inclusion proof: 64 hashes, a receipt and a note.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 2 * MAX_RECEIPT_BYTES + 4096;

/// Answers of a server that are made or sent at once: each holds a file in memory, of one MiB at most.
pub const MAX_ANSWERS: usize = 128;

/// Longest wait of a request for its turn among them.
pub const ANSWER_TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// Certificates whose keys a mirror remembers within one look at a log; with more it reads them again.
pub const MAX_REMEMBERED_CERTIFICATES: usize = 65_536;

/// The most bytes that a file of a published log has.
pub fn largest(path: &str) -> usize {
    match TileId::parse(path).map(|tile| tile.kind) {
        Some(TileKind::Hashes(_)) => MAX_TILE_BYTES,
        Some(TileKind::Entries) => MAX_ENTRIES_BYTES,
        Some(TileKind::Receipts) => MAX_RECEIPTS_BYTES,
        Some(TileKind::Signatures) => MAX_SIGNATURES_BYTES,
        None if crate::paths::is_challenges(path) => MAX_CHALLENGES_BYTES,
        None if path == crate::paths::CHECKPOINT => MAX_NOTE_BYTES,
        None if path == crate::paths::DESCRIPTION => MAX_DESCRIPTION_BYTES,
        None => MAX_EVIDENCE_BYTES,
    }
}
