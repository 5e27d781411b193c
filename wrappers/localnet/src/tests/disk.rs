//! The chain on disk: what was answered is there, whatever ends the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cocoon_bindings::units::Nanoton;
use cocoon_emulator::Snapshot;
use serde_json::json;

use super::{SOMEBODY, START, control, faucet, result};
use crate::{Clock, LocalNet, LocalNetConfig, LocalNetError, RunningLocalNet};

async fn start(file: &Path) -> Result<RunningLocalNet, LocalNetError> {
    LocalNet::start(LocalNetConfig {
        state_file: Some(file.to_owned()),
        // No second passes, so that nothing is charged for storage.
        clock: Clock::Manual(START),
        ..LocalNetConfig::ephemeral()
    })
    .await
}

fn journal_of(file: &Path) -> PathBuf {
    cocoon_emulator::journal::path_beside(file)
}

async fn balance(net: &RunningLocalNet) -> serde_json::Value {
    result(net, "getAddressBalance", json!({ "address": SOMEBODY.to_string() })).await
}

/// The files as a dying machine would leave them.
fn copy(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to.join("chain.state")
}

#[tokio::test]
async fn an_answered_change_is_on_disk_even_if_the_server_dies() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("deep");
    let net = start(&folder.join("chain.state")).await.unwrap();
    for n in 1..=5 {
        faucet(&net, "5").await;
        let copied = copy(&folder, &directory.path().join(n.to_string()));
        let again = start(&copied).await.unwrap();
        assert_eq!(balance(&again).await, (5 * n).to_string());
        // It goes on from there, and dies again.
        faucet(&again, "1").await;
        let copied = copy(copied.parent().unwrap(), &directory.path().join(format!("{n}-again")));
        drop(again);
        assert_eq!(balance(&start(&copied).await.unwrap()).await, (5 * n + 1).to_string());
    }
    net.shutdown().await.unwrap();
    let net = start(&folder.join("chain.state")).await.unwrap();
    assert_eq!(net.with(|chain| chain.balance(&SOMEBODY)).unwrap(), Nanoton::new(25));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn changes_are_added_and_the_end_leaves_one_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let (file, journal) = (
        directory.path().join("chain.state"),
        directory.path().join("chain.state.journal"),
    );
    let net = start(&file).await.unwrap();
    faucet(&net, "5").await;
    let (saved, head) = (fs::read(&file).unwrap(), fs::read(&journal).unwrap());
    faucet(&net, "5").await;
    control(&net, "mine", json!({})).await;
    assert_eq!(fs::read(&file).unwrap(), saved, "the saved chain is not written again");
    let grown = fs::read(&journal).unwrap();
    assert!(grown.starts_with(&head) && grown.len() > head.len());
    // Going back is no continuation: all is written.
    let number = control(&net, "snapshot", json!({})).await.1["result"]["snapshot"].clone();
    faucet(&net, "5").await;
    control(&net, "restore", json!({ "snapshot": number })).await;
    assert_ne!(fs::read(&file).unwrap(), saved);
    let copied = copy(directory.path(), &directory.path().join("copy"));
    assert_eq!(balance(&start(&copied).await.unwrap()).await, "10");
    net.shutdown().await.unwrap();
    assert!(!journal.exists());
    let whole = Snapshot::from_bytes(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(whole.transaction_count(), 2);
}

#[tokio::test]
async fn a_record_that_a_crash_cut_short_is_cut_off_and_the_journal_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let net = start(&directory.path().join("first/chain.state")).await.unwrap();
    faucet(&net, "5").await;
    faucet(&net, "6").await;
    faucet(&net, "7").await;
    let file = copy(&directory.path().join("first"), &directory.path().join("second"));
    drop(net);
    let journal = directory.path().join("second/chain.state.journal");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 3]).unwrap();
    let net = start(&file).await.unwrap();
    assert_eq!(balance(&net).await, "11", "what was not whole was never confirmed");
    faucet(&net, "2").await;
    let third = copy(&directory.path().join("second"), &directory.path().join("third"));
    assert_eq!(balance(&start(&third).await.unwrap()).await, "13");
    drop(net);
    // A flipped bit before the end is damage, and nothing is overwritten.
    let journal = directory.path().join("third/chain.state.journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[100] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    assert!(matches!(start(&third).await, Err(LocalNetError::Damaged { .. })));
    assert_eq!(fs::read(&journal).unwrap(), bytes);
}

