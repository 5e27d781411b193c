//! A deployed proxy-runner between one client and one worker.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use cocoon_ratls::{Acceptor, Connection};
use tokio::net::TcpListener;

use super::bridge::Passed;
use super::{Incoming, Known, Reader, Sender, Wire, Writer, no_payment};
use crate::{Failure, failed};

/// Who the proxy says that it is.
#[derive(Clone, Debug)]
pub struct ProxyKeys {
    /// Public key of its contract.
    pub public_key: [u8; 32],
    /// Owner of its contract.
    pub owner: String,
    /// Its contract.
    pub contract: String,
    /// The client's contract.
    pub client_contract: String,
    /// The worker's contract.
    pub worker_contract: String,
    /// SHA-256 of the client's secret.
    pub secret_hash: [u8; 32],
}

/// A proxy that serves.
pub struct DeployedProxy(Arc<State>);

pub(super) struct State {
    /// The newest version that it speaks.
    version: i32,
    keys: ProxyKeys,
    /// What a worker finds in its database: on chain, stored, all.
    totals: Mutex<Known>,
    worker: Mutex<Option<(Sender, i32)>>,
    client: Mutex<Option<(Sender, i32)>>,
    pub(super) seen: Mutex<Seen>,
    served_workers: AtomicUsize,
}

/// What its peers said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What would have ended the deployed process, and messages that it does not know.
    pub surprises: Vec<String>,
    /// What workers remembered, in order.
    pub claims: Vec<Known>,
    /// The last word of the worker on whether it takes work.
    pub disabled: Option<bool>,
    /// The worker's newest price.
    pub coefficient: Option<i32>,
}

impl DeployedProxy {
    /// Waits for a client and a worker. It speaks up to `version`; `totals` is what its database has of the worker.
    pub fn start(
        version: i32,
        keys: ProxyKeys,
        totals: Known,
        clients: (TcpListener, Acceptor),
        workers: (TcpListener, Acceptor),
    ) -> Self {
        let state = Arc::new(State {
            version,
            keys,
            totals: Mutex::new(totals),
            worker: Mutex::default(),
            client: Mutex::default(),
            seen: Mutex::default(),
            served_workers: AtomicUsize::new(0),
        });
        for ((listener, acceptor), is_client) in [(clients, true), (workers, false)] {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let Ok(connection) = acceptor.accept(tcp).await else {
                        continue;
                    };
                    tokio::spawn(connected(Arc::clone(&state), connection, is_client));
                }
            });
        }
        Self(state)
    }

    /// What its peers said so far.
    pub fn seen(&self) -> Seen {
        lock(&self.0.seen).clone()
    }

    /// Workers that came to serve so far.
    pub fn served_workers(&self) -> usize {
        self.0.served_workers.load(Ordering::SeqCst)
    }

    /// Whether both a client and a worker are there.
    pub fn is_complete(&self) -> bool {
        lock(&self.0.worker).is_some() && lock(&self.0.client).is_some()
    }

    /// Hangs up on the worker, as a crash does, and goes on with what the database has.
    pub async fn crash_to(&self, totals: Known) {
        *lock(&self.0.totals) = totals;
        let worker = lock(&self.0.worker).take();
        if let Some((worker, _)) = worker {
            worker.close().await;
        }
    }
}

async fn connected(state: Arc<State>, connection: Connection, is_client: bool) {
    let Ok(wire) = Wire::accept(connection.stream).await else {
        return;
    };
    let sender = wire.sender();
    let ended = if is_client {
        client(&state, wire).await
    } else {
        worker(&state, wire).await
    };
    if let Err(failure) = ended {
        lock(&state.seen).surprises.push(failure.to_string());
    }
    sender.close().await;
}

/// Refuses a question and hangs up.
async fn refuse(sender: &Sender, id: i64, code: i32, text: &str) -> Result<(), Failure> {
    sender.refuse(id, code, text).await
}

fn params(state: &State, version: i32) -> Vec<u8> {
    let start = Writer::default()
        .int(if version > 0 { 3 } else { 1 })
        .raw(&state.keys.public_key)
        .bytes(state.keys.owner.as_bytes())
        .bytes(state.keys.contract.as_bytes())
        .boolean(true);
    if version > 0 { start.int(version) } else { start }.done()
}

