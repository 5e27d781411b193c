//! Claims about who is let in.

use super::*;
use cocoon_ratls::SystemClock;

fn gate(folder: &Path, listen: &str, require_keys: bool) -> Result<Arc<Gate>, ClientError> {
    let config = AccessConfig {
        require_keys,
        ..AccessConfig::default()
    };
    let path = folder.join("keys.json");
    Gate::open(&config, path, listen.parse().unwrap(), SystemClock::shared()).map(Arc::new)
}

fn ask(gate: &Gate, method: Method, path: &'static str, secret: Option<&str>) -> Result<Caller, Why> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, "127.0.0.1".parse().unwrap());
    if let Some(secret) = secret {
        headers.insert(header::AUTHORIZATION, format!("Bearer {secret}").parse().unwrap());
    }
    gate.admit(&method, &Uri::from_static(path), &headers)
        .map_err(|refusal| refusal.why)
}

fn add(folder: &Path, name: &str, change: impl FnOnce(&mut ApiKey)) -> String {
    let (mut key, secret) = ApiKey::draw(name, 0).unwrap();
    change(&mut key);
    KeysFile::change(&folder.join("keys.json"), |file| file.add(key)).unwrap();
    secret.to_string()
}

#[tokio::test]
async fn a_client_that_others_reach_does_not_start_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let refused = gate(folder.path(), "0.0.0.0:1", false).err().unwrap();
    assert!(matches!(refused, ClientError::NoKeys { .. }), "{refused}");
    assert!(
        refused.hint().contains("cocoon client key create"),
        "{}",
        refused.hint()
    );
    add(folder.path(), "old", |key| key.expires = Some(1));
    assert!(gate(folder.path(), "0.0.0.0:1", false).is_err());
    let secret = add(folder.path(), "new", |_| {});
    let gate = gate(folder.path(), "0.0.0.0:1", false).unwrap();
    assert_eq!(ask(&gate, Method::GET, "/v1/models", None).err(), Some(Why::NoKey));
    assert_eq!(
        ask(&gate, Method::GET, "/v1/models", Some("sk-any")).err(),
        Some(Why::BadKey)
    );
    assert!(ask(&gate, Method::GET, "/v1/models", Some(&secret)).is_ok());
    assert!(ask(&gate, Method::GET, "/health", None).is_ok());
}

#[tokio::test]
async fn on_this_machine_any_word_does_and_a_key_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let secret = add(folder.path(), "a", |_| {});
    let gate = gate(folder.path(), "127.0.0.1:1", false).unwrap();
    for word in [None, Some("none"), Some("sk-old")] {
        assert!(
            ask(&gate, Method::POST, "/v1/chat/completions", word)
                .unwrap()
                .key
                .is_none()
        );
    }
    let known = ask(&gate, Method::POST, "/v1/chat/completions", Some(&secret)).unwrap();
    assert_eq!(known.key.unwrap().name, "a");
    let unknown = format!("{PREFIX}{}", "0".repeat(64));
    assert_eq!(
        ask(&gate, Method::GET, "/v1/models", Some(&unknown)).err(),
        Some(Why::BadKey)
    );
}

#[tokio::test]
async fn a_key_does_only_what_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let reader = add(folder.path(), "reader", |key| key.scopes = [Scope::Read].into());
    let embedder = add(folder.path(), "embedder", |key| {
        key.endpoints = [EndpointName::Embeddings].into();
        key.models = ["a/b".to_owned()].into();
        key.limits.concurrency = Some(1);
    });
    let admin = add(folder.path(), "admin", |key| key.scopes = [Scope::Admin].into());
    let gate = gate(folder.path(), "127.0.0.1:1", true).unwrap();
    let chat = "/v1/chat/completions";
    assert_eq!(ask(&gate, Method::POST, chat, Some(&reader)).err(), Some(Why::Scope));
    assert!(ask(&gate, Method::GET, "/v1/models", Some(&reader)).is_ok());
    assert_eq!(
        ask(&gate, Method::POST, "/v1/cocoon/anything", Some(&embedder)).err(),
        Some(Why::Scope)
    );
    assert!(ask(&gate, Method::POST, "/v1/cocoon/anything", Some(&admin)).is_ok());
    assert_eq!(ask(&gate, Method::POST, chat, Some(&embedder)).err(), Some(Why::Model));
    let caller = ask(&gate, Method::POST, "/v1/embeddings", Some(&embedder)).unwrap();
    assert_eq!(
        gate.begin(&caller, "c/d").err().map(|refusal| refusal.why),
        Some(Why::Model)
    );
    let place = gate.begin(&caller, "a/b").unwrap();
    assert_eq!(
        gate.begin(&caller, "a/b").err().map(|refusal| refusal.why),
        Some(Why::Concurrency)
    );
    drop(place);
    assert!(gate.begin(&caller, "a/b").is_ok());
    assert_eq!(ask(&gate, Method::GET, "/v1/models", None).err(), Some(Why::NoKey));
}

