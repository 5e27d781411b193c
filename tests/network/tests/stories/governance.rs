//! Two of three people bring a new worker image into the network, and one takes it out again. Every message is written
//! by the `cocoon` command, as in `docs/governance.md`, and sent by the wallet that it is for.

use std::time::{Duration, Instant};

use cocoon_attest::simulated::simulated_measurements;
use cocoon_bindings::ton::{HashBytes, parse_address};
use cocoon_chain::WorkerAccount;
use cocoon_network_tests::{
    api::question, governance::Governors, inprocess::Network, upstream::Upstream, worker::ExtraWorker,
};

const NEW_IMAGE: &str = "worker-next";
const HOUR: u32 = 3600;

/// The network under a governor of three: two decide, one revokes; two hours for changes, three for what is critical.
async fn governed(network: &Network) -> Governors {
    let governors = Governors::gather(network.local()).await.unwrap();
    let signers: Vec<String> = (0..3)
        .map(|index| format!("--signer {}", governors.signer(index).unwrap().address()))
        .collect();
    let deploy = format!(
        "governor export deploy {} --threshold 2 --revoke-threshold 1 --council {} --change-delay-hours 2 \
         --critical-delay-hours 3",
        signers.join(" "),
        governors.owner().address(),
    );
    let printed = governors.send(governors.signer(0).unwrap(), &deploy).await.unwrap();
    let governor = parse_address(printed["message"]["to"].as_str().unwrap()).unwrap();

    let offer = format!("root export offer-ownership {governor} --days 14");
    governors.send(governors.owner(), &offer).await.unwrap();
    let flags = format!(" --governor {governor}");
    let id = governors.propose(0, &flags, "accept-ownership").await.unwrap();
    governors.review(1, &flags, id, "AcceptOwnership").await.unwrap();
    governors.advance(3 * HOUR).await.unwrap();
    governors
        .execute(governors.signer(2).unwrap(), &flags, id)
        .await
        .unwrap();

    let shown = governors.run("governor show").await.unwrap();
    assert_eq!(shown["address"], governor.to_string());
    assert_eq!(shown["owns_root"], true, "{shown:#}");
    governors
}

