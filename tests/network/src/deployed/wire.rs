//! Frames and sessions of the deployed network, by hand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::tl::{Reader, Writer};
use crate::{Failure, failed};

const CONNECT: u32 = 0xa57c_4261;
const CONNECTED: u32 = 0x636d_41d6;
const PACKET: u32 = 0x9c17_baf8;
const QUERY: u32 = 0x3af5_1908;
const QUERY_ANSWER: u32 = 0xc048_c311;
const QUERY_ERROR: u32 = 0x4cd2_f602;
const PING: u32 = 0xbbe9_627c;
const PONG: u32 = 0x0bd4_302c;

/// Longer than anything that is waited for here, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a peer sends after the first frames.
#[derive(Debug)]
pub enum Incoming {
    /// `tcp.packet`
    Packet(Vec<u8>),
    /// `tcp.query`
    Query(i64, Vec<u8>),
}

/// The answer to a question: an object, or code and text of a refusal.
pub type Answer = Result<Vec<u8>, (i32, String)>;

type Waiting = Arc<Mutex<HashMap<i64, oneshot::Sender<Answer>>>>;

/// One end of a session. The connection ends when it and all its senders are dropped.
pub struct Wire {
    sender: Sender,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    reading: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// The sending half; clones share it.
#[derive(Clone)]
pub struct Sender {
    out: Arc<tokio::sync::Mutex<(Box<dyn AsyncWrite + Send + Unpin>, i32)>>,
    waiting: Waiting,
}

impl Wire {
    /// The dialing side.
    pub async fn dial(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, Failure> {
        let (mut reader, writer) = tokio::io::split(stream);
        let sender = Sender::new(writer);
        sender.send(Writer::of(CONNECT).long(77)).await?;
        let first = frame(&mut reader, 0).await?;
        Reader::new(&first).expect(CONNECTED)?;
        Ok(Self::new(reader, sender))
    }

    /// The accepting side.
    pub async fn accept(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, Failure> {
        let (mut reader, writer) = tokio::io::split(stream);
        let sender = Sender::new(writer);
        let first = frame(&mut reader, 0).await?;
        let mut object = Reader::new(&first);
        object.expect(CONNECT)?;
        sender.send(Writer::of(CONNECTED).long(object.long()?)).await?;
        Ok(Self::new(reader, sender))
    }

    fn new<S: AsyncRead + Send + 'static>(reader: ReadHalf<S>, sender: Sender) -> Self {
        let (queue, incoming) = mpsc::unbounded_channel();
        let answers = sender.clone();
        let reading = tokio::spawn(async move {
            // However it ends, the queue's end tells it.
            let _ = read(reader, &answers, queue).await;
            answers.waiting().clear();
        });
        Self {
            sender,
            incoming,
            reading,
        }
    }

    /// For sending from elsewhere.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The next packet or question; `None` when the peer has hung up.
    pub async fn next(&mut self) -> Result<Option<Incoming>, Failure> {
        let next = tokio::time::timeout(PATIENCE, self.incoming.recv());
        next.await.map_err(|_| Failure::new("the peer says nothing"))
    }

    /// The next packet; a question is none.
    pub async fn packet(&mut self) -> Result<Vec<u8>, Failure> {
        match self.next().await? {
            Some(Incoming::Packet(data)) => Ok(data),
            Some(Incoming::Query(..)) => Err(Failure::new("a question came where a packet should be")),
            None => Err(Failure::new("the peer has hung up")),
        }
    }
}

impl Sender {
    fn new<S: AsyncWrite + Send + 'static>(writer: WriteHalf<S>) -> Self {
        Self {
            out: Arc::new(tokio::sync::Mutex::new((Box::new(writer), 0))),
            waiting: Waiting::default(),
        }
    }

    /// Sends a one-way message.
    pub async fn packet(&self, object: Writer) -> Result<(), Failure> {
        self.send(Writer::of(PACKET).bytes(&object.done())).await
    }

