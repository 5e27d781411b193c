//! Firm quotes: a slot and a price, signed, for one request.

use std::time::Duration;

use crate::support::{Act, Client, MODEL, Network, Wish, Worker, address, until};
use cocoon_bindings::ton::friendly;
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::extension::{GetQuote, Quote, QuoteTerms, RunQuoted};
use cocoon_protocol::message::WorkerPacket;
use cocoon_protocol::quote::signed_bytes;
use cocoon_protocol::retry_after;
use cocoon_protocol::version::VersionRange;
use cocoon_protocol::worker::NewCoefficient;
use cocoon_proxy::RoutingConfig;
use cocoon_runner::link::LinkError;

/// Slots of a worker of these tests; half of them may be kept.
const SLOTS: u8 = 4;

async fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network.add_client(address(6), Nanoton::from_ton(50));
    network
}

fn question() -> GetQuote {
    GetQuote {
        model: MODEL.to_owned(),
        max_coefficient: 4000,
        max_tokens: 1000,
        query_bytes: 4096,
    }
}

async fn quote(client: &Client) -> Result<(Quote, QuoteTerms), (i32, String)> {
    ask(client, &question()).await
}

async fn ask(client: &Client, question: &GetQuote) -> Result<(Quote, QuoteTerms), (i32, String)> {
    match client.link.query(encode(question), Duration::from_secs(10)).await {
        Ok(answer) => {
            let quote: Quote = decode(&answer).unwrap();
            let terms = decode(&quote.terms).unwrap();
            Ok((quote, terms))
        }
        Err(LinkError::Refused { code, message }) => Err((code, message)),
        Err(error) => panic!("{error}"),
    }
}

