//! The task that owns the socket and the session of one link.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocoon_protocol::limits::DIALER_PING_AFTER;
use cocoon_protocol::session::{self, Event, SendError, Session};
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::handle::{Command, Ended};
use super::{CloseReason, LinkConfig, LinkError, LinkEvent, LinkHandle, OpenLink};
use crate::limits;

/// Who speaks first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Dialing,
    Accepting,
}

type Reply = oneshot::Sender<Result<Bytes, LinkError>>;

struct Driver<S> {
    session: Session,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    input: BytesMut,
    output: BytesMut,
    /// Events that the queue had no room for; the socket is not read while there are any.
    inbox: VecDeque<LinkEvent>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<LinkEvent>,
    pending: HashMap<i64, Reply>,
    connected: Option<oneshot::Sender<()>>,
    ended: Arc<Ended>,
    /// Time during which the socket was not read. It is not the peer's silence, so the session's
    /// clock stands still in it.
    paused: Duration,
    paused_since: Option<Instant>,
    needs_flush: bool,
    /// When the peer last took bytes of ours, or had none to take.
    written_at: Instant,
}

/// Starts the task and waits until the first frames are exchanged.
pub(super) async fn open<S>(stream: S, side: Side, config: LinkConfig) -> Result<OpenLink, LinkError>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (command_sender, commands) = mpsc::channel(config.command_queue);
    let (events, event_receiver) = mpsc::channel(config.event_queue);
    let (connected, is_connected) = oneshot::channel();
    let ended = Arc::new(Ended::default());
    let (reader, writer) = tokio::io::split(stream);
    let now = Instant::now();
    let session = match side {
        Side::Dialing => Session::dial(rand::random(), now.into_std()),
        Side::Accepting => Session::accept(now.into_std()),
    };
    let mut driver = Driver {
        session,
        reader,
        writer,
        input: BytesMut::with_capacity(limits::FIRST_READ_CHUNK_BYTES),
        output: BytesMut::new(),
        inbox: VecDeque::new(),
        commands,
        events,
        pending: HashMap::new(),
        connected: Some(connected),
        ended: Arc::clone(&ended),
        paused: Duration::ZERO,
        paused_since: None,
        needs_flush: false,
        written_at: now,
    };
    driver.take_output();
    tokio::spawn(driver.run());
    let handle = LinkHandle {
        commands: command_sender,
        ended,
    };
    match timeout(config.connect_timeout, is_connected).await {
        Ok(Ok(())) => Ok((handle, event_receiver)),
        Ok(Err(_)) => Err(handle.ended.error()),
        Err(_) => {
            handle.ended.set(CloseReason::ConnectTimeout);
            Err(CloseReason::ConnectTimeout.into())
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Driver<S> {
    async fn run(mut self) {
        let Err(reason) = self.drive().await;
        self.ended.set(reason.clone());
        self.connected = None;
        // Whoever waits for an answer learns of the end now, not at the end of the flush.
        self.pending.clear();
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
        if reason == CloseReason::Local {
            let flush = async {
                self.writer.write_all_buf(&mut self.output).await?;
                self.writer.shutdown().await
            };
            // If the peer has left or takes nothing, there is nothing more to do for it.
            let _ = timeout(limits::FLUSH_TIMEOUT, flush).await;
        }
        drop((self.reader, self.writer));
        for event in self.inbox.drain(..).chain([LinkEvent::Closed(reason)]) {
            if self.events.send(event).await.is_err() {
                return;
            }
        }
    }

    async fn drive(&mut self) -> Result<Infallible, CloseReason> {
        // Made once: with every message each of them would enter a list and leave it again.
        let (ended, events) = (Arc::clone(&self.ended), self.events.clone());
        let (mut given_up, mut closed) = (pin!(ended.cancelled()), pin!(events.closed()));
        let mut timer = pin!(sleep_until(self.session_deadline()));
        loop {
            self.deliver()?;
            let is_read = self.inbox.is_empty();
            self.count_pause(is_read);
            let has_output = !self.output.is_empty();
            let has_room = self.output.len() < limits::MAX_UNWRITTEN_BYTES && self.session.is_open();
            // Deadlines mostly move on: a timer that is too early costs less than one that is moved with every message.
            if let Some(deadline) = self.deadline(is_read)
                && deadline < timer.deadline()
            {
                timer.as_mut().reset(deadline);
            }
            let step = tokio::select! {
                () = &mut given_up => Step::GivenUp,
                () = &mut timer => Step::Timer,
                room = async { self.events.reserve().await.is_ok() }, if !is_read => Step::Room(room),
                () = &mut closed => Step::Room(false),
                read = self.reader.read_buf(&mut self.input), if is_read => Step::Read(read),
                written = write_some(&mut self.writer, &mut self.output, &mut self.needs_flush), if has_output || self.needs_flush => {
                    Step::Written(written)
                }
                command = self.commands.recv(), if has_room => Step::Command(command),
            };
            match step {
                Step::GivenUp => return Err(self.ended.reason()),
                Step::Timer => {
                    self.look_at_time(is_read)?;
                    let deadline = self.deadline(is_read);
                    // With nothing to wait for there is nothing to look at either.
                    timer
                        .as_mut()
                        .reset(deadline.unwrap_or_else(|| Instant::now() + DIALER_PING_AFTER));
                }
                Step::Room(true) => {}
                Step::Room(false) | Step::Command(None) => return Err(CloseReason::Local),
                Step::Read(Ok(0)) => return Err(CloseReason::Remote),
                Step::Read(Ok(_)) => self.receive()?,
                Step::Written(Ok(Written::Bytes(0))) => return Err(CloseReason::Remote),
                Step::Written(Ok(Written::Bytes(_))) => self.written_at = Instant::now(),
                Step::Written(Ok(Written::Flushed)) => {}
                Step::Read(Err(error)) | Step::Written(Err(error)) => return Err(socket(error)),
                Step::Command(Some(command)) => {
                    self.obey(command)?;
                    // Whoever else is about to send goes first: what a burst of tasks sends is one write.
                    yield_now().await;
                    self.obey_waiting()?;
                }
            }
        }
    }

    /// Hands over as many events as the queue has room for.
    fn deliver(&mut self) -> Result<(), CloseReason> {
        while let Some(event) = self.inbox.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.inbox.push_front(event);
                    return Ok(());
                }
                Err(TrySendError::Closed(_)) => return Err(CloseReason::Local),
            }
        }
        Ok(())
    }

    fn count_pause(&mut self, is_read: bool) {
        match (is_read, self.paused_since) {
            (false, None) => self.paused_since = Some(Instant::now()),
            (true, Some(since)) => {
                self.paused += since.elapsed();
                self.paused_since = None;
            }
            _ => {}
        }
    }

    /// The session's clock: the time without the pauses.
    fn session_now(&self) -> std::time::Instant {
        let now = Instant::now();
        now.checked_sub(self.paused).unwrap_or(now).into_std()
    }

    fn session_deadline(&self) -> Instant {
        match self.session.next_deadline() {
            Some(deadline) => Instant::from_std(deadline) + self.paused,
            None => Instant::now(),
        }
    }

    /// When time alone has something to say next.
    fn deadline(&self, is_read: bool) -> Option<Instant> {
        let silence = is_read.then(|| self.session_deadline());
        let stall = (!self.output.is_empty()).then(|| self.written_at + limits::WRITE_STALL_TIMEOUT);
        silence.into_iter().chain(stall).min()
    }

    fn look_at_time(&mut self, is_read: bool) -> Result<(), CloseReason> {
        let now = Instant::now();
        if !self.output.is_empty() && now >= self.written_at + limits::WRITE_STALL_TIMEOUT {
            return Err(CloseReason::WriteStalled);
        }
        if is_read && now >= self.session_deadline() {
            self.tick()?;
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), CloseReason> {
        self.session.tick(self.session_now()).map_err(protocol)?;
        self.take_output();
        Ok(())
    }

    fn receive(&mut self) -> Result<(), CloseReason> {
        let now = self.session_now();
        let result = self.session.receive(&self.input, now);
        let is_full = self.input.len() == self.input.capacity();
        self.input.clear();
        if is_full && self.input.capacity() < limits::READ_CHUNK_BYTES {
            self.input = BytesMut::with_capacity(limits::READ_CHUNK_BYTES);
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Connected => {
                    if let Some(connected) = self.connected.take() {
                        // Whoever dialed may have given up; then its handle is gone and we end.
                        let _ = connected.send(());
                    }
                }
                Event::Packet(data) => self.inbox.push_back(LinkEvent::Packet(data)),
                Event::Query { id, data } => self.inbox.push_back(LinkEvent::Query { id, data }),
                Event::Answer { id, data } => self.resolve(id, Ok(data)),
                Event::QueryError { id, code, message } => self.resolve(id, Err(LinkError::Refused { code, message })),
            }
        }
        self.take_output();
        if self.output.len() > MAX_OUTPUT_BYTES {
            // Only answers to pings get here past the bound on what we send: they are never read.
            return Err(CloseReason::WriteStalled);
        }
        result.map_err(protocol)
    }

    /// An answer that comes after its asker has given up is dropped.
    fn resolve(&mut self, id: i64, answer: Result<Bytes, LinkError>) {
        if let Some(reply) = self.pending.remove(&id) {
            let _ = reply.send(answer);
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), CloseReason> {
        let sent = match command {
            Command::Packet(data) => self.session.send_packet(&data),
            Command::Query { data, reply } => self.ask(&data, reply),
            Command::Answer { id, data } => self.session.send_answer(id, &data),
            Command::AnswerError { id, code, message } => self.session.send_query_error(id, code, &message),
            Command::Close => return Err(CloseReason::Local),
        };
        if let Err(error) = sent {
            // The handle checks sizes and the session is open here, so this is a defect of ours.
            tracing::error!(%error, "a message was not sent");
            return Err(CloseReason::Local);
        }
        self.take_output();
        Ok(())
    }

    /// What was sent meanwhile goes into the same write.
    fn obey_waiting(&mut self) -> Result<(), CloseReason> {
        for _ in 0..limits::MAX_WRITE_BURST {
            if self.output.len() >= limits::MAX_UNWRITTEN_BYTES {
                break;
            }
            let Ok(command) = self.commands.try_recv() else { break };
            self.obey(command)?;
        }
        Ok(())
    }

    fn ask(&mut self, data: &[u8], reply: Reply) -> Result<(), SendError> {
        if self.pending.len() >= limits::MAX_PENDING_QUERIES {
            self.pending.retain(|_, reply| !reply.is_closed());
        }
        if self.pending.len() >= limits::MAX_PENDING_QUERIES {
            let _ = reply.send(Err(LinkError::TooManyQueries {
                limit: limits::MAX_PENDING_QUERIES,
            }));
            return Ok(());
        }
        let mut id: i64 = rand::random();
        while self.pending.contains_key(&id) {
            id = rand::random();
        }
        self.session.send_query(id, data)?;
        self.pending.insert(id, reply);
        Ok(())
    }

    fn take_output(&mut self) {
        let Some(bytes) = self.session.take_output() else {
            return;
        };
        if self.output.is_empty() {
            // The peer had taken everything until now.
            self.written_at = Instant::now();
            self.output = BytesMut::from(bytes);
        } else {
            self.output.extend_from_slice(&bytes);
        }
    }
}

