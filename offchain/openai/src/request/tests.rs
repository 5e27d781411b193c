//! What a request keeps, and what it is refused for.

use super::*;
use proptest::prelude::*;

fn chat(extra: &str) -> Result<Request, ApiError> {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{extra}}}"#);
    Request::parse(Endpoint::Chat, body.as_bytes())
}

fn fault(extra: &str) -> Option<String> {
    chat(extra).err().and_then(|e| e.param)
}

#[test]
fn what_was_sent_is_kept_to_the_byte() {
    let body =
        br#"{"z":1,"model":"m","temperature":1,"messages":[{"content":"hi","role":"user","x":[1.5e3]}],"a":null}"#;
    let request = Request::parse(Endpoint::Chat, body).unwrap();
    let expected = String::from_utf8_lossy(body).replace("1.5e3", "1500.0");
    assert_eq!(String::from_utf8_lossy(&request.to_json()), expected);
}

#[test]
fn faults_name_their_field() {
    assert_eq!(fault(r#","temperature":2.5"#).as_deref(), Some("temperature"));
    assert_eq!(fault(r#","max_tokens":-1"#).as_deref(), Some("max_tokens"));
    assert_eq!(fault(r#","max_tokens":4294967295"#).as_deref(), Some("max_tokens"));
    assert_eq!(
        fault(r#","max_tokens":18446744073709551616"#).as_deref(),
        Some("max_tokens")
    );
    assert_eq!(
        fault(r#","max_completion_tokens":0"#).as_deref(),
        Some("max_completion_tokens")
    );
    assert_eq!(fault(r#","stream":"yes""#).as_deref(), Some("stream"));
    assert_eq!(fault(r#","stop":["a","b","c","d","e"]"#).as_deref(), Some("stop"));
    assert_eq!(fault(r#","top_p":"1""#).as_deref(), Some("top_p"));
    assert_eq!(fault(r#","n":0"#).as_deref(), Some("n"));
    assert_eq!(fault(r#","max_tokens":2147483647,"temperature":null"#), None);
    let no_role = br#"{"model":"m","messages":[{"role":"user"},{"content":"x"}]}"#;
    let error = Request::parse(Endpoint::Chat, no_role).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[1].role"));
    let error = Request::parse(Endpoint::Completion, br#"{"model":"m"}"#).unwrap_err();
    assert_eq!((error.status, error.param.as_deref()), (400, Some("prompt")));
}

#[test]
fn bodies_that_are_no_objects_are_refused_without_quoting_them() {
    for body in [&b"secret"[..], b"[]", b"", b"{\"secret\":", b"\xff\xfe", b"null"] {
        let error = Request::parse(Endpoint::Chat, body).unwrap_err();
        assert_eq!((error.status, error.code), (400, "invalid_json"));
        assert!(!error.to_json().contains("secret"));
    }
}

#[test]
fn the_newer_token_bound_goes_first() {
    let request = chat(r#","max_tokens":5,"max_completion_tokens":7"#).unwrap();
    assert_eq!(request.max_tokens(), Some(7));
    assert_eq!(chat("").unwrap().max_tokens(), None);
}

#[test]
fn debug_output_shows_no_content() {
    let request = chat(r#","user":"marker-user""#).unwrap();
    assert!(!format!("{request:?}").contains("marker"));
    assert!(!format!("{request:?}").contains("hi\""));
}

#[test]
fn a_change_that_breaks_the_request_is_refused() {
    let mut request = chat("").unwrap();
    assert!(request.set("temperature", 9.into()).is_err());
    assert_eq!(request.temperature(), None);
    request.set("stream", true.into()).unwrap();
    assert!(request.stream());
}

proptest! {
    #[test]
    fn any_bytes_give_a_request_or_an_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(Endpoint::Chat, &body);
        let _ = Request::parse(Endpoint::Completion, &body);
    }
}