/// The newest version of both; absent numbers mean version 0.
fn chosen(state: &State, flags: i32, reader: &mut Reader<'_>) -> Result<i32, Failure> {
    if flags & 2 == 0 {
        return Ok(0);
    }
    let (_oldest, newest) = (reader.int()?, reader.int()?);
    Ok(newest.min(state.version))
}

async fn client(state: &Arc<State>, mut wire: Wire) -> Result<(), Failure> {
    let sender = wire.sender();
    let mut version = 0;
    while let Ok(Some(incoming)) = wire.next().await {
        let (id, data) = match incoming {
            Incoming::Query(id, data) => (id, data),
            Incoming::Packet(data) => {
                request(state, &sender, version, &data).await?;
                continue;
            }
        };
        let mut reader = Reader::new(&data);
        match reader.id()? {
            0xff5f_a0f4 => {
                let (flags, _wallet) = (reader.int()?, reader.text()?);
                let is_test = flags & 1 != 0 && reader.boolean()?;
                version = chosen(state, flags, &mut reader)?;
                let _config = reader.int()?;
                reader.end()?;
                if !is_test {
                    return refuse(&sender, id, 602, "test mode mismatch").await;
                }
                let answer = Writer::of(0x9531_7ad1)
                    .raw(&params(state, version))
                    .bytes(state.keys.client_contract.as_bytes())
                    .raw(&0xd6ff_c5af_u32.to_le_bytes())
                    .raw(&state.keys.secret_hash)
                    .long(0);
                sender.answer(id, no_payment(answer)).await?;
            }
            0x6c27_6723 => {
                let _secret = reader.bytes()?;
                reader.end()?;
                let answer = no_payment(Writer::of(0x75d5_ac34)).long(0).long(0);
                sender.answer(id, answer).await?;
                *lock(&state.client) = Some((sender.clone(), version));
            }
            0x9ed1_c697 => {
                let answer = no_payment(Writer::of(0xaa8a_0ecc)).long(0).long(0);
                sender.answer(id, answer).await?;
            }
            0xb213_3d72 if version > 0 => {
                let list = Writer::of(0x0cf0_dc67).int(1).bytes(b"tiny");
                sender.answer(id, list.int(1).int(0).int(1000).int(0).int(60)).await?;
            }
            // The largest coefficient is always that of nobody.
            0x7f06_2bdb => {
                let list = Writer::of(0xf64e_0e01).int(1).bytes(b"tiny");
                sender.answer(id, list.int(1).int(1000).int(1000).int(i32::MAX)).await?;
            }
            unknown => {
                lock(&state.seen).surprises.push(format!("question {unknown:08x}"));
                sender.refuse(id, 0, "Lost promise").await?;
            }
        }
    }
    Ok(())
}

/// Gives a request to the worker; what goes wrong here is told by the old message, whatever the version.
async fn request(state: &State, sender: &Sender, version: i32, data: &[u8]) -> Result<(), Failure> {
    let mut reader = Reader::new(data);
    match (reader.id()?, version) {
        (0xf54c_b74b, 1..) | (0xbc74_8f32, 0) => {}
        (unknown, _) => {
            lock(&state.seen)
                .surprises
                .push(format!("packet {unknown:08x} of the client"));
            return Ok(());
        }
    }
    let (model, query) = (reader.text()?, reader.bytes()?.to_vec());
    let (_coefficient, _tokens, timeout) = (reader.int()?, reader.int()?, reader.double()?);
    let id: [u8; 32] = reader.array()?;
    let _config = reader.int()?;
    if version > 0 && reader.int()? & 1 != 0 {
        reader.boolean()?;
    }
    reader.end()?;
    let error = |code: i32, text: String| {
        Writer::of(0x6d60_569a)
            .int(code)
            .bytes(text.as_bytes())
            .raw(&id)
            .longs(&[0; 5])
    };
    if model.starts_with("nope") {
        return sender.packet(error(621, format!("unknown model {model}"))).await;
    }
    let worker = lock(&state.worker).clone();
    let Some((worker, version)) = worker else {
        let text = format!("no ready workers for model {model}");
        return sender.packet(error(651, text)).await;
    };
    let work = Writer::of(if version > 0 { 0xc805_e7e2 } else { 0x4718_2416 }).bytes(&query);
    let work = no_payment(work).long(1000).double(timeout * 0.95).raw(&id);
    let work = if version > 0 { work.int(1).boolean(false) } else { work };
    worker.packet(work).await
}

