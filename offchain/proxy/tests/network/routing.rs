//! Who gets a worker, who waits, and who is told to come back.

use std::time::Duration;

use crate::support::{Act, Client, MODEL, Network, Worker, address, until};
use cocoon_bindings::units::Nanoton;
use cocoon_protocol::retry_after;
use cocoon_protocol::version::VersionRange;
use cocoon_proxy::RoutingConfig;

/// Slots of a worker of these tests.
const SLOTS: u8 = 4;

async fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network.add_client(address(6), Nanoton::from_ton(50));
    network
}

/// Fills all slots of the only worker.
async fn fill(client: &mut Client) {
    for id in 1..=SLOTS {
        client.send(id, MODEL, 1000).await;
        client.first_part(id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_finds_all_workers_busy_waits_for_a_slot() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    fill(&mut client).await;
    client.send(5, MODEL, 1000).await;
    client.cancel(1).await;
    client.first_part(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_takes_those_that_wait() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    fill(&mut client).await;
    client.send(5, MODEL, 1000).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    assert_eq!(client.outcome(5).await.body, b"one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_gives_up_its_place_and_its_reservation() {
    let network = network().await;
    let mut config = network.config();
    config.routing = RoutingConfig {
        max_waiting: 1,
        ..RoutingConfig::default()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    fill(&mut client).await;
    client.send(5, MODEL, 1000).await;
    // Requests of one connection run beside each other: the first of these two shall be in the queue.
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.send(6, MODEL, 1000).await;
    let (code, _) = client.outcome(6).await.error.unwrap();
    assert_eq!(code, 703, "there is one place");
    client.cancel(5).await;
    assert_eq!(client.outcome(5).await.error.unwrap().0, 653);
    client.send(7, MODEL, 1000).await;
    client.cancel(1).await;
    client.first_part(7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_or_no_worker_in_time_is_told_when_to_come_back() {
    let network = network().await;
    let mut config = network.config();
    config.routing = RoutingConfig {
        max_wait: 1.0,
        max_waiting_per_client: 1,
        ..RoutingConfig::default()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    fill(&mut client).await;
    client.send(5, MODEL, 1000).await;
    // Requests of one connection run beside each other: the first of these two shall be in the queue.
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.send(6, MODEL, 1000).await;
    for (id, expected) in [(6, 705), (5, 703)] {
        let (code, message) = client.outcome(id).await.error.unwrap();
        assert_eq!(code, expected, "{message}");
        assert!(retry_after::split(&message).1.is_some(), "{message}");
    }
    let old = VersionRange { min: 1, max: 2 };
    let mut old = Client::connect_as(&network, proxy.clients, address(6), old)
        .await
        .unwrap();
    old.send(1, MODEL, 1000).await;
    let (code, message) = old.outcome(1).await.error.unwrap();
    assert_eq!((code, retry_after::split(&message).1), (651, None), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_above_its_rate_is_told_when_and_others_are_served() {
    let network = network().await;
    let mut config = network.config();
    config.routing = RoutingConfig {
        requests_per_second: 0.01,
        requests_burst: 2.0,
        ..RoutingConfig::default()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 1..3 {
        assert_eq!(client.ask(id).await.body, b"one two three");
    }
    let (code, message) = client.ask(3).await.error.unwrap();
    assert_eq!(code, 705, "{message}");
    let seconds = retry_after::split(&message).1.unwrap();
    assert!((60..=100).contains(&seconds), "{seconds}");
    let mut other = Client::connect(&network, proxy.clients, address(6)).await;
    assert_eq!(other.ask(1).await.body, b"one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_reserves_more_than_a_client_ever_may_is_too_large() {
    let network = network().await;
    let mut config = network.config();
    config.routing = RoutingConfig {
        tokens_per_second: 1.0,
        tokens_burst: 100_000.0,
        ..RoutingConfig::default()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, MODEL, 1_000_000).await;
    assert_eq!(client.outcome(1).await.error.unwrap().0, 704);
    assert_eq!(client.ask(2).await.body, b"one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_for_a_worker_that_is_lost_go_to_the_next_one() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let lost = Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    fill(&mut client).await;
    client.send(5, MODEL, 1000).await;
    // It is in the queue when the worker goes: without any worker it would be refused.
    tokio::time::sleep(Duration::from_millis(300)).await;
    lost.link.close().await;
    until("the worker is gone", || lost.link.is_closed()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    assert_eq!(client.outcome(5).await.body, b"one two three");
}