#[tokio::test(start_paused = true)]
async fn rates_are_a_keys_own_and_say_how_long_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let slow = add(folder.path(), "slow", |key| {
        key.limits.requests_per_minute = Some(2);
        key.limits.tokens_per_minute = Some(100);
    });
    let other = add(folder.path(), "other", |_| {});
    let gate = gate(folder.path(), "127.0.0.1:1", true).unwrap();
    let path = "/v1/models";
    let caller = ask(&gate, Method::GET, path, Some(&slow)).unwrap();
    assert!(ask(&gate, Method::GET, path, Some(&slow)).is_ok());
    assert_eq!(ask(&gate, Method::GET, path, Some(&slow)).err(), Some(Why::Requests));
    assert!(ask(&gate, Method::GET, path, Some(&other)).is_ok());
    tokio::time::advance(std::time::Duration::from_secs(30)).await;
    assert!(ask(&gate, Method::GET, path, Some(&slow)).is_ok());
    assert!(gate.take_tokens(&caller, 100).is_ok());
    let refused = cocoon_openai::ApiError::from(gate.take_tokens(&caller, 50).unwrap_err());
    assert_eq!((refused.status, refused.retry_after), (429, Some(30)));
    gate.give_back_tokens(&caller, 50);
    assert!(gate.take_tokens(&caller, 50).is_ok());
    let never = cocoon_openai::ApiError::from(gate.take_tokens(&caller, 101).unwrap_err());
    assert_eq!((never.status, never.retry_after), (413, None));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_revoked_counts_no_longer_after_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let secret = add(folder.path(), "a", |_| {});
    let gate = gate(folder.path(), "127.0.0.1:1", true).unwrap();
    assert!(ask(&gate, Method::GET, "/v1/models", Some(&secret)).is_ok());
    let path = folder.path().join("keys.json");
    KeysFile::change(&path, |file| file.find("a").map(|key| key.revoked = Some(1))).unwrap();
    tokio::time::advance(KEYS_LOOK_EVERY).await;
    assert_eq!(
        ask(&gate, Method::GET, "/v1/models", Some(&secret)).err(),
        Some(Why::BadKey)
    );
    // A file that cannot be read changes nothing.
    std::fs::write(&path, "{").unwrap();
    tokio::time::advance(KEYS_LOOK_EVERY).await;
    assert_eq!(gate.all().len(), 1);
}

#[tokio::test]
async fn requests_that_a_proxy_on_this_machine_sends_on_are_counted_where_no_key_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let secret = add(folder.path(), "a", |_| {});
    let admit = |gate: &Gate, path: &'static str, secret: Option<&str>| {
        let mut headers = HeaderMap::new();
        // The proxy calls the client by a name of this machine, whatever its callers said.
        headers.insert(header::HOST, "127.0.0.1:10000".parse().unwrap());
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        if let Some(secret) = secret {
            headers.insert(header::AUTHORIZATION, format!("Bearer {secret}").parse().unwrap());
        }
        gate.admit(&Method::GET, &Uri::from_static(path), &headers).is_ok()
    };
    let open = gate(folder.path(), "127.0.0.1:1", false).unwrap();
    for _ in 0..3 {
        assert!(admit(&open, "/v1/models", None));
    }
    assert!(admit(&open, "/health", None) && admit(&open, "/v1/models", Some(&secret)));
    assert_eq!(open.forwarded.total(), 3);
    let closed = gate(folder.path(), "127.0.0.1:1", true).unwrap();
    assert!(!admit(&closed, "/v1/models", None) && admit(&closed, "/v1/models", Some(&secret)));
    assert_eq!(closed.forwarded.total(), 0);
}