async fn worker(state: &Arc<State>, mut wire: Wire) -> Result<(), Failure> {
    let sender = wire.sender();
    let (mut version, mut is_stuck) = (0, false);
    while let Ok(Some(incoming)) = wire.next().await {
        let (id, data) = match incoming {
            Incoming::Query(id, data) => (id, data),
            Incoming::Packet(data) => {
                answer(state, &sender, version, &data).await?;
                continue;
            }
        };
        let mut reader = Reader::new(&data);
        let totals = *lock(&state.totals);
        match reader.id()? {
            0xcc48_4c5d => {
                let flags = reader.int()?;
                let (_owner, _model, _coefficient) = (reader.text()?, reader.text()?, reader.int()?);
                if flags & 1 != 0 {
                    let _capacity = (reader.boolean()?, reader.int()?, reader.int()?);
                }
                version = chosen(state, flags, &mut reader)?;
                reader.end()?;
                let answer = Writer::of(0x66bc_82ee)
                    .raw(&params(state, version))
                    .bytes(state.keys.worker_contract.as_bytes());
                sender.answer(id, answer).await?;
            }
            0xdb38_6501 => {
                let claim = [reader.long()?, reader.long()?, reader.long()?];
                reader.end()?;
                lock(&state.seen).claims.push(claim);
                if claim[0] > totals[0] || claim[1] > totals[1] {
                    return Err(Failure::new("a deployed proxy is aborted by these totals"));
                }
                is_stuck = claim[2] > totals[2];
                let answer = no_payment(Writer::of(0x9054_c411)).longs(&totals[1..]);
                sender.answer(id, answer.int(i32::from(is_stuck))).await?;
            }
            0xf8dd_9914 if is_stuck => {
                let _ = (reader.long()?, reader.bytes()?);
                reader.end()?;
                sender.answer(id, Writer::of(0x0c10_973e).int(0)).await?;
            }
            // It never leaves the state in which it waits for more totals.
            0xf843_b066 if is_stuck => return refuse(&sender, id, 0, "Wrong constructor found at 4").await,
            0xf843_b066 => {
                lock(&state.seen).disabled = Some(reader.boolean()?);
                reader.end()?;
                sender.answer(id, Writer::of(0x3ad9_b886)).await?;
                *lock(&state.worker) = Some((sender.clone(), version));
                state.served_workers.fetch_add(1, Ordering::SeqCst);
            }
            0xdc70_a524 => {
                let answer = no_payment(Writer::of(0xa88b_d701)).longs(&totals[1..]);
                sender.answer(id, answer).await?;
            }
            unknown => {
                lock(&state.seen)
                    .surprises
                    .push(format!("question {unknown:08x} of the worker"));
                return refuse(&sender, id, 0, "Wrong constructor").await;
            }
        }
    }
    Ok(())
}

/// Passes a message of the worker on, in the client's version, and tells both what it cost.
async fn answer(state: &State, worker: &Sender, version: i32, data: &[u8]) -> Result<(), Failure> {
    let mut reader = Reader::new(data);
    let id = reader.id()?;
    let Some(passed) = Passed::read(id, version, &mut reader)? else {
        match id {
            0xb3b7_1039 => lock(&state.seen).disabled = Some(reader.int()? != 0),
            0x6af0_92b0 => lock(&state.seen).coefficient = Some(reader.int()?),
            unknown => {
                lock(&state.seen)
                    .surprises
                    .push(format!("packet {unknown:08x} of the worker"));
                return Ok(());
            }
        }
        return reader.end();
    };
    reader.end()?;
    let client = lock(&state.client).clone();
    let Some((client, version)) = client else {
        return Ok(());
    };
    client.packet(passed.for_client(version)).await?;
    let Some(tokens) = passed.tokens else { return Ok(()) };
    let all = {
        let mut totals = lock(&state.totals);
        totals[2] += tokens[4];
        [totals[1], totals[2], tokens[4]]
    };
    let price = no_payment(Writer::of(0xc6bc_f127).raw(&passed.id)).longs(&all);
    client.packet(price).await?;
    // The deployed proxy tells the worker who pays.
    let earned = no_payment(Writer::of(0x1436_c0d5).raw(&passed.id)).longs(&all);
    worker.packet(earned.bytes(b"UQCdj43b")).await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener where the root contract says that the proxy is.
pub async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(failed("listening"))
}
