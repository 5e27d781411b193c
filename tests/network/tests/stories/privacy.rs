//! What people ask and what they are answered is in no log and in no file, whatever happens to the request.

use std::time::Duration;

use cocoon_network_tests::{
    api::question,
    process::{Processes, Role},
    upstream::{Upstream, WORD},
};

const MARKER: &str = "chartreuse-pangolin-4711";

#[tokio::test(flavor = "multi_thread")]
async fn prompts_and_answers_are_in_no_log_and_no_file() {
    let mut network = Processes::deploy().await.unwrap();
    let model = network.network().model.clone();
    let upstream = Upstream::start(&model, Duration::from_millis(40), 200).await.unwrap();
    network.use_upstream(&upstream.url()).unwrap();
    network.use_cheap_work().unwrap();
    let api = network.start_all().await.unwrap();
    let asked = |tokens| question(&model, MARKER, tokens);

    // What goes well.
    assert_eq!(api.chat(&asked(3)).await.unwrap().status, 200);
    let streamed = api.stream(&asked(3)).await.unwrap().rest().await;
    assert!(streamed.done && streamed.text.contains(WORD), "{streamed:?}");

    // What is refused.
    assert_eq!(
        api.chat(&question("no-such-model", MARKER, 3)).await.unwrap().status,
        404
    );
    let bad = format!("{{\"model\": \"{model}\", \"messages\": [\"{MARKER}");
    assert_eq!(
        api.post("/v1/chat/completions", bad.into_bytes()).await.unwrap().status,
        400
    );
    let mut odd = asked(3);
    odd[MARKER] = MARKER.into();
    assert_eq!(api.chat(&odd).await.unwrap().status, 400);

    // What is given up by the user, and what is cut off.
    let mut given_up = api.stream(&asked(200)).await.unwrap();
    assert_eq!(given_up.pieces(2).await.pieces, 2);
    drop(given_up);
    let mut cut_off = api.stream(&asked(200)).await.unwrap();
    assert_eq!(cut_off.pieces(2).await.pieces, 2);
    network.kill(Role::Worker).unwrap();
    cut_off.rest().await;

    for secret in [MARKER, WORD] {
        let found = network.files_with(secret).unwrap();
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    // The search does find what is there.
    assert!(!network.files_with(&model).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_hangs_up_stops_the_worker() {
    let mut network = Processes::deploy().await.unwrap();
    let model = network.network().model.clone();
    let upstream = Upstream::start(&model, Duration::from_millis(40), 1_000).await.unwrap();
    network.use_upstream(&upstream.url()).unwrap();
    network.use_cheap_work().unwrap();
    let api = network.start_all().await.unwrap();
    let mut events = api.stream(&question(&model, "Hello", 1_000)).await.unwrap();
    assert_eq!(events.pieces(3).await.pieces, 3);
    assert_eq!(upstream.open(), 1);
    drop(events);
    for _ in 0..60 {
        if upstream.open() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the worker still listens three seconds after the user hung up");
}
