//! The lite server as clients of public ones begin with it.

use cocoon_lite::adnl::{PARAMS_BYTES, Session, greet};
use std::time::Duration;

use cocoon_lite::messages::{Answer, Request, unwrap_answer, wrap_question};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{START, control, faucet, start};
use crate::LiteConfig;

fn wait(seqno: u32, timeout_ms: u32) -> Request {
    Request::Wait {
        seqno,
        timeout_ms,
        question: Box::new(Request::MasterchainInfo),
    }
}

fn seqno(answer: Answer) -> u32 {
    match answer {
        Answer::MasterchainInfo { last, .. } => last.seqno,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn clients_fetch_a_configuration_that_begins_at_a_key_block() {
    let net = start().await;
    let absent = reqwest::get(net.global_config_url()).await.unwrap();
    assert_eq!(absent.status(), 404);
    let lite = net.serve_lite_for_clients(LiteConfig::ephemeral()).await.unwrap();
    let answer = reqwest::get(net.global_config_url()).await.unwrap();
    let config: Value = answer.json().await.unwrap();
    assert_eq!(config, lite.global_config());
    assert_eq!(config["liteservers"][0]["port"], lite.address().port());
    assert_eq!(config["validator"]["zero_state"]["seqno"], 0);
    assert_eq!(config["validator"]["init_block"]["seqno"], 1);
}

#[tokio::test]
async fn whoever_waits_for_a_block_is_answered_when_it_is_there_and_not_before() {
    let net = start().await;
    let lite = net.serve_lite_for_clients(LiteConfig::ephemeral()).await.unwrap();
    let now = seqno(lite.answer(&wait(1, 0)).await);
    let waiting = async { seqno(lite.answer(&wait(now + 1, 20_000)).await) };
    let (reached, _) = tokio::join!(waiting, faucet(&net, "5"));
    assert_eq!(reached, now + 1);
    let late = lite.answer(&wait(now + 50, 50)).await;
    assert!(matches!(late, Answer::Error { code: 652, .. }), "{late:?}");
    // The clock stands still, so that only what happens makes blocks.
    assert_eq!(net.with(|chain| Ok(chain.now())).unwrap(), START);
    assert_eq!(json!(seqno(lite.answer(&Request::MasterchainInfo).await)), now + 1);
}

async fn receive(stream: &mut TcpStream, session: &mut Session) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let length = session.open_length(head).unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    session.open(body).unwrap()
}

#[tokio::test]
async fn a_client_that_waits_goes_on_asking_on_the_same_connection() {
    let net = start().await;
    let lite = net.serve_lite_for_clients(LiteConfig::ephemeral()).await.unwrap();
    let (packet, mut session) = greet(lite.key(), &[5; 32], &[6; PARAMS_BYTES]).unwrap();
    let mut stream = TcpStream::connect(lite.address()).await.unwrap();
    stream.write_all(&packet).await.unwrap();
    assert!(receive(&mut stream, &mut session).await.is_empty());
    let wait = Request::Wait {
        seqno: 100,
        timeout_ms: 1_000,
        question: Box::new(Request::MasterchainInfo),
    };
    for (id, question) in [([1; 32], wait), ([2; 32], Request::MasterchainInfo)] {
        let frame = session.seal(&[7; 32], &wrap_question(&id, &question)).unwrap();
        stream.write_all(&frame).await.unwrap();
    }
    let first = receive(&mut stream, &mut session).await;
    let first = unwrap_answer(&[2; 32], &first).unwrap();
    assert!(matches!(first, Some(Answer::MasterchainInfo { .. })), "{first:?}");
    let second = receive(&mut stream, &mut session).await;
    let second = unwrap_answer(&[1; 32], &second).unwrap();
    assert!(matches!(second, Some(Answer::Error { code: 652, .. })), "{second:?}");
}

#[tokio::test]
async fn whoever_waits_for_what_has_happened_already_is_answered_at_once() {
    let net = start().await;
    let lite = net.serve_lite_for_clients(LiteConfig::ephemeral()).await.unwrap();
    let now = seqno(lite.answer(&Request::MasterchainInfo).await);
    faucet(&net, "5").await;
    let question = wait(now + 1, 15_000);
    let answered = tokio::time::timeout(Duration::from_secs(5), lite.answer(&question)).await;
    assert_eq!(seqno(answered.unwrap()), now + 1);
}

#[tokio::test]
async fn empty_blocks_are_blocks_of_the_lite_server_too() {
    let net = start().await;
    let lite = net.serve_lite_for_clients(LiteConfig::ephemeral()).await.unwrap();
    let now = seqno(lite.answer(&Request::MasterchainInfo).await);
    control(&net, "mine", json!({ "blocks": 5 })).await;
    assert_eq!(seqno(lite.answer(&wait(now + 5, 15_000)).await), now + 5);
    control(&net, "mine", json!({ "blocks": 10_000 })).await;
    let after = seqno(lite.answer(&Request::MasterchainInfo).await);
    assert_eq!(after, now + 5 + crate::limits::MAX_LITE_CATCH_UP, "no more at once");
    assert_eq!(seqno(lite.answer(&Request::MasterchainInfo).await), after);
}
