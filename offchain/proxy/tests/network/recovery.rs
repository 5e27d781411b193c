//! What a restart keeps, and which databases are refused.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Act, Client, MODEL, Network, Worker, address, until};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::Nanoton;
use cocoon_ledger::OutageCredit;
use cocoon_protocol::handshake::WorkerBalances;
use cocoon_protocol::version::VersionRange;
use cocoon_proxy::{OutageConfig, ProxyConfig};
use cocoon_store::{ProxyStore, ProxyWrite};

async fn used(network: &Network) {
    let (proxy, stop) = network.start().await;
    Worker::connect(network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(1).await.payment.unwrap().request_tokens, 13);
    until("settled", || network.tokens_used(&address(3)) == Some(13)).await;
    stop.cancel();
    proxy.join().await.unwrap();
}

fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_proxy_goes_on_where_it_was() {
    let network = network();
    used(&network).await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(
        (client.authorized.tokens_committed_to_db, client.authorized.max_tokens),
        (13, 13)
    );
    let outcome = client.ask(2).await;
    assert_eq!(outcome.payment.unwrap().max_tokens, 26);
    assert_eq!(outcome.receipt.unwrap().receipt.channel.seqno, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_refused() {
    let network = network();
    used(&network).await;
    fs::remove_dir_all(network.store_dir()).unwrap();
    refuses_service(&network).await;
}

/// The proxy starts, says what contradicts its database, and takes nobody in; nothing of it reaches the chain.
async fn refuses_service(network: &Network) {
    let (proxy, stop) = network.start().await;
    let page = get(proxy.http, "/health").await;
    assert!(page.contains("\"status\":\"recovering\""), "{page}");
    assert!(page.contains("restore the newest copy"), "{page}");
    let refusal = Client::connect_as(network, proxy.clients, address(3), VersionRange::OFFERED).await;
    let refusal = refusal.map(drop).unwrap_err();
    assert!(refusal.contains("recovering"), "{refusal}");
    let used = network.tokens_used(&address(3));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(network.tokens_used(&address(3)), used);
    stop.cancel();
    proxy.join().await.unwrap();
}

/// A page of the proxy's statistics port.
pub(crate) async fn get(at: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut connection = tokio::net::TcpStream::connect(at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    connection.read_to_string(&mut page).await.unwrap();
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_database_is_refused() {
    let network = network();
    used(&network).await;
    let copy = network.folder.path().join("copy");
    copy_folder(&network.store_dir(), &copy);
    used_again(&network).await;
    fs::remove_dir_all(network.store_dir()).unwrap();
    fs::rename(&copy, network.store_dir()).unwrap();
    refuses_service(&network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_newest_data_came_back_serves_again() {
    let network = network();
    used(&network).await;
    let copy = network.folder.path().join("copy");
    copy_folder(&network.store_dir(), &copy);
    used_again(&network).await;
    let newest = network.folder.path().join("newest");
    fs::rename(network.store_dir(), &newest).unwrap();
    fs::rename(&copy, network.store_dir()).unwrap();
    refuses_service(&network).await;
    fs::remove_dir_all(network.store_dir()).unwrap();
    fs::rename(&newest, network.store_dir()).unwrap();
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(2).await.payment.unwrap().max_tokens, 26);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_proxy_with_the_same_keys_and_another_database_serves_nobody_and_leaves_the_first_alone() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    // The same keys with a database of their own: the chain holds commits that the second did not send.
    let second = ProxyConfig {
        store_dir: network.folder.path().join("second"),
        ..network.config()
    };
    let (second, _stop) = network.try_start(second).await.unwrap();
    assert!(get(second.http, "/health").await.contains("recovering"));
    assert!(get(proxy.http, "/health").await.contains("ready"));
    assert_eq!(client.ask(2).await.payment.unwrap().max_tokens, 26);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_chain_is_away_answers_say_so_then_no_more_are_given_and_it_resumes_by_itself() {
    let network = network();
    let outage = OutageConfig {
        after: 3.0,
        serve_for: 4.0,
        credit: OutageCredit {
            client: Nanoton::from_ton(20),
            total: Nanoton::from_ton(20),
        },
        ..OutageConfig::default()
    };
    let config = ProxyConfig {
        outage,
        ..network.config()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(1).await.chain_age, None);
    network.is_chain_away.store(true, Ordering::Relaxed);
    eventually("on credit", || get(proxy.http, "/health"), "degraded").await;
    let outcome = client.ask(2).await;
    assert_eq!(outcome.payment.unwrap().max_tokens, 26);
    assert!(outcome.chain_age.unwrap() >= 3);
    eventually("drained", || get(proxy.http, "/health"), "draining").await;
    let (_, refusal) = client.ask(3).await.error.unwrap();
    assert!(refusal.contains("chain"), "{refusal}");
    network.is_chain_away.store(false, Ordering::Relaxed);
    eventually("back", || get(proxy.http, "/health"), "ready").await;
    let outcome = client.ask(4).await;
    assert_eq!((outcome.payment.unwrap().max_tokens, outcome.chain_age), (39, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_answers_and_makes_no_blocks_is_away_until_it_has_caught_up() {
    let network = network();
    // This chain has the time that it is given.
    let outage = OutageConfig {
        after: 3.0,
        stalled: 4.0,
        ..OutageConfig::default()
    };
    let config = ProxyConfig {
        outage,
        ..network.config()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    eventually("on credit", || get(proxy.http, "/health"), "degraded").await;
    let outcome = client.ask(1).await;
    assert!(outcome.chain_age.unwrap() >= 4);
    network.chain.with(|chain| chain.advance(3600)).unwrap();
    eventually("back", || get(proxy.http, "/health"), "ready").await;
    assert_eq!(client.ask(2).await.payment.unwrap().max_tokens, 26);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_chain_is_away_a_client_gets_no_more_than_its_credit() {
    let network = network();
    let outage = OutageConfig {
        after: 3.0,
        serve_for: 600.0,
        credit: OutageCredit {
            client: Nanoton::new(1),
            total: Nanoton::from_ton(20),
        },
        ..OutageConfig::default()
    };
    let config = ProxyConfig {
        outage,
        ..network.config()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    network.is_chain_away.store(true, Ordering::Relaxed);
    eventually("on credit", || get(proxy.http, "/health"), "degraded").await;
    let (_, refusal) = client.ask(2).await.error.unwrap();
    assert!(refusal.contains("granted"), "{refusal}");
    network.is_chain_away.store(false, Ordering::Relaxed);
    eventually("back", || get(proxy.http, "/health"), "ready").await;
    assert_eq!(client.ask(3).await.payment.unwrap().max_tokens, 26);
}

/// Waits until a page says something.
pub(crate) async fn eventually<F: Future<Output = String>>(what: &str, page: impl Fn() -> F, holds: &str) {
    for _ in 0..300 {
        if page().await.contains(holds) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

async fn used_again(network: &Network) {
    let (proxy, stop) = network.start().await;
    stop.cancel();
    proxy.join().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_the_log_is_refused_by_name() {
    let network = network();
    used(&network).await;
    let log = network.store_dir().join("receipts.log");
    let receipt = cocoon_store::read_receipts(&log).unwrap()[0].id().to_string();
    let mut bytes = fs::read(&log).unwrap();
    bytes[200] ^= 1;
    fs::write(&log, bytes).unwrap();
    let error = network
        .try_start(network.config())
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains(&receipt), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_claims_the_moon_is_served_and_nothing_stops() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let moon = 1_000_000_000_000;
    let known = WorkerBalances {
        tokens_committed_to_blockchain: moon,
        tokens_committed_to_db: 0,
        max_tokens: moon,
    };
    let offered = VersionRange::OFFERED;
    Worker::connect_as(&network, proxy.workers, address(4), Act::Answer, offered, known)
        .await
        .unwrap();
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(1).await.body, b"one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_is_charged_to_the_last_token_and_refunded() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    client.link.close().await;
    until("settled", || network.tokens_used(&address(3)) == Some(13)).await;
    let before = network.balance(&address(3));
    network.close_client(&address(3));
    until("closed by the proxy", || network.is_closed(&address(3))).await;
    assert_eq!(network.tokens_used(&address(3)), Some(13));
    let paid_back = network.balance(&address(3)).checked_sub(before).unwrap();
    // 50 TON less 13 tokens at 2000 nanoton, less the gas of the messages that brought it.
    assert!(paid_back > Nanoton::new(49_500_000_000), "{paid_back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_away_stops_neither_requests_nor_known_clients_and_is_caught_up_with() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    network.is_chain_away.store(true, Ordering::Relaxed);
    let outcome = client.ask(2).await;
    assert_eq!(outcome.payment.unwrap().max_tokens, 26);
    let mut again = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(again.ask(3).await.payment.unwrap().max_tokens, 39);
    let stranger = Client::connect_as(&network, proxy.clients, address(9), VersionRange::OFFERED).await;
    let refusal = stranger.map(drop).unwrap_err();
    assert!(refusal.contains("the chain cannot be reached"), "{refusal}");
    network.is_chain_away.store(false, Ordering::Relaxed);
    until("settled", || network.tokens_used(&address(3)) == Some(39)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_that_could_not_send_their_first_commit_do_not_lock_the_database() {
    let network = network();
    used(&network).await;
    let (mut store, recovered) = ProxyStore::open(&network.store_dir()).unwrap();
    let mut ledger = recovered.ledger;
    let mut starts = 0;
    // What a start leaves that finds its wallet empty: a commit that is durable and was never sent.
    while let Ok((_, changes)) = ledger.begin_commit(HashBytes([starts; 32])) {
        starts += 1;
        let write = ProxyWrite {
            changes,
            ..ProxyWrite::default()
        };
        store.write([&write]).unwrap();
    }
    assert_eq!(usize::from(starts), cocoon_ledger::limits::MAX_PENDING_COMMITS);
    drop(store);
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(2).await;
    until("settled", || network.tokens_used(&address(3)) == Some(26)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_served_whose_channel_is_not_durable() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    network.is_disk_stalled.store(true, Ordering::Relaxed);
    let serves = std::sync::atomic::AtomicUsize::new(0);
    let worker = async {
        let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
        serves.fetch_add(1, Ordering::Relaxed);
        worker
    };
    let client = async {
        let client = Client::connect(&network, proxy.clients, address(3)).await;
        serves.fetch_add(1, Ordering::Relaxed);
        client
    };
    let disk = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let served = serves.load(Ordering::Relaxed);
        network.is_disk_stalled.store(false, Ordering::Relaxed);
        served
    };
    let (_worker, mut client, served) = tokio::join!(worker, client, disk);
    assert_eq!(served, 0);
    client.send(1, MODEL, 1000).await;
    assert_eq!(client.answered(1).await, b"one two three");
}

pub(crate) fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
