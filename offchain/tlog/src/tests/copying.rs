//! What a mirror takes over, and what it remembers.

use async_trait::async_trait;
use bytes::Bytes;
use cocoon_receipt::Signature;

use super::platter::Platter;
use super::publishing::publish;
use super::samples::{bare, certificate_hash, key, public_key, receipts};
use crate::{DiskFolder, LogSource, LogWriter, Mirror, PublishedLog, Publisher, TlogError, Witness, paths};

/// A source that fails for some files, for a while.
#[derive(Debug)]
struct Failing(Platter, &'static str);

#[async_trait]
impl LogSource for Failing {
    async fn read(&self, path: &str) -> Result<Option<Bytes>, TlogError> {
        if path.starts_with(self.1) {
            let path = path.to_owned();
            return Err(TlogError::Status { path, status: 503 });
        }
        LogSource::read(&self.0, path).await
    }
}

async fn update(source: crate::SharedSource, copy: &Platter) -> Result<crate::Mirrored, TlogError> {
    let mut mirror = Mirror::open(source, public_key(), copy.folder())?;
    mirror.update(&mut |_, _| ()).await
}

#[tokio::test]
async fn a_certificate_that_cannot_be_fetched_now_is_fetched_later() {
    let (platter, copy) = (Platter::default(), Platter::default());
    publish(&platter, &receipts(3));
    let failing = || std::sync::Arc::new(Failing(platter.clone(), "evidence/"));
    let mut mirror = Mirror::open(failing(), public_key(), copy.folder()).unwrap();
    assert!(mirror.update(&mut |_, _| ()).await.unwrap_err().may_retry());
    assert!(mirror.update(&mut |_, _| ()).await.unwrap_err().may_retry());
    drop(mirror);
    update(platter.source(), &copy).await.unwrap();
    assert!(copy.names().contains(&paths::evidence(&certificate_hash())));
}

#[tokio::test]
async fn signatures_that_do_not_hold_are_not_copied_and_the_right_one_may_come_later() {
    let all = receipts(3);
    let (platter, copy) = (Platter::default(), Platter::default());
    let mut wrong = all.clone();
    wrong[1].worker_signature = Some(Signature([7; 64]));
    publish(&platter, &wrong);
    update(platter.source(), &copy).await.unwrap();
    let read = async |from: &Platter| {
        let log = PublishedLog::open(from.source(), public_key()).await.unwrap();
        log.batch(0).await.unwrap().decode().unwrap()
    };
    assert_eq!(read(&copy).await, [all[0].clone(), bare(&all[1]), all[2].clone()]);
    let honest = Platter::default();
    publish(&honest, &all);
    assert_eq!(update(honest.source(), &copy).await.unwrap().signatures, 1);
    assert_eq!(read(&copy).await, all);

    // The proxy's own.
    let mut foreign = all.clone();
    foreign[2].proxy_signature = Signature([7; 64]);
    let platter = Platter::default();
    publish(&platter, &foreign);
    let refused = update(platter.source(), &Platter::default()).await.unwrap_err();
    assert!(matches!(refused, TlogError::Receipt { index: 2, .. }), "{refused}");
}

#[tokio::test]
async fn a_mirror_that_has_seen_a_checkpoint_takes_no_other_one_even_if_it_copied_nothing_of_it() {
    let all = receipts(302);
    let mut others = all.clone();
    others.remove(280);
    let (platter, forked, copy) = (Platter::default(), Platter::default(), Platter::default());
    publish(&platter, &all[..270]);
    update(platter.source(), &copy).await.unwrap();
    publish(&platter, &all[..300]);
    // The bundles cannot be had now.
    let failing = std::sync::Arc::new(Failing(platter.clone(), "receipts/"));
    assert!(update(failing, &copy).await.unwrap_err().may_retry());
    publish(&forked, &others[..301]);
    let refused = update(forked.source(), &copy).await.unwrap_err();
    assert!(matches!(refused, TlogError::Fork { known: 300, .. }), "{refused}");
    // Both are kept, and neither is served.
    for name in ["pending", "contradiction"] {
        assert!(copy.names().iter().any(|found| found == name), "{name}");
        assert!(paths::known(name).is_none(), "{name}");
    }
    update(platter.source(), &copy).await.unwrap();
}

#[test]
fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let at = || DiskFolder::shared(folder.path());
    let first = Publisher::open(at(), key()).unwrap();
    assert!(matches!(LogWriter::open(at(), public_key()), Err(TlogError::Taken)));
    drop(first);
    let witness = || Witness::open("w".into(), key(), &[public_key()], at());
    let first = witness().unwrap();
    assert!(matches!(witness(), Err(TlogError::Taken)));
    drop(first);
    witness().unwrap();
}

#[tokio::test]
async fn a_receipt_that_is_two_entries_of_a_batch_is_refused() {
    let all = receipts(2);
    let platter = Platter::default();
    publish(&platter, &[all[0].clone(), all[1].clone(), all[0].clone()]);
    let log = PublishedLog::open(platter.source(), public_key()).await.unwrap();
    assert!(matches!(log.batch(0).await, Err(TlogError::Repeated { index: 2 })));
}
