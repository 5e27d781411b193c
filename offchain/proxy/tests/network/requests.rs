//! What happens to requests: answers, failures, cancels, and what they cost.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::{Act, Client, MODEL, Network, Worker, address, until};
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_protocol::handshake::WorkerBalances;
use cocoon_protocol::version::VersionRange;
use cocoon_receipt::{ChannelHead, ClientView, FinishReason, verify_for_client};
use cocoon_store::read_receipts;

const OLD: VersionRange = VersionRange { min: 1, max: 2 };

async fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_wait_for_the_disk_but_everything_that_is_paid_or_signed_does() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    let paid_before = worker.payments.lock().unwrap().len();

    network.is_disk_stalled.store(true, Ordering::Relaxed);
    client.send(2, MODEL, 1000).await;
    assert_eq!(client.answer(2).await, b"one two three");
    assert!(client.is_silent_for(Duration::from_millis(300)).await);
    assert_eq!(worker.payments.lock().unwrap().len(), paid_before);

    network.is_disk_stalled.store(false, Ordering::Relaxed);
    let outcome = client.outcome(2).await;
    assert_eq!(outcome.payment.unwrap().max_tokens, 26);
    let receipt = outcome.receipt.unwrap();
    assert_eq!(receipt.verify_worker(&worker.identity.leaf_key()), Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_streamed_charged_receipted_and_settled() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    let worker = Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    assert!(!client.registered);

    let outcome = client.ask(1).await;
    assert_eq!(outcome.body, b"one two three", "{:?}", outcome.error);
    // 6 prompt, 4 cached, 3 completion tokens at coefficient 1.
    assert_eq!(outcome.tokens.unwrap().total, 13);
    let payment = outcome.payment.unwrap();
    assert_eq!(
        (payment.request_tokens, payment.db_tokens, payment.max_tokens),
        (13, 13, 13)
    );

    let signed = outcome.receipt.unwrap();
    let wire = outcome.wire_receipt.unwrap();
    let (proxy_contract, client_contract) = (network.proxy_contract(), network.client_contract(&address(3)));
    let view = ClientView {
        proxy_key: &network.proxy_key(),
        root: &network.root,
        proxy: &proxy_contract,
        client: &client_contract,
        request_id: cocoon_bindings::ton::HashBytes([1; 32]),
        head: ChannelHead::GENESIS,
        request_salt: &wire.request_salt,
        response_salt: &wire.response_salt,
        request: &crate::support::request_bytes(),
        response: b"one two three",
    };
    let (head, missing) = verify_for_client(&signed, &view).unwrap();
    assert_eq!((head.total, missing), (13, 0));
    assert_eq!(signed.verify_worker(&worker.identity.leaf_key()), Ok(true));
    assert_eq!(
        signed.receipt.statement.worker_evidence.0,
        worker.identity.evidence_hash()
    );
    assert_eq!(signed.receipt.statement.finish, FinishReason::Stop);

    let second = client.ask(2).await.receipt.unwrap();
    assert!(head.extend(&second.receipt.channel, second.id().0).is_ok());
    // The worker is told with the work what the statements call the payer, and never an address.
    let blinded = signed.receipt.statement.client.0;
    assert_eq!(*worker.payers.lock().unwrap(), [blinded, blinded]);

    until("both vouchers arrive on chain", || {
        let (client, worker) = (network.tokens_used(&address(3)), network.tokens_paid(&address(4)));
        client == Some(26) && worker == Some(26)
    })
    .await;
    let payments = worker.payments.lock().unwrap().clone();
    assert!(payments.iter().all(|payment| payment.request_client_owner.is_empty()));
    stop.cancel();
    proxy.join().await.unwrap();
    let receipts = read_receipts(&network.store_dir().join("receipts.log")).unwrap();
    assert_eq!(receipts.len(), 2);
    assert!(receipts.iter().all(|receipt| receipt.worker_signature.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_lost_in_the_middle_is_a_typed_error_at_once_and_its_progress_is_charged() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::DieAfterFirstPart).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    let asked = Instant::now();
    let outcome = client.ask(1).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(outcome.body, b"one ");
    assert_eq!(outcome.error.unwrap().0, 706);
    let receipt = outcome.receipt.unwrap();
    assert_eq!(receipt.receipt.statement.finish, FinishReason::WorkerLost);
    assert_eq!((receipt.receipt.charged(), receipt.worker_signature), (11, None));
    assert_eq!(outcome.payment.unwrap().request_tokens, 11);

    // Its model is known; there is just nobody left who serves it.
    let message = format!("no ready workers for model {}", crate::support::MODEL);
    assert_eq!(client.ask(2).await.error.unwrap(), (703, message));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_byte_another_worker_takes_over_and_only_its_work_is_charged() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Refuse).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 1..10 {
        let outcome = client.ask(id).await;
        assert_eq!(outcome.body, b"one two three", "{:?}", outcome.error);
        assert_eq!(outcome.payment.unwrap().max_tokens, 13 * i64::from(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_stops_and_is_charged_for_what_was_delivered() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, crate::support::MODEL, 1000).await;
    client.first_part(1).await;
    client.cancel(1).await;
    let asked = Instant::now();
    let outcome = client.outcome(1).await;
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(outcome.error.unwrap().0, 653);
    let receipt = outcome.receipt.unwrap();
    assert_eq!(receipt.receipt.statement.finish, FinishReason::Cancelled);
    assert!(
        (11..30).contains(&receipt.receipt.charged()),
        "{}",
        receipt.receipt.charged()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_charged_and_its_worker_is_free_again() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Endless).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.send(1, crate::support::MODEL, 1000).await;
    client.first_part(1).await;
    client.link.close().await;
    let log = network.store_dir().join("receipts.log");
    until("the receipt is in the log", || {
        read_receipts(&log).is_ok_and(|receipts| receipts.len() == 1)
    })
    .await;
    assert_eq!(
        read_receipts(&log).unwrap()[0].receipt.statement.finish,
        FinishReason::Cancelled
    );
    stop.cancel();
    proxy.join().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_their_reason_in_the_codes_of_the_clients_version() {
    let network = network().await;
    network.add_client(address(6), Nanoton::from_ton(2));
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    for (versions, unknown_model, low_balance) in [(VersionRange::OFFERED, 701, 702), (OLD, 621, 602)] {
        let mut client = Client::connect_as(&network, proxy.clients, address(6), versions)
            .await
            .unwrap();
        client.send(1, "nobody", 10).await;
        assert_eq!(
            client.outcome(1).await.error.unwrap(),
            (unknown_model, "unknown model nobody".into())
        );
        client.send(2, crate::support::MODEL, 2_000_000_000).await;
        let (code, message) = client.outcome(2).await.error.unwrap();
        assert_eq!(code, low_balance, "{message}");
        assert!(message.starts_with("client balance is too low"), "{message}");
        client.send(3, crate::support::MODEL, -1).await;
        assert!(client.outcome(3).await.error.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_end_of_an_answer_may_spend_what_it_did_not_cost() {
    let network = network().await;
    network.add_client(address(6), Nanoton::from_ton(2));
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(6)).await;
    // Halved until it fits: two of that size do not fit at once.
    let (mut id, mut tokens) = (1, 1 << 30);
    loop {
        client.send(id, MODEL, tokens).await;
        let Some(refusal) = client.answered_only(id).await else {
            break;
        };
        assert!(refusal.starts_with("client balance is too low"), "{refusal}");
        (id, tokens) = (id + 1, tokens / 2);
    }
    for id in id + 1..=200 {
        client.send(id, MODEL, tokens).await;
        assert_eq!(client.answered_only(id).await, None, "request {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_of_version_two_are_served_without_receipts_but_with_the_same_charge() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    let none = WorkerBalances::default();
    Worker::connect_as(&network, proxy.workers, address(4), Act::Answer, OLD, none)
        .await
        .unwrap();
    let mut client = Client::connect_as(&network, proxy.clients, address(3), OLD)
        .await
        .unwrap();
    client.send(1, crate::support::MODEL, 1000).await;
    let payment = client.payment(1).await;
    assert_eq!(payment.request_tokens, 13);
    stop.cancel();
    proxy.join().await.unwrap();
    let receipt = read_receipts(&network.store_dir().join("receipts.log"))
        .unwrap()
        .remove(0);
    assert_eq!(
        (receipt.receipt.charged(), receipt.receipt.statement.counts),
        (13, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_sign_delays_only_its_signature() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    Worker::connect(&network, proxy.workers, address(4), Act::AnswerUnsigned).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 1..4 {
        let receipt = client.ask(id).await.receipt.unwrap();
        assert_eq!(receipt.worker_signature, None);
        assert_eq!(receipt.receipt.channel.seqno, u64::from(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_sends_garbage_loses_its_connection_and_nothing_else() {
    let network = network().await;
    let (proxy, _stop) = network.start().await;
    let bad = Worker::connect(&network, proxy.workers, address(4), Act::Garbage).await;
    Worker::connect(&network, proxy.workers, address(5), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    while !bad.link.is_closed() {
        client.ask(1).await;
    }
    assert_eq!(client.ask(2).await.body, b"one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_secret_comes_in_through_the_chain() {
    let network = Network::new();
    let (proxy, _stop) = network.start().await;
    let client = Client::connect(&network, proxy.clients, address(7)).await;
    assert!(client.registered);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_leave_a_whole_chain_of_receipts() {
    let network = network().await;
    let (proxy, stop) = network.start().await;
    for tag in 20..26 {
        Worker::connect(&network, proxy.workers, address(tag), Act::Answer).await;
    }
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    for id in 0..20 {
        client.send(id, crate::support::MODEL, 100).await;
    }
    let mut heads = Vec::new();
    client.receipts(20, &mut heads).await;
    stop.cancel();
    proxy.join().await.unwrap();
    let receipts = read_receipts(&network.store_dir().join("receipts.log")).unwrap();
    let links = receipts.iter().map(|signed| (signed.receipt.channel, signed.id().0));
    let head = cocoon_receipt::channel::verify(ChannelHead::GENESIS, links).unwrap();
    assert_eq!((head.seqno, head.total), (20, 260));
    let key: PublicKey = network.proxy_key();
    assert!(receipts.iter().all(|signed| signed.verify_proxy(&key).is_ok()));
}
