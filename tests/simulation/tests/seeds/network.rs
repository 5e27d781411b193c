//! Connections as queues of bytes with a due time. They are delayed, held while hosts are parted, cut in the middle of what
//! was written, and die with a host: at once, or silently until it is back.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use cocoon_ratls::{Listen, Listener, Network, Wire};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::host::{Life, Time};

/// Bytes under way in one direction before a writer waits, like the buffers of two systems.
const WINDOW: usize = 256 << 10;
/// Where users are: on the client's machine, so that no wire between them breaks.
pub(crate) const USERS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
/// How long dialing rests before it looks again whether the other host can be reached.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// All hosts and what is between them.
#[derive(Clone, Debug)]
pub(crate) struct Net(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: StdRng,
    time: Arc<Time>,
    ports: BTreeMap<SocketAddr, Port>,
    connections: BTreeMap<u64, Connection>,
    next: u64,
    /// Milliseconds that everything from or to a host takes longer.
    slow: BTreeMap<IpAddr, u64>,
    /// Hosts whose bytes are held.
    parted: Vec<IpAddr>,
    /// Hosts that are gone without a word.
    silent: Vec<IpAddr>,
    /// One write in so many is cut in its middle, and the connection with it; 0: none.
    cuts: u32,
    /// Whether users hear nothing.
    forgets_users: bool,
    /// Connections made by each host so far.
    dials: BTreeMap<IpAddr, u32>,
}

