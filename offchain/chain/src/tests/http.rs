//! What only a server can do wrong, and a chain that outlives its server.

use std::time::Duration;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use cocoon_localnet::{LocalNet, LocalNetConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::limits::MAX_RESPONSE_BYTES;
use crate::{ChainClient as _, ChainError, EmulatedChain, HttpApi, Retry, TransactionId, Who};

const SOMEBODY: Address = Address::new(0, HashBytes([1; 32]));

/// A server that answers every request with the same bytes.
pub(super) async fn answering(head: String, body: Vec<u8>) -> HttpApi {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = HttpApi::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (head, body) = (head.clone(), body.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            });
        }
    });
    api
}

pub(super) async fn answering_json(status: &str, body: &str) -> HttpApi {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    answering(head, body.as_bytes().to_vec()).await
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let api = HttpApi::new("http://127.0.0.1:1", None).unwrap();
    let error = api.account(&SOMEBODY).await.unwrap_err();
    assert!(matches!(error, ChainError::Unreachable { .. }), "{error}");
    assert_eq!((error.who(), error.retry()), (Who::Server, Retry::OtherServer));
}

#[tokio::test]
async fn a_url_must_be_one() {
    for url in ["", "chain", "ftp://host", "http://", "https://", "https://host/?key=7"] {
        assert!(
            matches!(HttpApi::new(url, None), Err(ChainError::Url { .. })),
            "{url:?}"
        );
    }
    assert_eq!(
        HttpApi::new("http://host:1", None).unwrap().url(),
        "http://host:1/api/v2/jsonRPC"
    );
    assert_eq!(HttpApi::new("http://host/x", None).unwrap().url(), "http://host/x");
}

#[tokio::test]
async fn nonsense_of_a_server_is_an_error() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"ok":true}"#,
        r#"{"ok":true,"result":{}}"#,
        r#"{"ok":true,"result":7}"#,
    ] {
        let error = answering_json("200 OK", body)
            .await
            .account(&SOMEBODY)
            .await
            .unwrap_err();
        assert!(matches!(error, ChainError::Response { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_servers_refusal_keeps_its_code_and_words() {
    let api = answering_json("422 X", r#"{"ok":false,"error":"address is missing","code":422}"#).await;
    let error = api.account(&SOMEBODY).await.unwrap_err();
    assert!(
        matches!(&error, ChainError::ServerRefused { code: 422, message, .. } if message == "address is missing"),
        "{error}"
    );
    assert_eq!(error.retry(), Retry::Never);
    let error = answering_json("502 X", "<html>")
        .await
        .account(&SOMEBODY)
        .await
        .unwrap_err();
    assert!(matches!(&error, ChainError::ServerRefused { code: 502, .. }), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_owned();
    let api = answering(head, vec![b' '; MAX_RESPONSE_BYTES + 1]).await;
    let error = api.account(&SOMEBODY).await.unwrap_err();
    assert!(
        matches!(&error, ChainError::Response { reason, .. } if reason.contains("exceeds")),
        "{error}"
    );
}

#[tokio::test]
async fn a_transaction_of_another_account_is_refused() {
    let net = LocalNet::start(LocalNetConfig::ephemeral()).await.unwrap();
    let report = net.with(|chain| chain.fund(&SOMEBODY, Nanoton::from_ton(1))).unwrap();
    let data = cocoon_bindings::ton::boc_base64(&report.cell);
    let body = format!(
        r#"{{"ok":true,"result":[{{"data":"{data}","transaction_id":{{"lt":"{}","hash":"{}"}}}}]}}"#,
        report.lt,
        crate::tests::http::base64(&report.hash)
    );
    let api = answering_json("200 OK", &body).await;
    assert_eq!(
        api.transactions(&SOMEBODY, 1, None).await.unwrap(),
        [report.as_ref().clone()]
    );
    let other = Address::new(0, HashBytes([2; 32]));
    let error = api.transactions(&other, 1, None).await.unwrap_err();
    assert!(matches!(error, ChainError::Response { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_an_archive_does_not_end_a_history() {
    let api = answering_json("200 OK", r#"{"ok":true,"result":[]}"#).await;
    assert!(api.transactions(&SOMEBODY, 5, None).await.unwrap().is_empty());
    let from = TransactionId {
        lt: 7,
        hash: HashBytes([7; 32]),
    };
    let error = api.once().transactions(&SOMEBODY, 5, Some(from)).await.unwrap_err();
    assert!(matches!(error, ChainError::Response { .. }), "{error}");
}

fn base64(hash: &HashBytes) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(hash.0)
}

#[tokio::test]
async fn the_chain_is_read_after_its_server_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chain.state");
    let config = LocalNetConfig {
        state_file: Some(file.clone()),
        ..LocalNetConfig::ephemeral()
    };
    let net = LocalNet::start(config).await.unwrap();
    net.with(|chain| chain.fund(&SOMEBODY, Nanoton::from_ton(1))).unwrap();
    tokio::time::timeout(Duration::from_secs(20), net.shutdown())
        .await
        .unwrap()
        .unwrap();
    let chain = EmulatedChain::from_state_file(&file).unwrap();
    assert_eq!(chain.account(&SOMEBODY).await.unwrap().balance, Nanoton::from_ton(1));
    assert_eq!(chain.transactions(&SOMEBODY, 10, None).await.unwrap().len(), 1);
    assert!(matches!(
        EmulatedChain::from_state_file(&directory.path().join("none")),
        Err(ChainError::StateFile { .. })
    ));
    let other = [b"COCOJNL1".as_slice(), &[7; 100]].concat();
    std::fs::write(directory.path().join("chain.state.journal"), other).unwrap();
    assert!(matches!(
        EmulatedChain::from_state_file(&file),
        Err(ChainError::StateFile { .. })
    ));
}
