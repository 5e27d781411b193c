//! Nobody gets more than is reserved, nobody is paid more than was asked for, and nobody shuts workers off from others.

use std::time::Duration;

use crate::support::{Act, Client, MODEL, Network, Wish, Worker, address, until};
use cocoon_bindings::units::Nanoton;
use cocoon_protocol::handshake::WorkerBalances;
use cocoon_protocol::http::Request;
use cocoon_protocol::version::VersionRange;
use cocoon_receipt::FinishReason;
use cocoon_store::read_receipts;

const OLD: VersionRange = VersionRange { min: 1, max: 2 };

async fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

/// Size of a request as the proxy reserves for it.
fn query_bytes(body: &'static str) -> u64 {
    Request::post_json("/v1/chat/completions", body.into()).encode().len() as u64
}

async fn old_worker(network: &Network, to: std::net::SocketAddr, act: Act) -> Worker {
    let none = WorkerBalances::default();
    Worker::connect_as(network, to, address(4), act, OLD, none)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_when_its_reservation_is_used_and_all_of_that_is_charged() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Endless50).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let wish = Wish {
        body: r#"{"max_tokens":5}"#,
        max_tokens: 5,
        max_coefficient: 1000,
        ..Wish::default()
    };
    client.send_wish(1, MODEL, &wish).await;
    let outcome = client.outcome(1).await;
    assert_eq!(outcome.error.unwrap().0, 704);
    let reserved = 5 + query_bytes(wish.body);
    let receipt = outcome.receipt.unwrap();
    assert_eq!(receipt.receipt.charged(), reserved);
    // The worker was told to stop, accounted for it and signed: the next price above the reservation is the last.
    assert!(receipt.worker_signature.is_some());
    assert!(receipt.receipt.statement.used.total > reserved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_asks_for_more_than_its_message_says_is_refused() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let greedy = Wish {
        body: r#"{"max_tokens":32000}"#,
        max_tokens: 0,
        ..Wish::default()
    };
    client.send_wish(1, MODEL, &greedy).await;
    assert_eq!(client.outcome(1).await.error.unwrap().0, 707);
    // As deployed clients ask for several answers: each may be so long, and that much is reserved.
    let many = Wish {
        body: r#"{"max_tokens":100,"n":100000000}"#,
        max_tokens: 100,
        ..Wish::default()
    };
    client.send_wish(2, MODEL, &many).await;
    assert_eq!(client.outcome(2).await.error.unwrap().0, 702);
    let some = Wish {
        body: r#"{"max_tokens":100,"n":2}"#,
        max_tokens: 100,
        ..Wish::default()
    };
    client.send_wish(3, MODEL, &some).await;
    assert_eq!(client.outcome(3).await.body, b"one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_worker_that_counts_nothing_is_cut_where_the_reservation_ends() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let _worker = old_worker(&network, proxy.workers, Act::HeldBack).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let wish = Wish {
        max_tokens: 0,
        max_coefficient: 1000,
        ..Wish::default()
    };
    client.send_wish(1, MODEL, &wish).await;
    let outcome = client.outcome(1).await;
    assert_eq!(outcome.error.unwrap().0, 704);
    let events = outcome.body.len() / "data: {}\n\n".len();
    // A body without a number is reserved for as one of 1000 tokens.
    let reserved = 1000 + query_bytes(wish.body) as usize;
    assert!((1000..reserved + 50).contains(&events), "{events}");
    // With a higher ceiling all of it is paid for.
    client
        .send_wish(
            2,
            MODEL,
            &Wish {
                max_tokens: 5000,
                ..wish
            },
        )
        .await;
    assert_eq!(client.outcome(2).await.body.len(), 5000 * "data: {}\n\n".len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_length_nobody_asked_for_goes_on_to_its_end_only_when_it_is_paid_for() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let wish = Wish {
        max_coefficient: 1000,
        ..Wish::default()
    };
    let reserved = 1000 + query_bytes(wish.body);
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let worker = old_worker(&network, proxy.workers, Act::Document(10_000)).await;
    client.send_wish(1, MODEL, &wish).await;
    let outcome = client.outcome(1).await;
    assert_eq!(outcome.error.unwrap().0, 704);
    assert_eq!(outcome.payment.unwrap().request_tokens.cast_unsigned(), reserved);
    // What came is what so many tokens usually are.
    let usual = 4 * reserved as usize;
    assert!(
        (usual..usual + 200).contains(&outcome.body.len()),
        "{}",
        outcome.body.len()
    );
    // One whose length was asked for is as long as its bytes may be: its worker obeyed.
    let asked = Wish {
        body: r#"{"max_tokens":1000}"#,
        ..wish
    };
    client.send_wish(2, MODEL, &asked).await;
    let outcome = client.outcome(2).await;
    assert_eq!((outcome.error, outcome.body.len()), (None, 40_000));
    worker.link.close().await;

    let _worker = old_worker(&network, proxy.workers, Act::Document(1000)).await;
    client.send_wish(3, MODEL, &wish).await;
    let outcome = client.outcome(3).await;
    assert_eq!((outcome.error, outcome.body.len()), (None, 40_000));
    assert_eq!(outcome.payment.unwrap().request_tokens, 1000);
    assert_eq!(outcome.receipt.unwrap().receipt.charged(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_claims_too_much_gets_what_the_work_can_cost_at_its_own_price() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let _worker = old_worker(&network, proxy.workers, Act::Overclaim).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let wish = Wish {
        body: r#"{"max_tokens":10}"#,
        max_tokens: 10,
        ..Wish::default()
    };
    client.send_wish(1, MODEL, &wish).await;
    let paid = client.payment(1).await.request_tokens;
    assert_eq!(paid.cast_unsigned(), 10 + query_bytes(wish.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_time_do_not_shut_a_worker_off() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Silent).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let hasty = Wish {
        timeout: 1e-3,
        ..Wish::default()
    };
    // Three failures in a row would hold the worker back; each of these still reaches it.
    for id in 1..8 {
        client.send_wish(id, MODEL, &hasty).await;
        assert_eq!(client.outcome(id).await.error.unwrap().0, 652);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_head_is_a_failure_that_the_client_never_sees() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Headless).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 1..6 {
        let outcome = client.ask(id).await;
        assert_eq!(outcome.body, b"one two three", "{:?}", outcome.error);
        assert_eq!(outcome.payment.unwrap().request_tokens, 13);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_stops_the_worker_and_pays_for_what_it_reports() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Torrent).await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    let wish = Wish {
        max_tokens: 10_000,
        timeout: 600.0,
        ..Wish::default()
    };
    client.send_wish(1, MODEL, &wish).await;
    let log = network.store_dir().join("receipts.log");
    until("the worker's account is in the log, signed", || {
        read_receipts(&log).is_ok_and(|receipts| receipts.iter().any(|receipt| receipt.worker_signature.is_some()))
    })
    .await;
    let receipt = read_receipts(&log).unwrap().remove(0);
    assert_eq!(receipt.receipt.statement.finish, FinishReason::Cancelled);
    // All that the worker says it made is paid, its parts that were dropped too.
    assert!(receipt.receipt.charged() > 512, "{}", receipt.receipt.charged());
    assert_eq!(receipt.receipt.charged(), receipt.receipt.statement.used.total);
    client.link.close().await;
    stop.cancel();
    proxy.join().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_worker_is_followed_to_its_count_after_a_cancel_and_nobody_gets_the_rest() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let worker = old_worker(&network, proxy.workers, Act::Unhurried).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, MODEL, 1000).await;
    assert_eq!(&client.first_part(1).await[..], b"one ");
    client.cancel(1).await;
    let outcome = client.outcome(1).await;
    assert!(outcome.body.is_empty(), "{:?}", outcome.body);
    // It counts only at its end, for the whole of what it did.
    let receipt = outcome.receipt.unwrap().receipt;
    assert_eq!(receipt.charged(), 13);
    assert_eq!(receipt.statement.finish, FinishReason::Cancelled);
    assert_eq!(outcome.payment.unwrap().request_tokens, 13);
    until("the worker is told of its payment", || {
        worker
            .payments
            .lock()
            .unwrap()
            .iter()
            .any(|payment| payment.request_tokens == 13)
    })
    .await;
    // Its place is free again.
    assert_eq!(client.ask(2).await.body, b"one two three");
}

/// Answers of one worker's connection that may be ahead of their receipts: as the proxy has it.
const AHEAD: usize = 256;

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_a_worker_that_does_not_sign_run_ahead_only_so_far() {
    let network = network().await;
    network.add_client(address(6), Nanoton::from_ton(50));
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::AnswerSilent).await;
    let mut clients = Vec::new();
    for owner in [3, 6] {
        clients.push(Client::connect(&network, proxy.clients, address(owner)).await);
    }
    // Few enough at once for a connection; each ends before the worker's time to sign is over.
    let (mut ended, each) = (0, u8::try_from(AHEAD / 2 - 4).unwrap());
    for id in 0..each {
        for client in &mut clients {
            client.send(id, MODEL, 100).await;
            client.answered_only(id).await;
            ended += 1;
        }
    }
    for id in each..each + 10 {
        for client in &clients {
            client.send(id, MODEL, 100).await;
        }
    }
    for client in &mut clients {
        ended += client.ends_within(Duration::from_millis(500)).await;
    }
    assert_eq!(ended, AHEAD);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_asked_together_have_the_time_of_one() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::AnswerSigningSlowly).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let begin = std::time::Instant::now();
    for id in 1..5 {
        client.send(id, MODEL, 100).await;
    }
    let mut receipts = Vec::new();
    client.receipts(4, &mut receipts).await;
    // The last signature would come after eight seconds, each two seconds after the one before.
    assert!(begin.elapsed() < Duration::from_secs(7), "{:?}", begin.elapsed());
    let signed: Vec<_> = receipts
        .iter()
        .map(|receipt| receipt.worker_signature.is_some())
        .collect();
    assert_eq!(signed, [true, true, false, false]);
}
