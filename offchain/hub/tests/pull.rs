//! A hub on this machine that breaks off, forgets ranges, redirects and lies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails in a test fails loudly")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cocoon_hub::{Hub, HubError, Progress, Proxies, Pulled, Snapshot, Token, pull};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const COMMIT: &str = "c1899de289a04d12100db370d81485cdf75e47ca";

/// What the hub does wrong.
#[derive(Default)]
struct Faults {
    /// Breaks an answer off after so many bytes.
    cut: Option<usize>,
    /// Sends whole files, whatever range is asked for.
    no_ranges: bool,
    /// Changes a byte of the weights.
    lies: bool,
    /// Answers so many requests for files with 503 first.
    busy: AtomicUsize,
    /// Wants this token, and redirects files to another port.
    token: Option<(String, String)>,
}

struct Double {
    files: BTreeMap<&'static str, Vec<u8>>,
    faults: Faults,
    /// The range of every request for weights.
    asked: Mutex<Vec<String>>,
    /// Whether a token came where none belongs.
    leaked: Mutex<bool>,
}

fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let weights: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    BTreeMap::from([
        ("config.json", b"{}".to_vec()),
        ("tokenizer.json", b"{\"model\": 1}".to_vec()),
        ("model.safetensors", weights),
        ("README.md", b"not read".to_vec()),
    ])
}

async fn serve(faults: Faults) -> (String, Arc<Double>) {
    let double = Arc::new(Double {
        files: files(),
        faults,
        asked: Mutex::default(),
        leaked: Mutex::default(),
    });
    let router = Router::new()
        .route("/api/models/{owner}/{name}/revision/{revision}", get(listing))
        .route("/{owner}/{name}/resolve/{commit}/{file}", get(file))
        .route("/cdn/{file}", get(cdn))
        .with_state(Arc::clone(&double));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, double)
}

async fn listing(
    State(double): State<Arc<Double>>,
    UrlPath((owner, name, revision)): UrlPath<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some((token, _)) = &double.faults.token
        && headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()) != Some(token.as_bytes())
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if (owner.as_str(), name.as_str(), revision.as_str()) != ("acme", "tiny", "main") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let siblings = double.files.iter().map(|(name, content)| {
        if name.ends_with(".safetensors") {
            let hash = hex::encode(Sha256::digest(content));
            json!({"rfilename": name, "lfs": {"sha256": hash, "size": content.len()}})
        } else {
            let mut hasher = Sha1::new();
            hasher.update(format!("blob {}\0", content.len()));
            hasher.update(content);
            json!({"rfilename": name, "size": content.len(), "blobId": hex::encode(hasher.finalize())})
        }
    });
    axum::Json(json!({"sha": COMMIT, "siblings": siblings.collect::<Vec<_>>()})).into_response()
}

async fn file(
    State(double): State<Arc<Double>>,
    UrlPath((_, _, commit, name)): UrlPath<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response {
    assert_eq!(commit, COMMIT, "files are asked for by commit");
    if let Some((_, elsewhere)) = &double.faults.token {
        return (
            StatusCode::FOUND,
            [(header::LOCATION, format!("{elsewhere}/cdn/{name}"))],
        )
            .into_response();
    }
    content(&double, &name, &headers)
}

async fn cdn(State(double): State<Arc<Double>>, UrlPath(name): UrlPath<String>, headers: HeaderMap) -> Response {
    if headers.contains_key(header::AUTHORIZATION) {
        *double.leaked.lock().unwrap() = true;
    }
    content(&double, &name, &headers)
}

fn content(double: &Double, name: &str, headers: &HeaderMap) -> Response {
    let Some(mut content) = double.files.get(name).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let faults = &double.faults;
    if faults
        .busy
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let range = headers
        .get(header::RANGE)
        .map(|range| range.to_str().unwrap().to_owned());
    if name == "model.safetensors" {
        double.asked.lock().unwrap().push(range.clone().unwrap_or_default());
        if faults.lies {
            content[1_000_000] ^= 1;
        }
    }
    let from = range
        .filter(|_| !faults.no_ranges)
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (status, from) = match from {
        Some(from) => (StatusCode::PARTIAL_CONTENT, from),
        None => (StatusCode::OK, 0),
    };
    let rest = content.split_off(from.min(content.len()));
    let length = rest.len();
    let body = match faults.cut.filter(|cut| *cut < length) {
        None => Body::from(rest),
        Some(cut) => {
            let pieces = [
                Ok(Bytes::from(rest[..cut].to_vec())),
                Err(std::io::Error::other("broken off")),
            ];
            Body::from_stream(futures_util::stream::iter(pieces))
        }
    };
    let range = format!("bytes {from}-{}/{}", from + length - 1, from + length);
    let headers = [
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_RANGE, range),
    ];
    (status, headers, body).into_response()
}

