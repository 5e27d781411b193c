//! The operator's socket: one worker emptied, the routing read again.

use std::path::Path;

use crate::support::{Act, Client, MODEL, Network, Worker, address, until};
use cocoon_bindings::ton::friendly;
use cocoon_bindings::units::Nanoton;
use cocoon_proxy::{ProxyConfig, RoutingConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Asks at the socket; status and body.
async fn post(socket: &Path, path: &str) -> (u16, String) {
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

/// A network with one client, and the configuration of its proxy with a socket and a file.
fn network() -> (Network, ProxyConfig) {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let mut config = network.config();
    config.admin.socket = Some(network.folder.path().join("admin.sock"));
    config.admin.file = Some(network.folder.path().join("proxy.toml"));
    write(&config);
    (network, config)
}

fn write(config: &ProxyConfig) {
    std::fs::write(config.admin.file.as_ref().unwrap(), toml::to_string(config).unwrap()).unwrap();
}

fn served(worker: &Worker) -> usize {
    worker.payers.lock().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_gets_nothing_new_until_it_is_enabled_even_when_it_comes_again() {
    let (network, config) = network();
    let socket = config.admin.socket.clone().unwrap();
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    let first = Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, MODEL, 1000).await;
    client.first_part(1).await;
    let owner = friendly(&address(4), true, true);
    let (status, body) = post(&socket, &format!("/admin/drain?worker={owner}")).await;
    assert_eq!((status, body.contains("\"connections\":1")), (200, true), "{body}");
    assert_eq!(post(&socket, "/admin/drain?worker=nobody").await.0, 404);
    let unknown = friendly(&address(9), true, true);
    assert_eq!(post(&socket, &format!("/admin/drain?worker={unknown}")).await.0, 404);

    // What runs goes on; what comes goes elsewhere.
    client.first_part(1).await;
    let other = Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    for id in 2..6 {
        client.send(id, MODEL, 1000).await;
        assert_eq!(client.answered(id).await, b"one two three");
    }
    assert_eq!((served(&first), served(&other)), (1, 4));
    client.cancel(1).await;
    first.link.close().await;
    let again = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    for id in 6..10 {
        client.send(id, MODEL, 1000).await;
        assert_eq!(client.answered(id).await, b"one two three");
    }
    assert_eq!(served(&again), 0);

    let (status, body) = post(&socket, &format!("/admin/enable?worker={owner}")).await;
    assert_eq!((status, body.contains("\"draining\":false")), (200, true), "{body}");
    other.link.close().await;
    until("the other one is gone", || other.link.is_closed()).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(client.ask(10).await.body, b"one two three");
    assert_eq!(served(&again), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_the_routing_of_what_comes_from_then_on() {
    let (network, mut config) = network();
    let socket = config.admin.socket.clone().unwrap();
    let (proxy, _stop) = network.try_start(config.clone()).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 1..4 {
        client.send(id, MODEL, 1000).await;
        assert_eq!(client.answered(id).await, b"one two three");
    }
    config.routing = RoutingConfig {
        requests_per_second: 0.01,
        requests_burst: 1.0,
        ..RoutingConfig::default()
    };
    write(&config);
    let (status, body) = post(&socket, "/admin/reload").await;
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains("routing.requests_per_second") && body.contains("\"needs_restart\":[]"),
        "{body}"
    );
    assert_eq!(client.ask(4).await.body, b"one two three");
    assert_eq!(client.ask(5).await.error.unwrap().0, 705);

    config.routing.max_wait = -1.0;
    write(&config);
    let (status, body) = post(&socket, "/admin/reload").await;
    assert_eq!((status, body.contains("routing.max_wait")), (422, true), "{body}");
}
