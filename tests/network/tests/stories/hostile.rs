//! Peers that are not what they should be, or do not say what they should: they are refused, and nobody else suffers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cocoon_network_tests::{
    api::{Api, question},
    process::{Processes, Role},
    stranger::{Mask, Stranger},
};
use cocoon_protocol::{
    client, codec,
    handshake::{WorkerConnecting, WorkerOffer},
    proxy,
    version::VersionRange,
};
use cocoon_ratls::RatlsError;
use cocoon_runner::link::LinkEvent;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(10);

async fn network() -> (Processes, Stranger, Api) {
    let mut network = Processes::deploy().await.unwrap();
    network.use_cheap_work().unwrap();
    let api = network.start_all().await.unwrap();
    let stranger = network.stranger().unwrap();
    (network, stranger, api)
}

async fn assert_still_serves(network: &mut Processes, api: &Api) {
    let model = network.network().model.clone();
    let reply = api.chat(&question(&model, "Still there?", 4)).await.unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    network.all_alive().unwrap();
}

/// Whether the peer ends the connection without a word.
async fn is_hung_up_on(connection: &mut cocoon_ratls::Connection) -> bool {
    let mut byte = [0];
    let read = timeout(SOON, connection.stream.read(&mut byte)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_image_is_not_in_the_root_contract_is_refused() {
    let (mut network, stranger, api) = network().await;
    for mask in [Mask::Image("stranger"), Mask::Image("proxy"), Mask::Plain] {
        let mut connection = stranger.connect(stranger.workers, mask).await.unwrap();
        assert!(is_hung_up_on(&mut connection).await, "{mask:?}");
    }
    assert_still_serves(&mut network, &api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_image_is_not_in_the_root_contract_is_refused_by_workers_and_clients() {
    let mut network = Processes::deploy().await.unwrap();
    let stranger = network.stranger().unwrap();
    for (role, address) in [(Role::Client, stranger.clients), (Role::Worker, stranger.workers)] {
        let listener = TcpListener::bind(address).await.unwrap();
        let acceptor = stranger.acceptor(Mask::Image("stranger")).unwrap();
        network.start(role).unwrap();
        let (tcp, _) = timeout(Duration::from_secs(30), listener.accept())
            .await
            .unwrap()
            .unwrap();
        let refusal = acceptor.accept(tcp).await.unwrap_err();
        assert!(
            matches!(refusal, RatlsError::RefusedByPeer { .. }),
            "{role:?}: {refusal}"
        );
        network.all_alive().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_objects_and_garbage_from_peers_kill_nobody() {
    let (mut network, stranger, api) = network().await;
    let hello = codec::encode(&client::ConnectToProxy {
        params: client::Params {
            flags: (),
            client_owner_address: network.network().client_owner.clone(),
            is_test: Some(true),
            versions: Some(VersionRange { min: 1, max: 3 }),
        },
        min_config_version: 0,
    });
    let (_, worker_hello) = WorkerConnecting::start(WorkerOffer {
        owner_address: network.network().worker_owner.clone(),
        model: network.network().deployed_model.clone(),
        coefficient: 1000,
        is_test: true,
        proxy_cnt: 1,
        max_active_requests: 1,
        versions: VersionRange { min: 1, max: 3 },
    });
    for (address, mask, hello) in [
        (stranger.clients, Mask::Plain, hello),
        (stranger.workers, Mask::Image("worker"), worker_hello),
    ] {
        for length in [4, 5, 8, hello.len() / 2, hello.len() - 1] {
            let (link, _events) = stranger.link(address, mask).await.unwrap();
            let answer = link.query(hello.slice(..length), SOON).await;
            assert!(answer.is_err(), "{length} of {} bytes were accepted", hello.len());
        }
        for bytes in [
            vec![0xff; 64],
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            [u32::MAX, 0].map(u32::to_le_bytes).concat(),
        ] {
            let mut connection = stranger.connect(address, mask).await.unwrap();
            connection.stream.write_all(&bytes).await.unwrap();
            connection.stream.flush().await.unwrap();
            assert!(is_hung_up_on(&mut connection).await, "{bytes:?}");
        }
        // Packets of no kind, before any handshake.
        let (link, mut events) = stranger.link(address, mask).await.unwrap();
        let _ = link.send_packet(Bytes::from_static(&[1, 2, 3, 4])).await;
        let _ = link.send_packet(Bytes::from_static(&[0xff; 100])).await;
        while let Ok(Some(event)) = timeout(Duration::from_secs(1), events.recv()).await {
            assert!(matches!(event, LinkEvent::Closed(_)), "{event:?}");
        }
    }
    assert_still_serves(&mut network, &api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_answers_with_cut_objects_costs_only_its_own_requests() {
    let mut network = Processes::deploy().await.unwrap();
    network.start(Role::Proxy).unwrap();
    network.start(Role::Client).unwrap();
    let stranger = network.stranger().unwrap();
    let description = network.network().clone();
    let liar = tokio::spawn(async move {
        let lies = |request_id: &[u8; 32]| {
            let answer = codec::encode(&proxy::QueryAnswerEx {
                request_id: *request_id,
                answer: Bytes::from_static(b"not an http.response"),
                flags: (),
                final_info: None,
            });
            vec![answer.slice(..answer.len() - 3), answer.slice(..8), answer]
        };
        // The proxy may hang up on it; then it comes back.
        let mut questions = 0;
        while questions < 2 {
            questions += stranger.work(&description, lies).await.unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        questions
    });
    let api = network.ready().await.unwrap();
    let model = network.network().model.clone();
    // Each question ends, with an error that says why, and none hangs.
    while !liar.is_finished() {
        let asked = question(&model, "Hello", 4);
        let reply = timeout(Duration::from_secs(30), api.chat(&asked))
            .await
            .unwrap()
            .unwrap();
        assert!(
            reply.status >= 400 && reply.error_code().is_some(),
            "{}: {:#}",
            reply.status,
            reply.body
        );
        network.all_alive().unwrap();
    }
    assert!(liar.await.unwrap() >= 2);

    network.start(Role::Worker).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let reply = loop {
        let reply = api.chat(&question(&model, "Hello", 4)).await.unwrap();
        if reply.status == 200 || Instant::now() > deadline {
            break reply;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    network.all_alive().unwrap();
    let report = network.audit_until_equal().await.unwrap();
    assert_eq!(
        report["totals"]["receipts"], report["totals"]["signed_by_worker"],
        "{report:#}"
    );
}
