//! What the root contract takes back is felt by whoever is connected.

use std::time::{Duration, Instant};

use crate::support::{Act, Client, MODEL, Network, Worker, address};
use cocoon_attest::simulated::simulated_measurements;
use cocoon_bindings::root::{AddWorkerHashFromOwner, DeleteModelHashFromOwner, DeleteWorkerHashFromOwner};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_receipt::FinishReason;
use cocoon_runner::link::LinkHandle;
use sha2::{Digest, Sha256};

const NEW_IMAGE: &str = "worker-next";

fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

fn image(name: &str) -> HashBytes {
    simulated_measurements(name).image_hash().to_hash_bytes()
}

fn revoke(name: &str) -> DeleteWorkerHashFromOwner {
    DeleteWorkerHashFromOwner {
        query_id: QueryId::new(1),
        hash: image(name),
    }
}

fn allow(name: &str) -> AddWorkerHashFromOwner {
    AddWorkerHashFromOwner {
        query_id: QueryId::new(1),
        hash: image(name),
    }
}

/// The proxy looks at the root contract every second here.
async fn is_cut_off(link: &LinkHandle) {
    tokio::time::timeout(Duration::from_secs(10), link.closed())
        .await
        .expect("the connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_image_is_revoked_is_dropped_and_its_answer_ends_as_a_lost_workers() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, MODEL, 100_000).await;
    client.first_part(1).await;

    network.govern(&revoke("worker"));
    is_cut_off(&worker.link).await;
    let outcome = client.outcome(1).await;
    assert_eq!(outcome.error.unwrap().0, 706);
    let receipt = outcome.receipt.unwrap();
    assert_eq!(receipt.receipt.statement.finish, FinishReason::WorkerLost);
    assert_eq!(
        outcome.payment.unwrap().request_tokens,
        i64::try_from(receipt.receipt.charged()).unwrap(),
        "what was delivered until then is charged"
    );
    assert!(receipt.receipt.charged() > 10);

    // It does not get in again, and nobody else is there.
    let again = Worker::connect_image(&network, proxy.workers, address(4), "worker", Act::Answer).await;
    assert!(again.is_err());
    assert_eq!(client.ask(2).await.error.unwrap().0, 703);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_at_a_revoked_worker_goes_to_another() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let old = Worker::connect(&network, proxy.workers, address(4), Act::Silent).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, MODEL, 1000).await;

    let refused = Worker::connect_image(&network, proxy.workers, address(5), NEW_IMAGE, Act::Answer).await;
    assert!(refused.is_err(), "its image is not listed yet");
    network.govern(&allow(NEW_IMAGE));
    let started = Instant::now();
    while Worker::connect_image(&network, proxy.workers, address(5), NEW_IMAGE, Act::Answer)
        .await
        .is_err()
    {
        assert!(started.elapsed() < Duration::from_secs(10), "its image is listed now");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    network.govern(&revoke("worker"));
    let outcome = client.outcome(1).await;
    assert_eq!(outcome.body, b"one two three", "{:?}", outcome.error);
    assert_eq!(
        outcome.receipt.unwrap().receipt.statement.worker,
        network.worker_contract(&address(5))
    );
    is_cut_off(&old.link).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_model_is_revoked_is_dropped() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    network.govern(&DeleteModelHashFromOwner {
        query_id: QueryId::new(1),
        hash: HashBytes(Sha256::digest(MODEL).into()),
    });
    is_cut_off(&worker.link).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stays_when_other_images_are_revoked() {
    let network = network();
    let (proxy, _stop) = network.start().await;
    network.govern(&allow(NEW_IMAGE));
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    network.govern(&revoke(NEW_IMAGE));
    let left = tokio::time::timeout(Duration::from_secs(3), worker.link.closed()).await;
    assert!(left.is_err(), "{left:?}");
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert_eq!(client.ask(1).await.body, b"one two three");
}
