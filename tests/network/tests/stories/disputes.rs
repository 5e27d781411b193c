//! Evidence goes to the contracts without the proxy: it lied about its log, or it does not settle.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::checkpoint::{Checkpoint, SignedCheckpoint};
use cocoon_bindings::client::ClaimByReceipt;
use cocoon_bindings::ton::{Address, boc_base64, boc_bytes, from_cell, parse_address, to_cell};
use cocoon_bindings::{ExportedMessage, Nanoton, PublicKey, QueryId};
use cocoon_chain::ProxyAccount;
use cocoon_cli::local::actors;
use cocoon_network_tests::{api::question, governance::Governors, inprocess::Network};
use cocoon_receipt::SignedReceipt;
use cocoon_receipt::log::Checkpoint as Note;

fn checkpoint(proxy: &Address, seqno: u64, root: u8) -> Checkpoint {
    Checkpoint {
        proxy: proxy.clone(),
        seqno,
        size: 1_000_000,
        root_hash: [root; 32].into(),
        time: 1_790_000_000 + seqno,
    }
}

/// Two readers compare what the proxy showed them, and one of them is paid for telling.
#[tokio::test(flavor = "multi_thread")]
async fn two_roots_of_one_size_cost_the_proxy_a_share_of_its_stake() {
    let network = Network::start().await.unwrap();
    let governors = Governors::gather(network.local()).await.unwrap();
    let proxy = parse_address(&network.local().file().proxy_contract).unwrap();
    let key = cocoon_runner::keys::load_key(&network.local().data().key_file(actors::PROXY_CONTRACT)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, seqno, root| {
        let signed = SignedCheckpoint::sign(checkpoint(&proxy, seqno, root), &key).unwrap();
        let path = folder.path().join(name);
        // One as bytes, the others as text: both are bags of cells.
        let cell = signed.to_cell().unwrap();
        let content = if seqno == 7 {
            boc_bytes(&cell)
        } else {
            boc_base64(&cell).into_bytes()
        };
        std::fs::write(&path, content).unwrap();
        path
    };
    let (mine, yours, same) = (written("mine", 7, 1), written("yours", 8, 2), written("same", 9, 1));
    let reporter = governors.signer(0).unwrap();
    let line = |first: &Path, second: &Path| {
        format!(
            "dispute equivocation {} {} --reporter {}",
            first.display(),
            second.display(),
            reporter.address()
        )
    };
    let nothing = governors.run(&line(&mine, &same)).await.unwrap_err();
    assert!(nothing.to_string().contains("failed"), "{nothing}");

    let stake = |account: ProxyAccount| account.stake;
    let fetch = async || ProxyAccount::fetch(governors.chain().as_ref(), &proxy).await.unwrap();
    let coins = async || governors.chain().account(reporter.address()).await.unwrap().balance;
    let (before, had) = (stake(fetch().await), coins().await);
    let printed = governors.send(reporter, &line(&mine, &yours)).await.unwrap();
    assert_eq!(printed["is_proven"], true);
    assert_eq!(printed["contradiction"], "one size has two roots");
    let lost = before.checked_sub(stake(fetch().await)).unwrap();
    assert_eq!(lost.get(), before.get() / 4, "a quarter of the stake");
    let gained = coins().await.checked_sub(had).unwrap();
    assert!(
        gained > lost.saturating_sub(Nanoton::new(100_000_000)),
        "{gained} of {lost}"
    );
    network.stop().await.unwrap();
}

/// A reader was shown another log than the mirrors: both published checkpoints go to the contract as they are.
#[tokio::test(flavor = "multi_thread")]
async fn two_published_checkpoints_of_one_size_cost_the_proxy_a_share_of_its_stake() {
    let network = Network::start().await.unwrap();
    let governors = Governors::gather(network.local()).await.unwrap();
    let proxy = parse_address(&network.local().file().proxy_contract).unwrap();
    let key = cocoon_runner::keys::load_key(&network.local().data().key_file(actors::PROXY_CONTRACT)).unwrap();
    let public = PublicKey::from(&key);
    let asked = network
        .api()
        .chat(&question(network.model(), "Hello", 5))
        .await
        .unwrap();
    assert_eq!(asked.status, 200, "{:#}", asked.body);
    let folder = network.local().data().log_dir();
    let mut seen = None;
    for _ in 0..600 {
        let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap_or_default();
        let cells = Note::cells(&note, &public).unwrap_or_default();
        seen = cells.into_iter().find(|cell| cell.checkpoint.size > 0);
        if seen.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let seen = seen.unwrap().checkpoint;
    assert_eq!(seen.proxy, proxy);
    let forked = Note {
        origin: Note::origin_of(&public),
        size: seen.size,
        root: [7; 32].into(),
    };
    let cell = Checkpoint::published(proxy.clone(), forked.size, forked.root).unwrap();
    let cell = SignedCheckpoint::sign(cell, &key).unwrap();
    let note = Note::with_cells(&forked.sign(&key).unwrap(), &[cell], &public).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let contradiction = elsewhere.path().join("contradiction");
    std::fs::write(&contradiction, note).unwrap();

    let reporter = governors.signer(0).unwrap();
    let line = |second: &Path| {
        format!(
            "dispute equivocation {} {} --reporter {}",
            folder.display(),
            second.display(),
            reporter.address()
        )
    };
    let nothing = governors.run(&line(&folder)).await.unwrap_err();
    assert!(nothing.to_string().contains("failed"), "{nothing}");
    let fetch = async || ProxyAccount::fetch(governors.chain().as_ref(), &proxy).await.unwrap();
    let before = fetch().await.stake;
    let printed = governors.send(reporter, &line(&contradiction)).await.unwrap();
    assert_eq!(printed["contradiction"], "one size has two roots");
    let lost = before.checked_sub(fetch().await.stake).unwrap();
    assert_eq!(lost.get(), before.get() / 4, "a quarter of the stake");
    network.stop().await.unwrap();
}

/// A client keeps one file, from which anybody makes the messages that settle its contract when its proxy is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_in_a_file_is_a_claim_for_the_owners_wallet() {
    let network = Network::start().await.unwrap();
    let governors = Governors::gather(network.local()).await.unwrap();
    let asked = network
        .api()
        .chat(&question(network.model(), "Hello", 5))
        .await
        .unwrap();
    assert_eq!(asked.status, 200, "{:#}", asked.body);
    let receipt = network.api().receipt(&asked.receipt_id.unwrap()).await.unwrap().body;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.boc");
    std::fs::write(&file, receipt["boc"].as_str().unwrap()).unwrap();
    let owner = governors.signer(1).unwrap().address();
    let line = format!("dispute claim {} --excesses {owner} --query-id 9", file.display());

    let printed = governors.run(&line).await.unwrap();
    assert_eq!(printed["receipt"], receipt["id"]);
    assert_eq!(printed["tokens"], receipt["channel"]["after"]);
    let message = |name: &str| {
        let exported: ExportedMessage = serde_json::from_value(printed[name].clone()).unwrap();
        exported.to_message().unwrap()
    };
    let (claim, settle) = (message("claim"), message("settle"));
    let client = parse_address(&network.local().file().client_contract).unwrap();
    assert_eq!((&claim.to, &settle.to), (&client, &client));
    let claimed: ClaimByReceipt = from_cell(&claim.body).unwrap();
    let signed = SignedReceipt::from_boc(&STANDARD.decode(receipt["boc"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(claimed.signature, signed.proxy_signature.0);
    assert_eq!(*to_cell(&claimed.receipt).unwrap().repr_hash(), signed.id().0);
    assert_eq!((claimed.query_id, &claimed.send_excesses_to), (QueryId::new(9), owner));

    // Another proxy contract serves by now: the receipt names its own.
    let place = network.local().data().network_file();
    let whole = std::fs::read_to_string(&place).unwrap();
    let moved = whole.replace(&network.local().file().proxy_contract, &client.to_string());
    assert_ne!(moved, whole);
    std::fs::write(&place, moved).unwrap();
    assert_eq!(governors.run(&line).await.unwrap(), printed);
    std::fs::write(&place, whole).unwrap();

    std::fs::write(&file, "AAAA").unwrap();
    let refused = governors.run(&line).await.unwrap_err();
    assert!(
        refused.to_string().contains("hint: evidence is one bag of cells"),
        "{refused}"
    );
    network.stop().await.unwrap();
}
