//! A log over HTTP, read by the same reader.

use std::sync::Arc;

use super::samples::{key, public_key, receipts};
use crate::{DiskFolder, HttpSource, LogSource as _, PublishedLog, Publisher, TlogError, serve};

async fn serve(folder: &std::path::Path) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = serve::router(folder);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_served_log_is_read_like_a_folder_and_nothing_else_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let all = receipts(300);
    let mut publisher = Publisher::open(DiskFolder::shared(folder.path()), key()).unwrap();
    all.iter().for_each(|receipt| publisher.add(receipt).unwrap());
    publisher.publish(None).unwrap();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    let url = serve(folder.path()).await;
    let source = Arc::new(HttpSource::new(&url).unwrap());
    let log = PublishedLog::open(source.clone(), public_key()).await.unwrap();
    assert_eq!(log.batch(1).await.unwrap().decode().unwrap(), all[256..]);
    for path in [
        "secret",
        "mark.json",
        "../secret",
        "tile/0/..%2f..%2fsecret",
        "tile/0/009",
        "",
    ] {
        assert_eq!(source.read(path).await.unwrap(), None, "{path}");
    }
    // A file that is larger than any of its kind.
    std::fs::write(folder.path().join("checkpoint"), vec![b'x'; 20_000]).unwrap();
    assert!(matches!(
        source.read("checkpoint").await,
        Err(TlogError::Status { status: 500, .. })
    ));
}

#[tokio::test]
async fn files_say_how_long_they_keep() {
    let folder = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(DiskFolder::shared(folder.path()), key()).unwrap();
    publisher.add(&receipts(1)[0]).unwrap();
    publisher.publish(None).unwrap();
    let url = serve(folder.path()).await;
    let host = url.strip_prefix("http://").unwrap();
    for (path, kept) in [
        ("checkpoint", "no-cache"),
        ("tile/0/000.p/1", "public, max-age=31536000, immutable"),
        ("signatures/000.p/1", "public, max-age=60"),
    ] {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let request = format!("HEAD /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        stream.read_to_string(&mut head).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains(&format!("cache-control: {kept}\r\n")), "{head}");
        assert!(head.contains("access-control-allow-origin: *"), "{head}");
    }
}