    /// Asks, and waits for the answer or the refusal.
    pub async fn ask(&self, object: Writer) -> Result<Answer, Failure> {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut waiting = self.waiting();
            let id = 1000 + waiting.len() as i64;
            waiting.insert(id, sender);
            id
        };
        self.send(Writer::of(QUERY).long(id).bytes(&object.done())).await?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| Failure::new("a question got no answer"))?;
        answer.map_err(|_| Failure::new("the peer has hung up"))
    }

    /// Asks, and takes a refusal for a failure.
    pub async fn question(&self, object: Writer) -> Result<Vec<u8>, Failure> {
        let answer = self.ask(object).await?;
        answer.map_err(|(code, text)| Failure::new(format!("refused with {code}: {text}")))
    }

    /// Answers a question.
    pub async fn answer(&self, id: i64, object: Writer) -> Result<(), Failure> {
        self.send(Writer::of(QUERY_ANSWER).long(id).bytes(&object.done())).await
    }

    /// Refuses a question.
    pub async fn refuse(&self, id: i64, code: i32, text: &str) -> Result<(), Failure> {
        let error = Writer::of(QUERY_ERROR).long(id).int(code).bytes(text.as_bytes());
        self.send(error).await
    }

    /// Hangs up.
    pub async fn close(&self) {
        // A connection that is gone needs no end.
        let _ = self.out.lock().await.0.shutdown().await;
    }

    async fn send(&self, object: Writer) -> Result<(), Failure> {
        let object = object.done();
        let mut out = self.out.lock().await;
        let (writer, seqno) = &mut *out;
        let length = u32::try_from(object.len()).map_err(failed("sending"))?;
        let bytes = [&length.to_le_bytes()[..], &seqno.to_le_bytes(), &object].concat();
        *seqno += 1;
        writer.write_all(&bytes).await.map_err(failed("sending"))?;
        writer.flush().await.map_err(failed("sending"))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<i64, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read<S: AsyncRead>(
    mut reader: ReadHalf<S>,
    sender: &Sender,
    queue: mpsc::UnboundedSender<Incoming>,
) -> Result<(), Failure> {
    for seqno in 1.. {
        let object = frame(&mut reader, seqno).await?;
        let mut object = Reader::new(&object);
        let incoming = match object.id()? {
            PACKET => Incoming::Packet(object.bytes()?.to_vec()),
            QUERY => Incoming::Query(object.long()?, object.bytes()?.to_vec()),
            QUERY_ANSWER => {
                let (id, data) = (object.long()?, object.bytes()?.to_vec());
                resolve(sender, id, Ok(data));
                continue;
            }
            QUERY_ERROR => {
                let (id, code, text) = (object.long()?, object.int()?, object.text()?);
                resolve(sender, id, Err((code, text)));
                continue;
            }
            PING => {
                sender.send(Writer::of(PONG).long(object.long()?)).await?;
                continue;
            }
            PONG => continue,
            other => return Err(Failure::new(format!("{other:08x} is no session message"))),
        };
        object.end()?;
        if queue.send(incoming).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn resolve(sender: &Sender, id: i64, answer: Answer) {
    if let Some(waiting) = sender.waiting().remove(&id) {
        // Whoever asked may have given up.
        let _ = waiting.send(answer);
    }
}

async fn frame<S: AsyncRead>(reader: &mut ReadHalf<S>, expected: i32) -> Result<Vec<u8>, Failure> {
    let length = reader.read_u32_le().await.map_err(failed("reading"))?;
    let seqno = reader.read_i32_le().await.map_err(failed("reading"))?;
    if seqno != expected || !(4..=1 << 24).contains(&length) {
        return Err(Failure::new(format!(
            "frame {seqno} of {length} bytes came where {expected} should be"
        )));
    }
    let mut object = vec![0; length as usize];
    reader.read_exact(&mut object).await.map_err(failed("reading"))?;
    Ok(object)
}
