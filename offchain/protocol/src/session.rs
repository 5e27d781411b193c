//! The session layer as a pure state machine: bytes and time in, events and bytes out.
//!
//! The dialing side says `tcp.connect` first and is answered; then both send packets, queries and their answers. The
//! dialer pings a silent peer once and gives up later; the acceptor only gives up.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::codec::DecodeError;
use crate::frame::{FrameDecoder, FrameEncoder, FrameError};
use crate::limits::{ACCEPTOR_SILENCE, DIALER_PING_AFTER, DIALER_SILENCE, MAX_ERROR_TEXT};
use crate::tcp::{self, Message};

/// What a session tells its owner.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// Both sides have spoken; sending is allowed from now on.
    Connected,
    /// A one-way message.
    Packet(Bytes),
    /// A question; answer it with this id.
    Query {
        /// The asker's id.
        id: i64,
        /// A boxed object.
        data: Bytes,
    },
    /// The answer to our question.
    Answer {
        /// Our id.
        id: i64,
        /// A boxed object.
        data: Bytes,
    },
    /// The refusal of our question.
    QueryError {
        /// Our id.
        id: i64,
        /// See [`crate::error_code::ErrorCode`].
        code: i32,
        /// Free text.
        message: String,
    },
}

/// Why a session ended. It ends once and stays ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// Frames were malformed.
    #[error("the peer broke the framing: {0}")]
    Frame(#[from] FrameError),
    /// An object was malformed.
    #[error("the peer sent a malformed session message: {0}")]
    Malformed(#[from] DecodeError),
    /// An object came at the wrong time.
    #[error("the peer sent a session message at the wrong time")]
    OutOfOrder,
    /// Nothing came for too long.
    #[error("the peer was silent for too long")]
    Silent,
}

/// Why something was not sent. The session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The peer has not answered the first frame yet.
    #[error("the session is not connected yet")]
    NotConnected,
    /// The session has ended.
    #[error("the session has ended")]
    Closed,
    /// The object does not fit a frame.
    #[error("a message of {0} bytes does not fit a frame")]
    TooLarge(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Dialer,
    Acceptor,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Closed(CloseReason),
}

/// One side of one connection.
#[derive(Debug)]
pub struct Session {
    role: Role,
    state: State,
    encoder: FrameEncoder,
    decoder: FrameDecoder,
    events: VecDeque<Event>,
    output: BytesMut,
    last_received: Instant,
    pinged: bool,
    ping_id: i64,
}

impl Session {
    /// The side that opened the connection; `id` is random. Its first frame is ready in the output.
    pub fn dial(id: i64, now: Instant) -> Self {
        let mut session = Self::new(Role::Dialer, id, now);
        // The only refusal is for size, and this object has twelve bytes.
        let _ = session.put(&Message::Connect(tcp::Connect { id }));
        session
    }

    /// The side that accepted the connection.
    pub fn accept(now: Instant) -> Self {
        Self::new(Role::Acceptor, 0, now)
    }

    fn new(role: Role, ping_id: i64, now: Instant) -> Self {
        Self {
            role,
            state: State::Opening,
            encoder: FrameEncoder::default(),
            decoder: FrameDecoder::default(),
            events: VecDeque::new(),
            output: BytesMut::new(),
            last_received: now,
            pinged: false,
            ping_id,
        }
    }

    /// Takes received bytes. After an error the session is over; events before it are still there.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), CloseReason> {
        self.alive()?;
        self.decoder.push(bytes);
        loop {
            match self.decoder.next_frame() {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => {
                    self.last_received = now;
                    self.pinged = false;
                    if let Err(reason) = self.take(&frame) {
                        return self.close(reason);
                    }
                }
                Err(e) => return self.close(e.into()),
            }
        }
    }

    /// Acts on the passing of time: a ping, or the end.
    pub fn tick(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.alive()?;
        let silence = now.saturating_duration_since(self.last_received);
        let allowed = match self.role {
            Role::Dialer => DIALER_SILENCE,
            Role::Acceptor => ACCEPTOR_SILENCE,
        };
        if silence >= allowed {
            return self.close(CloseReason::Silent);
        }
        if self.ping_is_due() && silence >= DIALER_PING_AFTER {
            self.pinged = true;
            self.ping_id = self.ping_id.wrapping_add(1);
            let _ = self.put(&Message::Ping(tcp::Ping { id: self.ping_id }));
        }
        Ok(())
    }

    /// When [`Session::tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        if matches!(self.state, State::Closed(_)) {
            return None;
        }
        let after = match self.role {
            Role::Dialer if self.ping_is_due() => DIALER_PING_AFTER,
            Role::Dialer => DIALER_SILENCE,
            Role::Acceptor => ACCEPTOR_SILENCE,
        };
        Some(self.last_received + after)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to write, all that there are.
    pub fn take_output(&mut self) -> Option<Bytes> {
        if self.output.is_empty() {
            None
        } else {
            Some(self.output.split().freeze())
        }
    }

    /// Sends a one-way message.
    pub fn send_packet(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.send(Message::Packet(tcp::Packet { data }), data.len())
    }

    /// Sends a question; `id` is unique among our pending ones.
    pub fn send_query(&mut self, id: i64, data: &[u8]) -> Result<(), SendError> {
        self.send(Message::Query(tcp::Query { id, data }), data.len())
    }

    /// Answers a question.
    pub fn send_answer(&mut self, id: i64, data: &[u8]) -> Result<(), SendError> {
        self.send(Message::QueryAnswer(tcp::QueryAnswer { id, data }), data.len())
    }

    /// Refuses a question. A long text is cut.
    pub fn send_query_error(&mut self, id: i64, code: i32, message: &str) -> Result<(), SendError> {
        let message = &message.as_bytes()[..message.floor_char_boundary(MAX_ERROR_TEXT)];
        self.send(
            Message::QueryError(tcp::QueryError { id, code, message }),
            message.len(),
        )
    }

    /// Both sides have spoken and nothing has gone wrong.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn take(&mut self, frame: &Bytes) -> Result<(), CloseReason> {
        let message = Message::decode(frame)?;
        if self.state == State::Opening {
            match (self.role, message) {
                (Role::Dialer, Message::Connected(_)) => {}
                (Role::Acceptor, Message::Connect(tcp::Connect { id })) => {
                    let _ = self.put(&Message::Connected(tcp::Connected { id }));
                }
                _ => return Err(CloseReason::OutOfOrder),
            }
            self.state = State::Open;
            self.events.push_back(Event::Connected);
            return Ok(());
        }
        let event = match message {
            Message::Connect(_) | Message::Connected(_) => return Err(CloseReason::OutOfOrder),
            Message::Packet(m) => Event::Packet(frame.slice_ref(m.data)),
            Message::Query(m) => Event::Query {
                id: m.id,
                data: frame.slice_ref(m.data),
            },
            Message::QueryAnswer(m) => Event::Answer {
                id: m.id,
                data: frame.slice_ref(m.data),
            },
            Message::QueryError(m) => Event::QueryError {
                id: m.id,
                code: m.code,
                message: readable(m.message),
            },
            Message::Ping(m) => {
                let _ = self.put(&Message::Pong(tcp::Pong { id: m.id }));
                return Ok(());
            }
            Message::Pong(_) => return Ok(()),
        };
        self.events.push_back(event);
        Ok(())
    }

    fn send(&mut self, message: Message<'_>, data_len: usize) -> Result<(), SendError> {
        match self.state {
            State::Opening => return Err(SendError::NotConnected),
            State::Closed(_) => return Err(SendError::Closed),
            State::Open => {}
        }
        if data_len > crate::limits::MAX_BYTES_FIELD {
            return Err(SendError::TooLarge(data_len));
        }
        self.put(&message).map_err(|_| SendError::TooLarge(data_len))
    }

    fn put(&mut self, message: &Message<'_>) -> Result<(), FrameError> {
        self.encoder.encode(&message.encode(), &mut self.output)
    }

    fn ping_is_due(&self) -> bool {
        self.role == Role::Dialer && self.state == State::Open && !self.pinged
    }

    fn alive(&self) -> Result<(), CloseReason> {
        match &self.state {
            State::Closed(reason) => Err(reason.clone()),
            _ => Ok(()),
        }
    }

    fn close(&mut self, reason: CloseReason) -> Result<(), CloseReason> {
        self.state = State::Closed(reason.clone());
        Err(reason)
    }
}

fn readable(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(MAX_ERROR_TEXT)]).into_owned()
}

/// Shows sizes only.
impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connected => f.write_str("Connected"),
            Self::Packet(data) => write!(f, "Packet({} bytes)", data.len()),
            Self::Query { id, data } => write!(f, "Query({id}, {} bytes)", data.len()),
            Self::Answer { id, data } => write!(f, "Answer({id}, {} bytes)", data.len()),
            Self::QueryError { id, code, message } => write!(f, "QueryError({id}, {code} {message})"),
        }
    }
}
