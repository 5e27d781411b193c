//! Both ends of `scripts/bench/chain/run`: an inference server that always gives the same answer of 420 bytes, and a load of
//! HTTP requests that measures how long each takes. Both on one thread, and with as little work as they can, because they
//! share the machine with what is measured. And what the way between them is compared with: a bare relay, and signatures.
//!
//! `upstream ADDRESS` and `relay client|proxy|worker ADDRESS NEXT` serve until they are killed; `load ADDRESS MODEL CONNECTIONS
//! SECONDS keep|close` and `signatures` print one line of JSON.
#![allow(clippy::print_stdout, reason = "the output is read by the script")]

mod relay;
mod signatures;

use std::{env, error::Error, net::SocketAddr, time::Duration, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Length of the answer's body.
const ANSWER_BYTES: usize = 420;
/// Loads begin with this much that is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
/// Neither requests nor answers are longer here.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["upstream", address] => upstream(address.parse()?).await,
        ["load", address, model, connections, seconds, kind @ ("keep" | "close")] => {
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            load(address.parse()?, model, connections.parse()?, seconds, kind == "keep").await
        }
        ["relay", "client", address, next] => relay::client(address.parse()?, next.parse()?).await,
        ["relay", "proxy", address, next] => relay::proxy(address.parse()?, next.parse()?).await,
        ["relay", "worker", address, next] => relay::worker(address.parse()?, next.parse()?).await,
        ["signatures"] => signatures::measure(),
        _ => Err("usage: chain_load upstream ADDRESS | relay client|proxy|worker ADDRESS NEXT | signatures | load ADDRESS MODEL CONNECTIONS SECONDS keep|close".into()),
    }
}

/// Serves the same answer to everybody.
async fn upstream(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let answer: &'static [u8] = answer().leak();
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A caller that leaves ends its connection only.
            let _ = serve(stream, answer).await;
        });
    }
}

async fn serve(mut stream: TcpStream, answer: &[u8]) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(MAX_MESSAGE_BYTES);
    while let Some(message) = read_message(&mut stream, &mut input).await? {
        stream.write_all(answer).await?;
        if message.closes {
            return Ok(stream.shutdown().await?);
        }
    }
    Ok(())
}

/// A chat completion, filled up to its length.
fn answer() -> Vec<u8> {
    let before = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1750000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    let after = r#""},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let content = "Nothing but filling. "
        .chars()
        .cycle()
        .take(ANSWER_BYTES - before.len() - after.len());
    let body: String = before.chars().chain(content).chain(after.chars()).collect();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What the load measured on one connection at a time.
#[derive(Default)]
struct Measured {
    latencies: Vec<Duration>,
    failures: u64,
}

async fn load(address: SocketAddr, model: &str, connections: usize, length: Duration, keeps: bool) -> Result<()> {
    let request: &'static [u8] = request(address, model, keeps).leak();
    let begins = Instant::now() + WARM_UP;
    let ends = begins + length;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(ask_until(address, request, begins, ends, keeps));
    }
    let mut all = Measured::default();
    while let Some(one) = tasks.join_next().await {
        let one = one?;
        all.latencies.extend(one.latencies);
        all.failures += one.failures;
    }
    all.latencies.sort_unstable();
    let quantile = |share: f64| {
        let last = all.latencies.len().saturating_sub(1);
        let at = (share * all.latencies.len() as f64) as usize;
        all.latencies
            .get(at.min(last))
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    println!(
        r#"{{"connections": {connections}, "keep_alive": {keeps}, "requests": {}, "failures": {}, "per_second": {:.1}, "p50_ms": {:.3}, "p90_ms": {:.3}, "p99_ms": {:.3}}}"#,
        all.latencies.len(),
        all.failures,
        all.latencies.len() as f64 / length.as_secs_f64(),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
    );
    Ok(())
}

fn request(address: SocketAddr, model: &str, keeps: bool) -> Vec<u8> {
    let body =
        format!(r#"{{"model":"{model}","max_tokens":8,"messages":[{{"role":"user","content":"What is Cocoon?"}}]}}"#);
    let connection = if keeps { "keep-alive" } else { "close" };
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nconnection: {connection}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One caller: a request after the other. Those that end between the two times count.
async fn ask_until(address: SocketAddr, request: &[u8], begins: Instant, ends: Instant, keeps: bool) -> Measured {
    let mut measured = Measured::default();
    let mut kept = None;
    let mut input = Vec::with_capacity(MAX_MESSAGE_BYTES);
    while Instant::now() < ends {
        let asked = Instant::now();
        let answered = ask(address, request, &mut kept, &mut input).await;
        let now = Instant::now();
        let counts = (begins..ends).contains(&now);
        if !keeps || answered.is_err() {
            kept = None;
            input.clear();
        }
        match answered {
            Ok(()) if counts => measured.latencies.push(now - asked),
            Ok(()) => {}
            Err(_) => {
                measured.failures += u64::from(counts);
                // Whoever refuses everything is not asked a million times.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    measured
}

async fn ask(address: SocketAddr, request: &[u8], kept: &mut Option<TcpStream>, input: &mut Vec<u8>) -> Result<()> {
    let stream = match kept {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            kept.insert(stream)
        }
    };
    stream.write_all(request).await?;
    match read_message(stream, input).await? {
        Some(message) if message.is_ok => Ok(()),
        _ => Err("no good answer".into()),
    }
}

/// What counts of a request or an answer.
struct Message {
    /// Whether it is an answer with status 200.
    is_ok: bool,
    /// Whether the connection ends after it.
    closes: bool,
}

/// A request or an answer as it came.
struct Raw {
    bytes: Vec<u8>,
    closes: bool,
}

/// Reads a message as [`read_message`] does, and gives its bytes.
async fn read_raw(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<Option<Raw>> {
    let Some((message, length)) = read_whole(stream, input).await? else {
        return Ok(None);
    };
    Ok(Some(Raw {
        bytes: input.drain(..length).collect(),
        closes: message.closes,
    }))
}

/// Reads a message with a length to its end; `None` where the peer has closed. What follows stays in `input`.
async fn read_message(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<Option<Message>> {
    Ok(read_whole(stream, input).await?.map(|(message, length)| {
        input.drain(..length);
        message
    }))
}

/// Reads until `input` begins with a whole message; gives its length.
async fn read_whole(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<Option<(Message, usize)>> {
    loop {
        if let Some(whole) = parse(input)? {
            return Ok(Some(whole));
        }
        if input.len() > MAX_MESSAGE_BYTES {
            return Err("a message is too long".into());
        }
        if stream.read_buf(input).await? == 0 {
            return if input.is_empty() {
                Ok(None)
            } else {
                Err("half a message".into())
            };
        }
    }
}

/// The first message of `input` and its length, once it is whole.
fn parse(input: &[u8]) -> Result<Option<(Message, usize)>> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&input[..end])?;
    let mut length = None;
    let mut closes = false;
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>()?);
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let is_get = head.starts_with("GET ");
    let length = length.or(is_get.then_some(0)).ok_or("a message without a length")?;
    let whole = end + 4 + length;
    let is_ok = head.starts_with("HTTP/1.1 200 ");
    Ok((input.len() >= whole).then_some((Message { is_ok, closes }, whole)))
}