#[derive(Debug)]
struct Port {
    life: Arc<Life>,
    waiting: VecDeque<(Wire, SocketAddr)>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Connection {
    ends: [IpAddr; 2],
    /// By who writes.
    ways: [Way; 2],
    open: [bool; 2],
    is_reset: bool,
}

#[derive(Debug, Default)]
struct Way {
    pieces: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    due: u64,
    end: Option<u64>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Connection {
    fn reset(&mut self) {
        self.is_reset = true;
        self.wake();
    }

    fn wake(&mut self) {
        for way in &mut self.ways {
            way.reader.take().into_iter().for_each(Waker::wake);
            way.writer.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// Whether nothing between the two can break: they are on one machine.
fn is_near(ends: [IpAddr; 2]) -> bool {
    ends[0] == ends[1] || ends.contains(&USERS)
}

impl State {
    fn is_held(&self, ends: [IpAddr; 2]) -> bool {
        let [a, b] = ends;
        let gone = |ip| self.silent.contains(&ip);
        !is_near(ends) && (self.parted.contains(&a) || self.parted.contains(&b) || gone(a) || gone(b))
    }

    fn latency(&mut self, ends: [IpAddr; 2]) -> u64 {
        if ends[0] == ends[1] {
            return 0;
        }
        let touched = if is_near(ends) { &[][..] } else { &ends[..] };
        let slow: u64 = touched.iter().filter_map(|ip| self.slow.get(ip)).sum();
        self.rng.random_range(1..15) + slow
    }
}

impl Net {
    pub(crate) fn new(seed: u64, time: Arc<Time>) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: StdRng::seed_from_u64(seed),
            time,
            ports: BTreeMap::new(),
            connections: BTreeMap::new(),
            next: 0,
            slow: BTreeMap::new(),
            parted: Vec::new(),
            silent: Vec::new(),
            cuts: 0,
            forgets_users: false,
            dials: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for bytes that have come due.
    pub(crate) fn deliver(&self) {
        let state = &mut *self.lock();
        let now = state.time.ms();
        let (parted, silent) = (&state.parted, &state.silent);
        for connection in state.connections.values_mut() {
            let [a, b] = connection.ends;
            let is_held = |ip: &IpAddr| parted.contains(ip) || silent.contains(ip);
            if !is_near([a, b]) && (is_held(&a) || is_held(&b)) {
                continue;
            }
            for way in &mut connection.ways {
                let due = way.pieces.front().map(|(due, _)| *due).or(way.end);
                if due.is_some_and(|due| due <= now) {
                    way.reader.take().into_iter().for_each(Waker::wake);
                }
            }
        }
    }

    pub(crate) fn slow(&self, ip: IpAddr, ms: u64) {
        self.lock().slow.insert(ip, ms);
    }

    pub(crate) fn part(&self, ip: IpAddr) {
        self.lock().parted.push(ip);
    }

    pub(crate) fn join(&self, ip: IpAddr) {
        self.lock().parted.retain(|parted| *parted != ip);
    }

    /// Connections that a host made so far, to itself not counted.
    pub(crate) fn dials(&self, ip: IpAddr) -> u32 {
        self.lock().dials.get(&ip).copied().unwrap_or(0)
    }

    pub(crate) fn forget_users(&self) {
        self.lock().forgets_users = true;
    }

    pub(crate) fn set_cuts(&self, one_in: u32) {
        self.lock().cuts = one_in;
    }

    /// Cuts the connections of a host.
    pub(crate) fn cut(&self, ip: IpAddr) {
        let mut state = self.lock();
        let touched = state.connections.values_mut();
        touched.filter(|c| c.ends.contains(&ip)).for_each(Connection::reset);
    }

    /// A host dies. Silently: nobody hears of it until it is back.
    pub(crate) fn die(&self, ip: IpAddr, silently: bool) {
        let dropped: Vec<Port> = {
            let mut state = self.lock();
            if silently {
                state.silent.push(ip);
            }
            let ports: Vec<SocketAddr> = state.ports.keys().filter(|port| port.ip() == ip).copied().collect();
            ports.iter().filter_map(|port| state.ports.remove(port)).collect()
        };
        drop(dropped);
        if !silently {
            self.cut(ip);
        }
    }

    /// A host is back: what it had before is reset.
    pub(crate) fn back(&self, ip: IpAddr) {
        self.lock().silent.retain(|silent| *silent != ip);
        self.cut(ip);
    }

    /// The network as a node sees it in one life.
    pub(crate) fn of(&self, life: &Arc<Life>) -> Arc<dyn Network> {
        Arc::new(OfLife {
            net: self.clone(),
            life: Arc::clone(life),
        })
    }

    fn close(&self, number: u64, side: usize) {
        let state = &mut *self.lock();
        let now = state.time.ms();
        let Some(connection) = state.connections.get_mut(&number) else {
            return;
        };
        connection.open[side] = false;
        let way = &mut connection.ways[side];
        way.end.get_or_insert(way.due.max(now));
        // What the other one writes from now on goes nowhere.
        connection.ways[1 - side]
            .writer
            .take()
            .into_iter()
            .for_each(Waker::wake);
        if connection.open == [false, false] {
            state.connections.remove(&number);
        }
    }
}

#[derive(Debug)]
struct OfLife {
    net: Net,
    life: Arc<Life>,
}

#[async_trait]
impl Network for OfLife {
    async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        self.life.act("listen")?;
        let mut state = self.net.lock();
        if state.ports.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let port = Port {
            life: Arc::clone(&self.life),
            waiting: VecDeque::new(),
            waker: None,
        };
        state.ports.insert(address, port);
        Ok(Box::new(OpenPort {
            net: self.net.clone(),
            address,
        }))
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Wire> {
        let ends = [self.life.ip, address.ip()];
        let latency = self.net.lock().latency(ends);
        tokio::time::sleep(Duration::from_millis(latency)).await;
        // Without an answer the system tries again and again.
        while self.net.lock().is_held(ends) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.life.act("dial")?;
        let state = &mut *self.net.lock();
        let Some(port) = state.ports.get_mut(&address) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let number = state.next;
        state.next += 1;
        if ends[0] != ends[1] {
            *state.dials.entry(ends[0]).or_default() += 1;
        }
        let connection = Connection {
            ends,
            ways: Default::default(),
            open: [true, true],
            is_reset: false,
        };
        state.connections.insert(number, connection);
        let from = SocketAddr::new(self.life.ip, 40_000 + u16::try_from(number % 20_000).unwrap());
        let end = |side, life: &Arc<Life>| {
            Box::new(End {
                net: self.net.clone(),
                life: Arc::clone(life),
                number,
                side,
            })
        };
        port.waiting.push_back((Wire::other(end(1, &port.life), from), from));
        port.waker.take().into_iter().for_each(Waker::wake);
        Ok(Wire::other(end(0, &self.life), address))
    }
}

#[derive(Debug)]
struct OpenPort {
    net: Net,
    address: SocketAddr,
}

#[async_trait]
impl Listen for OpenPort {
    async fn accept(&mut self) -> io::Result<(Wire, SocketAddr)> {
        std::future::poll_fn(|cx| {
            let mut state = self.net.lock();
            let Some(port) = state.ports.get_mut(&self.address) else {
                return Poll::Pending;
            };
            match port.waiting.pop_front() {
                Some(waiting) => Poll::Ready(Ok(waiting)),
                None => {
                    port.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        let port = self.net.lock().ports.remove(&self.address);
        drop(port);
    }
}

/// One end of a connection.
#[derive(Debug)]
struct End {
    net: Net,
    life: Arc<Life>,
    number: u64,
    side: usize,
}

impl Drop for End {
    fn drop(&mut self) {
        self.net.close(self.number, self.side);
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.net.lock();
        let now = state.time.ms();
        let Some(ends) = state.connections.get(&self.number).map(|c| c.ends) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if state.forgets_users && ends[self.side] == USERS {
            return Poll::Pending;
        }
        let is_held = state.is_held(ends);
        let connection = state.connections.get_mut(&self.number).unwrap();
        if connection.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut connection.ways[1 - self.side];
        let mut read = 0;
        while let Some((due, piece)) = way.pieces.front_mut()
            && *due <= now
            && !is_held
            && buf.remaining() > 0
        {
            let length = piece.len().min(buf.remaining());
            buf.put_slice(&piece[..length]);
            piece.drain(..length);
            read += length;
            if piece.is_empty() {
                way.pieces.pop_front();
            }
        }
        if read > 0 {
            way.bytes -= read;
            way.writer.take().into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(()));
        }
        let is_over = way.pieces.is_empty() && way.end.is_some_and(|end| end <= now);
        if is_over && !is_held {
            return Poll::Ready(Ok(()));
        }
        way.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.life.act("send")?;
        let state = &mut *self.net.lock();
        let now = state.time.ms();
        let broken = || Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        let Some(ends) = state.connections.get(&self.number).map(|c| c.ends) else {
            return broken();
        };
        let latency = state.latency(ends);
        let is_cut = !is_near(ends) && state.cuts > 0 && state.rng.random_range(0..state.cuts) == 0;
        let kept = if is_cut {
            state.rng.random_range(0..=bytes.len())
        } else {
            bytes.len()
        };
        let connection = state.connections.get_mut(&self.number).unwrap();
        if connection.is_reset || !connection.open[1 - self.side] {
            return broken();
        }
        let way = &mut connection.ways[self.side];
        if way.bytes >= WINDOW {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.due = way.due.max(now + latency);
        way.bytes += kept;
        way.pieces.push_back((way.due, bytes[..kept].to_vec()));
        if latency == 0 {
            way.reader.take().into_iter().for_each(Waker::wake);
        }
        if is_cut {
            // The other end reads what came before; this one hears at its next write.
            way.end = Some(way.due);
            connection.open[1 - self.side] = false;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.net.lock();
        let now = state.time.ms();
        if let Some(connection) = state.connections.get_mut(&self.number) {
            let way = &mut connection.ways[self.side];
            way.end.get_or_insert(way.due.max(now));
            if connection.ends[0] == connection.ends[1] {
                way.reader.take().into_iter().for_each(Waker::wake);
            }
        }
        Poll::Ready(Ok(()))
    }
}
