//! Who pays decides what the prefix cache shares.

use super::play::{Got, Play, chat};
use crate::backend::{Backend, Local};
use cocoon_engine::{EngineHandle, EngineOptions, load_model, tiny};
use cocoon_protocol::extension::RunQuery;
use cocoon_protocol::http::Request;
use cocoon_protocol::message::ProxyToWorker;
use cocoon_protocol::version::VersionRange;
use serde_json::json;

fn backend() -> Backend {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    let model = load_model(folder.path(), EngineOptions::default()).unwrap();
    let engine = EngineHandle::spawn(model.into_engine(), 8).unwrap();
    Backend::Local(Local::new(engine, "parrot".to_owned()))
}

async fn ask(play: &mut Play, id: u8, payer: [u8; 32]) -> Got {
    let text = "What is a cocoon, and who runs it? ".repeat(12);
    let body = chat(&text, &[("max_tokens", json!(2)), ("temperature", json!(0))]);
    let query = Request::post_json("/v1/chat/completions", body.to_string().into()).encode();
    let work = RunQuery {
        query,
        coefficient: 1000,
        timeout: 30.0,
        request_id: [id; 32],
        payer,
    };
    let packet = ProxyToWorker::from(work).encode();
    play.link.send_packet(packet).await.unwrap();
    play.answer(id).await
}

#[tokio::test]
async fn a_payer_finds_its_own_prompts_in_the_cache_and_nobody_elses() {
    let mut play = Play::begin_with(backend(), 2, VersionRange::ACCEPTED).await;
    let mut cached = Vec::new();
    let mut bodies = Vec::new();
    for (id, payer) in [(1, [1; 32]), (2, [1; 32]), (3, [2; 32]), (4, [1; 32])] {
        let got = ask(&mut play, id, payer).await;
        assert_eq!(got.head.unwrap().status_code, 200);
        let counts = got.report.unwrap().counts;
        assert!(counts.cached < counts.prompt);
        cached.push(counts.cached);
        let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        bodies.push(body["choices"].clone());
    }
    assert!(cached[1] >= 32, "{cached:?}");
    assert_eq!((cached[0], cached[2], cached[3]), (0, 0, cached[1]), "{cached:?}");
    // What comes from the cache changes no answer.
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn the_salt_is_of_the_payer_and_of_this_program() {
    let (one, two) = (
        Play::begin(1, VersionRange::ACCEPTED).await,
        Play::begin(1, VersionRange::ACCEPTED).await,
    );
    let salt = |play: &Play, payer| play.worker.payer(payer).salt;
    assert!(salt(&one, [1; 32]) == salt(&one, [1; 32]));
    assert!(salt(&one, [1; 32]) != salt(&one, [2; 32]));
    assert!(salt(&one, [1; 32]) != salt(&two, [1; 32]));
}
