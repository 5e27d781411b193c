//! Who asks the client over HTTP, and what became of each request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cocoon_bindings::ton::HashBytes;
use cocoon_ratls::{Network, Wire};
use cocoon_receipt::ReceiptId;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::host::Time;
use crate::nodes::{API_KEY, CLIENT};
use crate::trace;

/// Time that a request asks for.
const WISHED: u64 = 20;
/// Milliseconds in which it must have ended: what it asked for, the wait for its receipt, and the way.
pub(crate) const PATIENCE_MS: u64 = (WISHED + 10) * 1000;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a whole answer.
    Answered,
    /// With an error of the interface: its status, or 200 when it came in a stream.
    Refused(u16),
    /// The connection broke.
    Cut,
    /// Whole, but neither an answer nor a typed error.
    Wrong(String),
    /// Whole as far as HTTP goes, but of another status or without the last event: what a worker says is passed on.
    Unfinished,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) begun: u64,
    pub(crate) ended: Option<(u64, Outcome)>,
    /// The receipt that it was shown.
    pub(crate) receipt: Option<ReceiptId>,
}

/// All requests of a world.
pub(crate) type Diary = Arc<Mutex<Vec<Asked>>>;

/// Asks once; while nobody listens it waits.
pub(crate) async fn ask(network: Arc<dyn Network>, time: Arc<Time>, diary: Diary, streams: bool, tokens: u64) {
    let mut wire = loop {
        match network.dial(CLIENT.parse().unwrap()).await {
            Ok(wire) => break wire,
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    };
    let number = {
        let mut diary = diary.lock().unwrap();
        let begun = time.ms();
        diary.push(Asked {
            begun,
            ended: None,
            receipt: None,
        });
        diary.len() - 1
    };
    let bytes = exchange(&mut wire, streams, tokens).await.unwrap_or_default();
    let outcome = judge(&bytes, streams).unwrap_or(Outcome::Cut);
    trace::note(time.ms(), (number, &outcome));
    let asked = &mut diary.lock().unwrap()[number];
    asked.ended = Some((time.ms(), outcome));
    asked.receipt = receipt(&String::from_utf8_lossy(&bytes));
}

/// The receipt that an answer names, in its head or at the end of its stream.
fn receipt(text: &str) -> Option<ReceiptId> {
    let (_, rest) = text.split_once("cocoon-receipt-id")?;
    let digits = rest.trim_start_matches([':', ' ']).get(..64)?;
    let mut hash = HashBytes::ZERO;
    hex::decode_to_slice(digits, &mut hash.0).ok()?;
    Some(ReceiptId(hash))
}

async fn exchange(wire: &mut Wire, streams: bool, tokens: u64) -> Option<Vec<u8>> {
    let body = json!({
        "model": "parrot", "stream": streams, "max_tokens": tokens, "timeout": WISHED,
        "messages": [{ "role": "user", "content": "Say something." }],
    })
    .to_string();
    // Some want to see their receipt.
    let wait = if tokens.is_multiple_of(2) {
        "x-cocoon-receipt: wait\r\n"
    } else {
        ""
    };
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {CLIENT}\r\nAuthorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         {wait}Connection: close\r\n\r\n",
        body.len()
    );
    wire.write_all(head.as_bytes()).await.ok()?;
    wire.write_all(body.as_bytes()).await.ok()?;
    wire.flush().await.ok()?;
    let mut bytes = Vec::new();
    wire.read_to_end(&mut bytes).await.ok()?;
    Some(bytes)
}

/// `None` when the answer is not whole. Lengths are those of the bytes: what a lying worker sends need not be UTF-8.
fn judge(bytes: &[u8], streams: bool) -> Option<Outcome> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let body = &bytes[end + 4..];
    let lower = head.to_ascii_lowercase();
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let is_whole = match length {
        // Answers of these kinds have no body.
        None if matches!(status, 204 | 304) => body.is_empty(),
        Some(length) => body.len() == length,
        None => body.ends_with(b"0\r\n\r\n"),
    };
    if !is_whole {
        return None;
    }
    let body = String::from_utf8_lossy(body);
    let has_error = body.contains("\"error\"");
    Some(match status {
        200 if has_error => Outcome::Refused(200),
        // What the inference server says is passed on, whatever it is.
        200 if !streams => Outcome::Answered,
        200 if streams && body.contains("data: [DONE]") => Outcome::Answered,
        200..400 => Outcome::Unfinished,
        400.. if has_error => Outcome::Refused(status),
        _ => Outcome::Wrong(format!("{status}: {}", body.chars().take(300).collect::<String>())),
    })
}

#[test]
fn an_answer_is_whole_by_its_bytes() {
    let answer = |length: usize, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    let no_text = b"{\"a\":\"\xe5\"}";
    assert_eq!(judge(&answer(no_text.len(), no_text), false), Some(Outcome::Answered));
    assert_eq!(judge(&answer(no_text.len() + 2, no_text), false), None);
}