async fn send(client: &Client, id: u8, quote_id: [u8; 32], wish: &Wish) {
    let run = encode(&Client::query(id, MODEL, wish));
    client
        .link
        .send_packet(encode(&RunQuoted { quote_id, run }))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_signed_by_the_contracts_key_and_names_what_is_promised() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    let (quote, terms) = quote(&client).await.unwrap();
    let signature: [u8; 64] = quote.signature[..].try_into().unwrap();
    let key: PublicKey = network.proxy_key();
    assert!(key.verifies(&signed_bytes(&quote.terms), &signature));
    assert!(!key.verifies(&signed_bytes(&quote.terms[1..]), &signature));
    assert_eq!(terms.proxy_sc_address, friendly(&network.proxy_contract(), false, true));
    assert_eq!(
        terms.client_sc_address,
        friendly(&network.client_contract(&address(3)), false, true)
    );
    assert_eq!(
        (terms.model.as_str(), terms.coefficient, terms.max_tokens),
        (MODEL, 1000, 1000)
    );
    assert_eq!(terms.worker_evidence, worker.identity.evidence_hash());
    assert_eq!(terms.expires_ms - terms.issued_ms, 20_000);
    // A client that does not know quotes is told so, and is served as before.
    let old = VersionRange { min: 1, max: 2 };
    let mut old = Client::connect_as(&network, proxy.clients, address(6), old)
        .await
        .unwrap();
    assert_eq!(ask(&old, &question()).await.unwrap_err().0, 621);
    old.send(1, MODEL, 1000).await;
    old.payment(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_and_the_price_of_a_quote_hold_while_others_find_the_worker_full_and_dearer() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let mut other = Client::connect(&network, proxy.clients, address(6)).await;
    let (_, terms) = quote(&client).await.unwrap();
    for id in 1..SLOTS {
        other.send(id, MODEL, 1000).await;
        other.first_part(id).await;
    }
    let hasty = Wish {
        timeout: 1.0,
        ..Wish::default()
    };
    other.send_wish(9, MODEL, &hasty).await;
    assert_eq!(other.outcome(9).await.error.unwrap().0, 703, "the last slot is kept");
    let dearer = WorkerPacket::from(NewCoefficient { new_coefficient: 3000 });
    worker.link.send_packet(dearer.encode()).await.unwrap();

    let wish = Wish::default();
    send(&client, 1, terms.quote_id, &wish).await;
    client.first_part(1).await;
    client.cancel(1).await;
    let outcome = client.outcome(1).await;
    let receipt = outcome.receipt.unwrap().receipt;
    assert_eq!(receipt.statement.coefficient.get(), 1000, "the price of the quote");
    // One quote, one request.
    send(&client, 2, terms.quote_id, &wish).await;
    assert_eq!(client.outcome(2).await.error.unwrap().0, 712);
    // The slot is free again, at the new price.
    other.send(10, MODEL, 1000).await;
    other.first_part(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_expired_and_unfit_quotes_are_refused_by_what_is_wrong() {
    let network = network().await;
    let mut config = network.config();
    config.routing = RoutingConfig {
        quote_seconds: 4.0,
        ..RoutingConfig::default()
    };
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let mut other = Client::connect(&network, proxy.clients, address(6)).await;
    let wish = Wish::default();
    let (_, terms) = quote(&client).await.unwrap();
    send(&client, 1, [7; 32], &wish).await;
    assert_eq!(client.outcome(1).await.error.unwrap().0, 711);
    send(&other, 2, terms.quote_id, &wish).await;
    assert_eq!(other.outcome(2).await.error.unwrap().0, 711, "of another client");
    let larger = Wish {
        max_tokens: 1001,
        ..Wish::default()
    };
    send(&client, 3, terms.quote_id, &larger).await;
    let (code, message) = client.outcome(3).await.error.unwrap();
    assert_eq!((code, message.contains("more tokens")), (707, true), "{message}");
    // What did not fit has not used it up.
    send(&client, 4, terms.quote_id, &wish).await;
    assert_eq!(client.outcome(4).await.body, b"one two three");

    let (_, terms) = quote(&client).await.unwrap();
    tokio::time::sleep(Duration::from_millis(4300)).await;
    send(&client, 5, terms.quote_id, &wish).await;
    assert_eq!(client.outcome(5).await.error.unwrap().0, 713);
    assert_eq!(client.ask(6).await.body, b"one two three", "its slot is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_of_a_client_and_of_a_worker_are_bounded_and_what_they_reserve_is_not_there_twice() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    for _ in 0..SLOTS / 2 {
        quote(&client).await.unwrap();
    }
    assert_eq!(
        quote(&client).await.unwrap_err().0,
        703,
        "half of the worker is for others"
    );
    Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    for _ in 0..SLOTS / 2 {
        quote(&client).await.unwrap();
    }
    let (code, message) = quote(&client).await.unwrap_err();
    assert_eq!(code, 705, "{message}");
    assert!(
        retry_after::split(&message)
            .1
            .is_some_and(|seconds| (1..=40).contains(&seconds)),
        "{message}"
    );
    // 50 TON at 2000 nanoton pay for 25 million tokens: no quote for more than is left.
    let other = Client::connect(&network, proxy.clients, address(6)).await;
    let dear = GetQuote {
        max_tokens: 30_000_000,
        ..question()
    };
    assert_eq!(ask(&other, &dear).await.unwrap_err().0, 702);
    let cheap = GetQuote {
        max_coefficient: 999,
        ..question()
    };
    assert_eq!(ask(&other, &cheap).await.unwrap_err().0, 703, "nobody is as cheap");
    let unknown = GetQuote {
        model: "nope".to_owned(),
        ..question()
    };
    assert_eq!(ask(&other, &unknown).await.unwrap_err().0, 701);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quoted_request_whose_worker_is_lost_goes_to_another_one_that_is_no_dearer() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let lost = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let (_, first) = quote(&client).await.unwrap();
    let (_, second) = quote(&client).await.unwrap();
    lost.link.close().await;
    until("the worker is gone", || lost.link.is_closed()).await;
    let other = Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    send(&client, 1, first.quote_id, &Wish::default()).await;
    assert_eq!(client.answered(1).await, b"one two three");
    let dearer = WorkerPacket::from(NewCoefficient { new_coefficient: 1001 });
    other.link.send_packet(dearer.encode()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    send(&client, 2, second.quote_id, &Wish::default()).await;
    assert_eq!(client.outcome(2).await.error.unwrap().0, 703);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_stops_does_not_wait_for_quotes() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    let _worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    let (_, terms) = quote(&client).await.unwrap();
    assert_eq!(terms.max_tokens, 1000);
    let begun = tokio::time::Instant::now();
    stop.cancel();
    proxy.join().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Nothing of it holds the store.
    cocoon_store::ProxyStore::open(&network.store_dir()).unwrap();
}