#[tokio::test]
async fn a_journal_that_outweighs_the_chain_is_written_into_it() {
    let directory = tempfile::tempdir().unwrap();
    let (file, journal) = (
        directory.path().join("chain.state"),
        directory.path().join("chain.state.journal"),
    );
    let net = start(&file).await.unwrap();
    faucet(&net, "1").await;
    let saved = fs::metadata(&file).unwrap().len();
    // Each change is some kilobytes of transactions, so that few of them are a megabyte.
    let mut written_anew = false;
    for n in 0..2_000_u32 {
        net.with(|chain| (0..8).try_for_each(|_| chain.fund(&SOMEBODY, Nanoton::new(1)).map(drop)))
            .unwrap();
        faucet(&net, "1").await;
        if fs::metadata(&file).unwrap().len() > saved {
            assert!(n > 1);
            written_anew = true;
            break;
        }
    }
    assert!(written_anew);
    assert!(fs::metadata(&journal).unwrap().len() < crate::limits::MIN_JOURNAL_BYTES);
    let held = balance(&net).await;
    let copied = copy(directory.path(), &directory.path().join("copy"));
    assert_eq!(balance(&start(&copied).await.unwrap()).await, held);
}

#[tokio::test]
async fn a_damaged_chain_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chain.state");
    fs::write(&file, b"COCOCHN1 nonsense").unwrap();
    assert!(matches!(start(&file).await, Err(LocalNetError::Damaged { .. })));
    assert_eq!(fs::read(&file).unwrap(), b"COCOCHN1 nonsense");
}

#[tokio::test]
async fn a_second_start_on_the_files_of_a_running_chain_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chain.state");
    let net = start(&file).await.unwrap();
    faucet(&net, "5").await;
    faucet(&net, "5").await;
    let files = [fs::read(&file).unwrap(), fs::read(journal_of(&file)).unwrap()];
    assert!(matches!(start(&file).await, Err(LocalNetError::InUse { .. })));
    assert_eq!([fs::read(&file).unwrap(), fs::read(journal_of(&file)).unwrap()], files);
    faucet(&net, "5").await;
    let copied = copy(directory.path(), &directory.path().join("copy"));
    assert_eq!(balance(&start(&copied).await.unwrap()).await, "15");
    // Whoever comes while it stops waits for the end.
    let (stopped, next) = tokio::join!(net.shutdown(), start(&file));
    stopped.unwrap();
    assert_eq!(balance(&next.unwrap()).await, "15");
}

#[tokio::test]
async fn a_start_that_finds_its_port_taken_leaves_the_files_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deep/chain.state");
    let other = super::start().await;
    let second = LocalNet::start(LocalNetConfig {
        listen: other.address(),
        state_file: Some(file.clone()),
        ..LocalNetConfig::ephemeral()
    })
    .await;
    assert!(matches!(second, Err(LocalNetError::Listen { .. })));
    assert!(!file.parent().unwrap().exists());
}

#[tokio::test]
async fn a_write_that_failed_is_tried_again_without_another_change() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chain.state");
    let in_the_way = directory.path().join("chain.state.new");
    fs::create_dir(&in_the_way).unwrap();
    let net = start(&file).await.unwrap();
    let freed = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!file.exists());
        fs::remove_dir(&in_the_way).unwrap();
    };
    let answered = tokio::time::timeout(Duration::from_secs(20), faucet(&net, "5"));
    let (answer, ()) = tokio::join!(answered, freed);
    assert_eq!(answer.unwrap()["balance"], "5");
    let copied = copy(directory.path(), &directory.path().join("copy"));
    assert_eq!(balance(&start(&copied).await.unwrap()).await, "5");
}

#[tokio::test]
async fn a_journal_of_another_saved_chain_is_kept_under_another_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("first/chain.state");
    let net = start(&file).await.unwrap();
    faucet(&net, "5").await;
    net.shutdown().await.unwrap();
    let backup = fs::read(&file).unwrap();
    let net = start(&file).await.unwrap();
    faucet(&net, "6").await;
    faucet(&net, "7").await;
    let copied = copy(&directory.path().join("first"), &directory.path().join("second"));
    let journal = fs::read(journal_of(&copied)).unwrap();
    fs::write(&copied, &backup).unwrap();
    drop(net);
    let net = start(&copied).await.unwrap();
    assert_eq!(balance(&net).await, "5");
    faucet(&net, "1").await;
    assert_eq!(
        fs::read(copied.with_file_name("chain.state.journal.stale")).unwrap(),
        journal
    );
}
