//! The page as browsers get it, and what its files may and may not name.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use cocoon_page::{Asset, CONTENT_SECURITY_POLICY};
use http_body_util::BodyExt as _;
use tower_service::Service as _;

/// All that is loaded at the start, compressed, bytes.
const BUDGET: usize = 200 << 10;

async fn get(path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request is made");
    cocoon_page::router().call(request).await.expect("the router answers")
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().expect("a header is text"))
}

async fn body(response: Response<Body>) -> Vec<u8> {
    let collected = response.into_body().collect().await.expect("a body ends");
    collected.to_bytes().to_vec()
}

fn text(asset: &Asset) -> &'static str {
    std::str::from_utf8(asset.bytes()).expect("a text is UTF-8")
}

fn is_text(asset: &Asset) -> bool {
    !asset.name().ends_with(".wasm")
}

/// What stands between two marks, each time.
fn between<'a>(text: &'a str, from: &'a str, to: char) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).filter_map(move |rest| rest.split(to).next())
}

/// Modules that a module imports, at its start or later.
fn imports(asset: &Asset) -> Vec<&'static str> {
    let text = text(asset);
    let later = between(text, "import(\"", '"');
    let first = between(text, "from \"", '"').chain(between(text, "import \"", '"'));
    first.chain(later).filter(|name| name.starts_with('.')).collect()
}

#[tokio::test]
async fn the_page_has_the_headers_that_keep_it_to_itself() {
    for path in ["/", "/assets/app.js", "/assets/none.js"] {
        let response = get(path, &[]).await;
        assert_eq!(header(&response, "content-security-policy"), CONTENT_SECURITY_POLICY);
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "x-frame-options"), "DENY");
        assert_eq!(header(&response, "referrer-policy"), "same-origin");
        assert_eq!(header(&response, "cross-origin-resource-policy"), "same-origin");
        assert!(response.headers().get("access-control-allow-origin").is_none());
    }
    for never in ["unsafe-inline", "'unsafe-eval'", "http", "*"] {
        assert!(!CONTENT_SECURITY_POLICY.contains(never), "the policy allows {never}");
    }
}

#[tokio::test]
async fn each_file_has_its_type_and_what_is_missing_is_404() {
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/app.js", "text/javascript; charset=utf-8"),
        ("/assets/base.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let response = get(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, "content-type"), kind, "{path}");
    }
    for path in [
        "/assets/none.js",
        "/assets/..%2fCargo.toml",
        "/assets/%2e%2e",
        "/assets/.hidden",
    ] {
        assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn who_has_a_file_gets_no_second_copy() {
    let first = get("/assets/app.js", &[]).await;
    let tag = header(&first, "etag").to_owned();
    assert_eq!(header(&first, "cache-control"), "no-cache");
    let again = get("/assets/app.js", &[("if-none-match", &format!("\"other\", W/{tag}"))]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&again, "etag"), tag);
    assert!(body(again).await.is_empty());
    let other = get("/assets/app.js", &[("if-none-match", "\"other\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
    assert!(!body(other).await.is_empty());
}

#[tokio::test]
async fn files_come_compressed_to_who_reads_that() {
    let plain = get("/assets/app.js", &[("accept-encoding", "br, gzip;q=0")]).await;
    assert_eq!(header(&plain, "content-encoding"), "");
    let packed = get("/assets/app.js", &[("accept-encoding", "deflate, GZIP;q=0.5")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert_eq!(header(&packed, "vary"), "accept-encoding");
    assert_ne!(header(&packed, "etag"), header(&plain, "etag"));
    assert!(body(packed).await.len() < body(plain).await.len());
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let index = cocoon_page::find("index.html").expect("there is a page");
    let named = between(text(index), "=\"/assets/", '"').collect::<Vec<_>>();
    assert!(named.len() > 3, "{named:?}");
    for name in named {
        assert!(cocoon_page::find(name).is_some(), "index.html names {name}");
    }
}

#[test]
fn every_module_imports_only_modules_that_are_there() {
    let modules = Asset::all().iter().filter(|asset| asset.name().ends_with(".js"));
    for module in modules {
        for import in imports(module) {
            let name = import.strip_prefix("./").unwrap_or(import);
            assert!(cocoon_page::find(name).is_some(), "{} imports {import}", module.name());
        }
    }
}

/// Each file is reached from the page: one that is not is a leftover.
#[test]
fn every_file_is_used() {
    let mut used = BTreeSet::from(["index.html"]);
    loop {
        let found = Asset::all()
            .iter()
            .filter(|asset| used.contains(asset.name()) && is_text(asset));
        let texts = found.map(text).collect::<Vec<_>>();
        let before = used.len();
        let named = |asset: &&Asset| texts.iter().any(|text| text.contains(asset.name()));
        used.extend(Asset::all().iter().filter(named).map(Asset::name));
        if used.len() == before {
            break;
        }
    }
    for asset in Asset::all() {
        assert!(used.contains(asset.name()), "{} is used by nothing", asset.name());
    }
}

/// The names of XML's own vocabularies are no places.
#[test]
fn no_file_names_a_place_of_another_origin() {
    for asset in Asset::all().iter().filter(|asset| is_text(asset)) {
        let known = text(asset).replace("http://www.w3.org/2000/svg", "");
        for scheme in ["http://", "https://", "ws://", "wss://", "\"//", "url(//"] {
            assert!(!known.contains(scheme), "{} names {scheme}", asset.name());
        }
    }
}

#[test]
fn text_never_becomes_markup_or_code() {
    let never = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
    ];
    for asset in Asset::all().iter().filter(|asset| is_text(asset)) {
        for word in never {
            assert!(!text(asset).contains(word), "{} uses {word}", asset.name());
        }
    }
    let index = text(cocoon_page::find("index.html").expect("there is a page"));
    for inline in [" style=", "<style", " onclick=", "javascript:", "<script>"] {
        assert!(!index.contains(inline), "index.html has {inline}");
    }
}

/// Files that `index.html` names and all that these import at once; what is imported later comes when it is needed.
fn loaded_at_start() -> BTreeSet<&'static str> {
    let index = cocoon_page::find("index.html").expect("there is a page");
    let mut loaded: BTreeSet<_> = between(text(index), "=\"/assets/", '"').chain(["index.html"]).collect();
    loop {
        let modules = loaded
            .iter()
            .filter(|name| name.ends_with(".js"))
            .filter_map(|name| cocoon_page::find(name));
        let imported: Vec<_> = modules
            .flat_map(|module| between(text(module), "from \"./", '"').chain(between(text(module), "import \"./", '"')))
            .collect();
        let before = loaded.len();
        loaded.extend(imported);
        if loaded.len() == before {
            return loaded;
        }
    }
}

#[test]
fn what_is_loaded_at_the_start_is_small() {
    let size = |asset: &Asset| asset.gzip().unwrap_or(asset.bytes()).len();
    let start: usize = loaded_at_start()
        .into_iter()
        .filter_map(cocoon_page::find)
        .map(size)
        .sum();
    let all: usize = Asset::all().iter().map(size).sum();
    println!("compressed: {start} bytes at the start, {all} bytes in all");
    assert!(start < BUDGET, "{start} bytes are loaded at the start");
}
