//! The inference server beside each worker: it answers well most of the time, and in every bad way the rest of it.

use std::time::Duration;

use cocoon_ratls::{Listener, Wire};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Where it listens.
pub(crate) const PORT: u16 = 8000;

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    pub(crate) seed: u64,
    /// Out of 100 answers.
    pub(crate) bad: u32,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Good,
    Slow,
    Refused,
    Garbage,
    /// Usage far beyond what was asked for.
    Greedy,
    /// Usage below nothing.
    Negative,
    /// Ends in its middle.
    Cut,
    /// More than was asked for, for long.
    Endless,
    Silent,
}

pub(crate) async fn serve(mut listener: Listener, manners: Manners) {
    let mut rng = StdRng::seed_from_u64(manners.seed);
    while let Ok((wire, _)) = listener.accept().await {
        let manner = match rng.random_range(0..100) < manners.bad {
            false => Manner::Good,
            true => match rng.random_range(0..8) {
                0 => Manner::Slow,
                1 => Manner::Refused,
                2 => Manner::Garbage,
                3 => Manner::Greedy,
                4 => Manner::Negative,
                5 => Manner::Cut,
                6 => Manner::Endless,
                _ => Manner::Silent,
            },
        };
        tokio::spawn(converse(wire, manner, rng.random_range(1..40)));
    }
}

/// One request on each connection. Whoever asks may be gone at any time.
async fn converse(mut wire: Wire, manner: Manner, tokens: u64) -> Option<()> {
    let (head, body) = request(&mut wire).await?;
    if head.starts_with("GET") {
        return write(&mut wire, &whole("200 OK", "{}")).await;
    }
    let streams = body.contains("\"stream\":true");
    let usage = |prompt: i64, completion: i64| json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion });
    let told = match manner {
        Manner::Greedy => usage(5, 1_000_000_000_000),
        Manner::Negative => usage(-5, -7),
        _ => usage(5, i64::try_from(tokens).ok()?),
    };
    match manner {
        Manner::Refused => {
            return write(
                &mut wire,
                &whole("500 Internal Server Error", "{\"error\":{\"message\":\"no\"}}"),
            )
            .await;
        }
        Manner::Garbage => return write(&mut wire, &whole("200 OK", "not JSON")).await,
        Manner::Silent => tokio::time::sleep(Duration::from_secs(3600)).await,
        Manner::Slow => tokio::time::sleep(Duration::from_secs(4)).await,
        _ => {}
    }
    if !streams {
        let answer = json!({
            "id": "a", "object": "chat.completion", "created": 1, "model": "parrot", "usage": told,
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "x".repeat(usize::try_from(tokens).ok()?) } }],
        });
        let text = whole("200 OK", &answer.to_string());
        let end = if matches!(manner, Manner::Cut) {
            text.len() / 2
        } else {
            text.len()
        };
        return write(&mut wire, &text[..end]).await;
    }
    write(
        &mut wire,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
    )
    .await?;
    let count = if matches!(manner, Manner::Endless) { 500 } else { tokens };
    for number in 0..count {
        if matches!(manner, Manner::Cut) && number == tokens / 2 {
            return None;
        }
        event(
            &mut wire,
            &json!({ "id": "a", "object": "chat.completion.chunk", "created": 1, "model": "parrot",
            "choices": [{ "index": 0, "delta": { "content": "x" }, "finish_reason": null }] })
            .to_string(),
        )
        .await?;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    event(
        &mut wire,
        &json!({ "id": "a", "object": "chat.completion.chunk", "created": 1, "model": "parrot", "usage": told,
        "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] })
        .to_string(),
    )
    .await?;
    event(&mut wire, "[DONE]").await
}

async fn event(wire: &mut Wire, data: &str) -> Option<()> {
    write(wire, &format!("data: {data}\n\n")).await
}

async fn write(wire: &mut Wire, text: &str) -> Option<()> {
    wire.write_all(text.as_bytes()).await.ok()?;
    wire.flush().await.ok()
}

fn whole(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

async fn request(wire: &mut Wire) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if wire.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