async fn pulled(url: &str, folder: &Path) -> Result<Pulled, HubError> {
    let hub = Hub::new(url, None)?;
    let snapshot = hub.snapshot("acme/tiny", "main").await?;
    pull(&hub, &snapshot, folder, &mut |_| {}).await
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const ALL: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

fn assert_complete(folder: &Path) {
    assert_eq!(names(folder), ALL);
    for name in ALL {
        assert_eq!(std::fs::read(folder.join(name)).unwrap(), files()[name], "{name}");
    }
}

#[tokio::test]
async fn a_model_is_fetched_once_and_then_kept() {
    let (url, double) = serve(Faults::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::new(&url, None).unwrap();
    let snapshot: Snapshot = hub.snapshot("acme/tiny", "main").await.unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    let mut told: Vec<Progress> = Vec::new();
    let first = pull(&hub, &snapshot, folder.path(), &mut |progress| told.push(progress))
        .await
        .unwrap();
    assert_eq!((first.fetched, first.kept), (3, 0));
    assert_complete(folder.path());
    assert!(told.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert_eq!(told.last().unwrap().done, snapshot.size());

    let again = pulled(&url, folder.path()).await.unwrap();
    assert_eq!((again.fetched, again.kept), (0, 3));
    assert_eq!(double.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_breaks_off_goes_on_where_it_stopped() {
    let faults = Faults {
        cut: Some(1_000_000),
        ..Faults::default()
    };
    let (url, double) = serve(faults).await;
    let folder = tempfile::tempdir().unwrap();
    pulled(&url, folder.path()).await.unwrap();
    assert_complete(folder.path());
    let asked = double.asked.lock().unwrap();
    assert_eq!(asked[0], "");
    let starts: Vec<usize> = asked[1..]
        .iter()
        .map(|range| range["bytes=".len()..range.len() - 1].parse().unwrap())
        .collect();
    assert!(
        !starts.is_empty() && starts.windows(2).all(|pair| pair[0] < pair[1]),
        "{starts:?}"
    );
}

#[tokio::test]
async fn what_an_earlier_attempt_left_is_not_fetched_again() {
    let (url, double) = serve(Faults::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let partial = format!(".model.safetensors.{}.partial", &COMMIT[..7]);
    std::fs::write(folder.path().join(partial), &files()["model.safetensors"][..2_000_000]).unwrap();
    pulled(&url, folder.path()).await.unwrap();
    assert_complete(folder.path());
    assert_eq!(*double.asked.lock().unwrap(), ["bytes=2000000-"]);
}

#[tokio::test]
async fn a_hub_without_ranges_sends_the_file_from_its_start() {
    let faults = Faults {
        no_ranges: true,
        ..Faults::default()
    };
    let (url, _) = serve(faults).await;
    let folder = tempfile::tempdir().unwrap();
    let partial = format!(".model.safetensors.{}.partial", &COMMIT[..7]);
    std::fs::write(folder.path().join(partial), &files()["model.safetensors"][..2_000_000]).unwrap();
    pulled(&url, folder.path()).await.unwrap();
    assert_complete(folder.path());
}

#[tokio::test]
async fn a_wrong_byte_is_found_and_nothing_gets_the_files_name() {
    let faults = Faults {
        lies: true,
        ..Faults::default()
    };
    let (url, _) = serve(faults).await;
    let folder = tempfile::tempdir().unwrap();
    match pulled(&url, folder.path()).await {
        Err(HubError::Checksum { file }) => assert_eq!(file, "model.safetensors"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        names(folder.path()),
        ["config.json", "tokenizer.json"],
        "the wrong bytes are gone"
    );

    let (honest, _) = serve(Faults::default()).await;
    let after = pulled(&honest, folder.path()).await.unwrap();
    assert_eq!((after.fetched, after.kept), (1, 2));
    assert_complete(folder.path());
}

#[tokio::test]
async fn a_damaged_file_is_replaced() {
    let (url, _) = serve(Faults::default()).await;
    let folder = tempfile::tempdir().unwrap();
    pulled(&url, folder.path()).await.unwrap();
    let path = folder.path().join("model.safetensors");
    let mut content = std::fs::read(&path).unwrap();
    content[5] ^= 1;
    std::fs::write(&path, content).unwrap();
    let after = pulled(&url, folder.path()).await.unwrap();
    assert_eq!((after.fetched, after.kept), (1, 2));
    assert_complete(folder.path());
}

#[tokio::test]
async fn a_busy_hub_is_asked_again() {
    let faults = Faults {
        busy: AtomicUsize::new(2),
        ..Faults::default()
    };
    let (url, _) = serve(faults).await;
    let folder = tempfile::tempdir().unwrap();
    pulled(&url, folder.path()).await.unwrap();
    assert_complete(folder.path());
}

#[tokio::test]
async fn a_token_goes_to_the_hub_and_not_to_where_it_redirects() {
    let (elsewhere, cdn) = serve(Faults::default()).await;
    // Another name of this machine is another host.
    let elsewhere = elsewhere.replace("127.0.0.1", "localhost");
    let faults = Faults {
        token: Some(("Bearer secret".to_owned(), elsewhere)),
        ..Faults::default()
    };
    let (url, _) = serve(faults).await;
    let folder = tempfile::tempdir().unwrap();
    match pulled(&url, folder.path()).await {
        Err(HubError::Denied { name }) => assert_eq!(name, "acme/tiny@main"),
        other => panic!("{other:?}"),
    }
    let hub = Hub::new(&url, Some(Token::new("secret\n"))).unwrap();
    let snapshot = hub.snapshot("acme/tiny", "main").await.unwrap();
    pull(&hub, &snapshot, folder.path(), &mut |_| {}).await.unwrap();
    assert_complete(folder.path());
    assert!(!*cdn.leaked.lock().unwrap());
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (url, _) = serve(Faults::default()).await;
    let hub = Hub::new(&url, None).unwrap();
    for (repository, revision) in [("acme/other", "main"), ("acme/tiny", "v2")] {
        match hub.snapshot(repository, revision).await {
            Err(HubError::NotFound { name }) => assert_eq!(name, format!("{repository}@{revision}")),
            other => panic!("{other:?}"),
        }
    }
    let nobody = Hub::new("http://127.0.0.1:1", None).unwrap();
    assert!(matches!(
        nobody.snapshot("acme/tiny", "main").await,
        Err(HubError::Unreachable(_))
    ));
}

/// A proxy that refuses to connect anywhere, and the requests that came to it.
async fn refusing_proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let all = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            all.lock().unwrap().push(String::from_utf8(request).unwrap());
            stream
                .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
        }
    });
    (address, asked)
}

#[tokio::test]
async fn https_goes_through_the_proxy_and_the_rest_does_not() {
    let (proxy, asked) = refusing_proxy().await;
    let pull_from = async |url: &str, no: &str| {
        let proxies = Proxies::new(&format!("http://user:word@{proxy}"), no);
        let hub = Hub::through(url, None, proxies).unwrap();
        hub.snapshot("owner/name", "main").await.unwrap_err()
    };
    let error = pull_from("https://hub.invalid", "").await;
    assert!(
        matches!(error, HubError::Unreachable(_)) && error.hint().contains("HTTPS_PROXY"),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("word"));
    let request = asked.lock().unwrap().remove(0).to_ascii_lowercase();
    assert!(request.starts_with("connect hub.invalid:443 http/1.1\r\n"), "{request}");
    // base64 of "user:word"
    assert!(
        request.contains("proxy-authorization: basic dxnlcjp3b3jk\r\n"),
        "{request}"
    );
    for (url, no) in [
        ("https://hub.invalid", "other.invalid, hub.invalid"),
        ("https://a.hub.invalid", ".hub.invalid"),
        ("https://127.0.0.1:1", "127.0.0.0/8"),
        ("http://127.0.0.1:1", ""),
    ] {
        assert!(matches!(pull_from(url, no).await, HubError::Unreachable(_)), "{url}");
        assert!(asked.lock().unwrap().is_empty(), "{url} with {no}");
    }
}