/// A real proxy refuses a worker with an unlisted image, takes it once it is listed, and drops it when it is revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_image_is_proposed_approved_awaited_served_and_revoked() {
    let network = Network::start().await.unwrap();
    let governors = governed(&network).await;
    let image: HashBytes = simulated_measurements(NEW_IMAGE).image_hash().to_hash_bytes();
    let upstream = Upstream::start(network.model(), Duration::from_millis(50), 2000)
        .await
        .unwrap();
    let owner = governors.signer(2).unwrap().address().clone();
    let worker = ExtraWorker::start(network.local(), NEW_IMAGE, &owner.to_string(), upstream.url())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        worker.connections().await.unwrap(),
        0,
        "an unlisted image is not let in"
    );

    // Proposed by one, approved by another; then nobody can hurry it.
    let add = format!("add-image worker {image}");
    let id = governors.propose(0, "", &add).await.unwrap();
    let state = governors.proposal("", id).await.unwrap().unwrap();
    assert_eq!(
        (&state["state"], &state["class"]),
        (&"collecting".into(), &"change".into())
    );
    governors.review(1, "", id, &image.to_string()).await.unwrap();
    let anyone = governors.owner();
    governors.execute(anyone, "", id).await.unwrap();
    let state = governors.proposal("", id).await.unwrap().unwrap();
    assert_eq!(state["state"], "delayed", "{state:#}");
    assert!(!governors.lists_worker_image(&image).await.unwrap());
    assert_eq!(worker.connections().await.unwrap(), 0);

    // Two hours later anyone executes it.
    governors.advance(2 * HOUR).await.unwrap();
    governors.execute(anyone, "", id).await.unwrap();
    assert!(governors.lists_worker_image(&image).await.unwrap());
    assert_eq!(governors.proposal("", id).await.unwrap(), None);
    worker.until_connections(1).await.unwrap();

    // It answers, is paid on chain, and holds a claim.
    let first_worker = network.local().file().worker_url.clone();
    let switch = async |to: &str| {
        let asked = reqwest::Client::new()
            .post(format!("{first_worker}/request/{to}"))
            .send()
            .await;
        asked.unwrap().error_for_status().unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    switch("disable").await;
    let reply = network
        .api()
        .chat(&question(network.model(), "Hello", 6))
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    let receipt = network.api().receipt(&reply.receipt_id.unwrap()).await.unwrap().body;
    assert_eq!(
        (&receipt["verified"], &receipt["signed_by_worker"]),
        (&true.into(), &true.into())
    );
    let contract = parse_address(receipt["worker"].as_str().unwrap()).unwrap();
    assert_ne!(contract.to_string(), network.local().file().worker_contract);
    let tokens = receipt["tokens_charged"].as_u64().unwrap();
    let started = Instant::now();
    loop {
        let account = WorkerAccount::fetch(governors.chain().as_ref(), &contract).await;
        if account.is_ok_and(|account| account.tokens.get() == tokens) {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{tokens} tokens are never paid"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stats = worker.page("/jsonstats").await.unwrap();
    assert_eq!(
        stats["proxies"][0]["claimable_tokens"].as_u64(),
        Some(tokens),
        "{stats:#}"
    );

    let claims = worker.page("/claims").await.unwrap();
    assert_eq!(
        (claims.as_array().unwrap().len(), &claims[0]["tokens"]),
        (1, &tokens.into()),
        "{claims:#}"
    );
    assert_eq!(claims[0]["worker"], contract.to_string());
    let claims = governors.run("client claims").await.unwrap();
    assert_eq!(claims[0]["tokens"], receipt["channel"]["after"], "{claims:#}");

    // One signer revokes: no second signature, no delay. Whoever is served by that worker learns it at once.
    let mut events = network
        .api()
        .stream(&question(network.model(), "Long", 1900))
        .await
        .unwrap();
    assert_eq!(events.pieces(2).await.pieces, 2);
    let revoked = Instant::now();
    let delete = format!("delete-image worker {image}");
    let id = governors.propose(2, "", &delete).await.unwrap();
    governors.execute(governors.signer(2).unwrap(), "", id).await.unwrap();
    assert!(!governors.lists_worker_image(&image).await.unwrap());
    let cut = events.rest().await;
    assert_eq!(cut.error.as_ref().unwrap()["code"], "worker_lost", "{:?}", cut.error);
    assert!(revoked.elapsed() < Duration::from_secs(30), "{:?}", revoked.elapsed());
    worker.until_connections(0).await.unwrap();

    // Nobody is left, which is said; then the other worker answers.
    let nobody = network
        .api()
        .chat(&question(network.model(), "Hello", 6))
        .await
        .unwrap();
    assert_eq!(
        (nobody.status, nobody.error_code()),
        (503, Some("no_worker_available")),
        "{:#}",
        nobody.body
    );
    switch("enable").await;
    let reply = network
        .api()
        .chat(&question(network.model(), "Hello", 6))
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    worker.stop().await.unwrap();
    network.stop().await.unwrap();
}

/// The council can slow a change down and stop it, and can do nothing about a revocation.
#[tokio::test(flavor = "multi_thread")]
async fn the_council_pauses_and_cancels_a_change_but_never_a_revocation() {
    let network = Network::start().await.unwrap();
    let governors = governed(&network).await;
    let council = governors.owner();
    let image: HashBytes = simulated_measurements(NEW_IMAGE).image_hash().to_hash_bytes();
    let id = governors
        .propose(0, "", &format!("add-image worker {image}"))
        .await
        .unwrap();
    governors.review(1, "", id, &image.to_string()).await.unwrap();
    let pause = "governor export pause --member 0 --hours 24";
    governors.send(council, pause).await.unwrap();
    governors.advance(2 * HOUR).await.unwrap();
    governors.execute(council, "", id).await.unwrap();
    assert_eq!(governors.proposal("", id).await.unwrap().unwrap()["state"], "paused");

    let listed: HashBytes = simulated_measurements("worker").image_hash().to_hash_bytes();
    let revocation = governors
        .propose(1, "", &format!("delete-image worker {listed}"))
        .await
        .unwrap();
    let cancel = format!("governor export council-cancel --member 0 --proposal {revocation}");
    governors.send(council, &cancel).await.unwrap();
    assert!(governors.proposal("", revocation).await.unwrap().is_some());
    governors.execute(council, "", revocation).await.unwrap();
    assert!(!governors.lists_worker_image(&listed).await.unwrap());

    let cancel = format!("governor export council-cancel --member 0 --proposal {id}");
    governors.send(council, &cancel).await.unwrap();
    assert_eq!(governors.proposal("", id).await.unwrap(), None);
    network.stop().await.unwrap();
}
