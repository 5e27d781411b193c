//! A developer asks once, and can prove years later what was done for it: the client's page says where the receipt stands in the
//! proxy's log, and one command traces it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cocoon_bindings::PublicKey;
use cocoon_cli::local::actors;
use cocoon_client::LogPlace;
use cocoon_network_tests::api::{Api, question};
use cocoon_network_tests::{binary, inprocess::Network, parts::Parts, upstream::Upstream};
use cocoon_tlog::{DiskFolder, FolderSource, PublishedLog, Publisher};
use futures_util::StreamExt as _;
use serde_json::Value;

/// Longest time until a receipt is published: the local proxy does so every second.
const PUBLISHED: Duration = Duration::from_secs(30);

/// The page of a receipt once it has a proof, or once it has another reason why not.
async fn page(api: &Api, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PUBLISHED;
    loop {
        let page = api.receipt(id).await.unwrap().body;
        assert_eq!(page["id"], id, "{page:#}");
        assert_ne!(
            page["inclusion"].is_null(),
            page["inclusion_unavailable"].is_null(),
            "{page:#}"
        );
        if is_wanted(&page) {
            return page;
        }
        assert!(Instant::now() < deadline, "{page:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn is_included(page: &Value) -> bool {
    !page["inclusion"].is_null()
}

/// Runs the command, which reads the local network's chain.
async fn cocoon(data_dir: &Path, line: &str) -> (Option<i32>, Value) {
    let mut command = Command::new(binary::cocoon().unwrap());
    command
        .args(line.split(' '))
        .arg("--json")
        .arg("--data-dir")
        .arg(data_dir);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let result = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        let told = String::from_utf8_lossy(&output.stderr);
        panic!("{line}: {told}")
    });
    (output.status.code(), result)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_receipt_is_traced_by_whoever_gets_it() {
    let network = Network::start().await.unwrap();
    let asked = network
        .api()
        .chat(&question(network.model(), "Hello", 5))
        .await
        .unwrap();
    assert_eq!(asked.status, 200, "{:#}", asked.body);
    let id = asked.receipt_id.unwrap();
    let page = page(network.api(), &id, is_included).await;
    assert_eq!(page["inclusion"]["index"], 0, "{page:#}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    std::fs::write(&file, page.to_string()).unwrap();
    let data_dir = network.local().data().path().to_owned();

    let origin = page["inclusion"]["log"].as_str().unwrap();
    let key = origin.strip_prefix("cocoon-receipts/").unwrap();
    let line = format!("log verify --proof {} --key {key}", file.display());
    let (exit, proven) = cocoon(&data_dir, &line).await;
    assert_eq!((exit, &proven["receipt"]), (Some(0), &page["id"]), "{proven:#}");

    for subject in [file.display().to_string(), id.clone()] {
        let (exit, traced) = cocoon(&data_dir, &format!("verify receipt {subject}")).await;
        assert_eq!((exit, &traced["verdict"]), (Some(0), &"proven".into()), "{traced:#}");
        assert_eq!((&traced["receipt"], &traced["simulated"]), (&page["id"], &true.into()));
        let quote = traced["links"]
            .as_array()
            .unwrap()
            .iter()
            .find(|link| link["step"] == "worker_quote");
        assert_eq!(quote.unwrap()["finding"], "proven", "{traced:#}");
    }

    // A page that somebody has changed.
    let mut changed = page.clone();
    changed["inclusion"]["index"] = 1.into();
    std::fs::write(&file, changed.to_string()).unwrap();
    let (exit, traced) = cocoon(&data_dir, &format!("verify receipt {}", file.display())).await;
    assert_eq!((exit, &traced["verdict"]), (Some(1), &"refuted".into()), "{traced:#}");
    network.stop().await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), target) {
            // Partial forms of tiles go while the proxy publishes.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_shows_two_histories_is_refused_and_costs_no_receipt() {
    let parts = Parts::deploy().await.unwrap();
    let model = parts.network().model.clone();
    let upstream = Upstream::start(&model, Duration::from_millis(1), 4).await.unwrap();
    let _proxy = parts.start_proxy().await.unwrap();
    let _worker = parts.start_worker(upstream.url()).await.unwrap();
    let published = parts.proxy_config().unwrap().log.folder.unwrap();
    let mirror = parts.path().join("mirror");
    std::fs::create_dir(&mirror).unwrap();
    let (own, other) = (parts.network().proxy_contract.clone(), parts.network().root.clone());
    let place = |url: String, proxy: String| LogPlace {
        url,
        proxy: Some(proxy),
    };
    let logs = vec![
        place("http://127.0.0.1:1".to_owned(), other),
        place(mirror.display().to_string(), own),
    ];
    let (_client, api) = parts.start_client(|config| config.logs = logs).await.unwrap();
    let ask = async || loop {
        let asked = api.chat(&question(&model, "Hello", 3)).await.unwrap();
        // The proxy has to be found first.
        if let Some(id) = asked.receipt_id {
            return id;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (first, second) = (ask().await, ask().await);
    let refused = page(&api, &first, |_| true).await;
    assert!(
        refused["inclusion_unavailable"]
            .as_str()
            .unwrap()
            .contains("the log of 0 receipts does not have it (yet)"),
        "{refused:#}"
    );
    let deadline = Instant::now() + PUBLISHED;
    let size = |folder: &Path| {
        let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap_or_default();
        note.lines()
            .nth(1)
            .and_then(|size| size.parse::<u64>().ok())
            .unwrap_or(0)
    };
    while size(&published) < 2 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    copy(&published, &mirror);
    let included = page(&api, &first, is_included).await;
    assert_eq!(included["inclusion"]["index"], 0);

    // The proxy signs another history for this client alone.
    let data = parts.path().join("network");
    let key =
        cocoon_runner::keys::load_key(&data.join("keys").join(format!("{}.key", actors::PROXY_CONTRACT))).unwrap();
    let public_key = PublicKey::from(&key);
    let third = ask().await;
    while size(&published) < 3 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let log = PublishedLog::open(std::sync::Arc::new(FolderSource::new(&published)), public_key)
        .await
        .unwrap();
    let (_, mut receipts) = std::pin::pin!(log.receipts(0)).next().await.unwrap().unwrap();
    receipts.swap(0, 1);
    std::fs::remove_dir_all(&mirror).unwrap();
    let mut publisher = Publisher::open(DiskFolder::shared(&mirror), key).unwrap();
    receipts.iter().for_each(|receipt| publisher.add(receipt).unwrap());
    publisher.publish(None).unwrap();
    let refused = page(&api, &third, |_| true).await;
    let reason = refused["inclusion_unavailable"].as_str().unwrap();
    assert!(reason.contains("TWO HISTORIES"), "{reason}");
    let kept = data.join(format!("client/contradictions/{public_key}.json"));
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(
        kept["found"],
        std::fs::read_to_string(mirror.join("checkpoint")).unwrap()
    );
    // What was proven before is still shown, and every receipt is there.
    assert!(is_included(&page(&api, &first, |_| true).await));
    assert_eq!(page(&api, &second, |_| true).await["verified"], true);
    parts.stop().await.unwrap();
}