/// What happened next.
enum Step {
    /// Whoever opened the link no longer waits for it, or the peer is cut off.
    GivenUp,
    Timer,
    /// Whether somebody still takes events.
    Room(bool),
    Read(std::io::Result<usize>),
    Written(std::io::Result<Written>),
    Command(Option<Command>),
}

enum Written {
    Bytes(usize),
    Flushed,
}

/// Writes what there is, or flushes what a TLS stream holds back. What was written is flushed at once if that needs no
/// waiting; else `needs_flush` says that it is still to be done.
async fn write_some<W: AsyncWrite + Unpin>(
    writer: &mut W,
    output: &mut BytesMut,
    needs_flush: &mut bool,
) -> std::io::Result<Written> {
    if output.is_empty() {
        writer.flush().await?;
        *needs_flush = false;
        return Ok(Written::Flushed);
    }
    let count = writer.write_buf(output).await?;
    *needs_flush = true;
    if count > 0
        && output.is_empty()
        && let Some(flushed) = writer.flush().now_or_never()
    {
        flushed?;
        *needs_flush = false;
    }
    Ok(Written::Bytes(count))
}

/// More than this is never waiting to be written: the bound on what we send, one message of the
/// largest size, and as much again for pongs.
const MAX_OUTPUT_BYTES: usize = limits::MAX_UNWRITTEN_BYTES + 2 * cocoon_protocol::limits::MAX_FRAME_BYTES;

fn protocol(reason: session::CloseReason) -> CloseReason {
    match reason {
        session::CloseReason::Silent => CloseReason::Silent,
        other => CloseReason::Protocol(other.to_string()),
    }
}

fn socket(error: std::io::Error) -> CloseReason {
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted => CloseReason::Remote,
        kind => CloseReason::Socket(kind),
    }
}
