//! Three programs in a row that do nothing but pass messages on, as far apart as client, proxy and worker: HTTP, then two
//! attested connections, then HTTP. What they take is what the way costs before anybody counts, signs or keeps anything.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use cocoon_attest::Endorsements;
use cocoon_ratls::{
    Acceptor, Connector, IdentityKeeper, NoEvidence, PeerPolicy, SharedClock, Stream, SystemClock, TrustSettings,
    TrustStore,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};

use super::{MAX_MESSAGE_BYTES, Result, read_raw};

/// Bytes of a frame before its payload: length, number of the request.
const HEAD_BYTES: usize = 12;
/// Frames that are written with one call.
const MAX_BURST: usize = 256;

/// A request or its answer.
struct Frame {
    number: u64,
    payload: Bytes,
}

/// The last one: frames of `listen` become requests at `next`, over connections that are kept.
pub(super) async fn worker(listen: SocketAddr, next: SocketAddr) -> Result<()> {
    let stream = accept(listen).await?;
    let (mut reader, frames) = ends(stream);
    let idle: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let mut input = BytesMut::with_capacity(MAX_MESSAGE_BYTES);
    while let Some(frame) = read_frame(&mut reader, &mut input).await? {
        let (idle, frames) = (Arc::clone(&idle), frames.clone());
        tokio::spawn(async move {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut stream = match kept {
                Some(stream) => stream,
                None => {
                    let stream = TcpStream::connect(next).await?;
                    stream.set_nodelay(true)?;
                    stream
                }
            };
            stream.write_all(&frame.payload).await?;
            let mut input = Vec::with_capacity(MAX_MESSAGE_BYTES);
            let answer = read_raw(&mut stream, &mut input).await?.ok_or("no answer")?;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            let payload = Bytes::from(answer.bytes);
            frames.send(Frame { payload, ..frame })?;
            Result::Ok(())
        });
    }
    Ok(())
}

/// The middle one: frames go on as they come.
pub(super) async fn proxy(listen: SocketAddr, next: SocketAddr) -> Result<()> {
    let toward_worker = connect(next).await?;
    let toward_client = accept(listen).await?;
    let ((requests, answered), (answers, asked)) = (ends(toward_client), ends(toward_worker));
    tokio::try_join!(pass_on(requests, asked), pass_on(answers, answered))?;
    Ok(())
}

async fn pass_on(mut from: ReadHalf<Stream>, to: mpsc::UnboundedSender<Frame>) -> Result<()> {
    let mut input = BytesMut::with_capacity(MAX_MESSAGE_BYTES);
    while let Some(frame) = read_frame(&mut from, &mut input).await? {
        to.send(frame)?;
    }
    Ok(())
}

/// Who waits for which answer.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Bytes>>>>;

/// The first one: requests of `listen` become frames.
pub(super) async fn client(listen: SocketAddr, next: SocketAddr) -> Result<()> {
    let stream = connect(next).await?;
    let listener = TcpListener::bind(listen).await?;
    println!("ready");
    let (mut answers, frames) = ends(stream);
    let waiting = Waiting::default();
    let takers = Arc::clone(&waiting);
    tokio::spawn(async move {
        let mut input = BytesMut::with_capacity(MAX_MESSAGE_BYTES);
        while let Ok(Some(frame)) = read_frame(&mut answers, &mut input).await {
            let taker = takers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&frame.number);
            if let Some(taker) = taker {
                // A caller that has left needs no answer.
                let _ = taker.send(frame.payload);
            }
        }
    });
    let mut callers = 0;
    loop {
        let (stream, _) = listener.accept().await?;
        callers += 1;
        tokio::spawn(serve(stream, callers << 32, frames.clone(), Arc::clone(&waiting)));
    }
}

/// Serves one caller; its requests are numbered from `number`.
async fn serve(
    mut stream: TcpStream,
    mut number: u64,
    frames: mpsc::UnboundedSender<Frame>,
    waiting: Waiting,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(MAX_MESSAGE_BYTES);
    while let Some(message) = read_raw(&mut stream, &mut input).await? {
        number += 1;
        let (taker, answer) = oneshot::channel();
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, taker);
        let payload = kept_open(message.bytes);
        frames.send(Frame { number, payload })?;
        stream.write_all(&answer.await?).await?;
        if message.closes {
            return Ok(stream.shutdown().await?);
        }
    }
    Ok(())
}

/// How long the caller's connection lives is between the caller and the first program: beyond it connections are kept.
fn kept_open(request: Vec<u8>) -> Bytes {
    const CLOSE: &[u8] = b"connection: close\r\n";
    let Some(at) = request.windows(CLOSE.len()).position(|window| window == CLOSE) else {
        return Bytes::from(request);
    };
    Bytes::from([&request[..at], &request[at + CLOSE.len()..]].concat())
}

/// Frames in, frames out.
fn ends(stream: Stream) -> (ReadHalf<Stream>, mpsc::UnboundedSender<Frame>) {
    let (reader, writer) = tokio::io::split(stream);
    let (frames, queue) = mpsc::unbounded_channel();
    tokio::spawn(write_frames(writer, queue));
    (reader, frames)
}

/// What has come together is written together.
async fn write_frames(mut writer: WriteHalf<Stream>, mut queue: mpsc::UnboundedReceiver<Frame>) -> Result<()> {
    let (mut burst, mut output) = (Vec::new(), BytesMut::new());
    while queue.recv_many(&mut burst, MAX_BURST).await > 0 {
        for frame in burst.drain(..) {
            output.put_u32_le(u32::try_from(frame.payload.len())?);
            output.put_u64_le(frame.number);
            output.extend_from_slice(&frame.payload);
        }
        writer.write_all_buf(&mut output).await?;
        writer.flush().await?;
    }
    Ok(())
}

async fn read_frame(reader: &mut ReadHalf<Stream>, input: &mut BytesMut) -> Result<Option<Frame>> {
    loop {
        if let Some(length) = input.first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length > MAX_MESSAGE_BYTES {
                return Err("a frame is too long".into());
            }
            if input.len() >= HEAD_BYTES + length {
                input.advance(4);
                let number = input.get_u64_le();
                let payload = input.split_to(length).freeze();
                return Ok(Some(Frame { number, payload }));
            }
        }
        if reader.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

struct Ends {
    identities: Arc<IdentityKeeper>,
    trust: Arc<TrustStore>,
    clock: SharedClock,
}

/// Both ends show certificates and believe any: hands are shaken once, and only what follows is measured.
fn anybody() -> Result<Ends> {
    let clock = SystemClock::shared();
    let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), clock.clone())?);
    let trust = Arc::new(TrustStore::new(TrustSettings::real(Endorsements::none())?));
    Ok(Ends {
        identities,
        trust,
        clock,
    })
}

async fn accept(listen: SocketAddr) -> Result<Stream> {
    let Ends {
        identities,
        trust,
        clock,
    } = anybody()?;
    let listener = TcpListener::bind(listen).await?;
    println!("ready");
    let (socket, _) = listener.accept().await?;
    let acceptor = Acceptor::new(identities, trust, PeerPolicy::Any, clock).with_difficulty(0);
    Ok(acceptor.accept(socket).await?.stream)
}

async fn connect(next: SocketAddr) -> Result<Stream> {
    let Ends {
        identities,
        trust,
        clock,
    } = anybody()?;
    let connector = Connector::new(identities, trust, PeerPolicy::Any, clock);
    Ok(connector.connect(next).await?.stream)
}
