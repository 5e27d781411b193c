//! Certificates that many connections keep at the same time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use cocoon_store::EvidenceFolder;

#[test]
fn evidence_that_many_keep_at_once_is_kept_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = EvidenceFolder::open(folder.path()).unwrap();
    for round in 0..20_u8 {
        let start = std::sync::Barrier::new(8);
        let put = || {
            start.wait();
            evidence.clone().put(&[round; 20_000])
        };
        let hashes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap().unwrap())
                .collect()
        });
        for hash in hashes {
            assert_eq!(evidence.get(&hash).unwrap().as_deref(), Some(&[round; 20_000][..]));
        }
    }
}
