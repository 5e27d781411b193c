//! A lite server over the local chain: the transport of real ones, blocks with proofs, and validators that are made up.
//!
//! A block is made when somebody asks for the newest one and the chain has moved. For development and tests: a server can be
//! told to lie, so that clients are seen to notice.

mod line;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_emulator::Emulator;
use cocoon_lite::adnl::ServerKey;
use cocoon_lite::blocks::{Blocks, Consensus};
use cocoon_lite::messages::{Answer, BlockId, Request, unwrap_question, wrap_answer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::LocalNetError;
use crate::api;
use crate::limits::{MAX_LITE_BLOCKS, MAX_LITE_CATCH_UP, MAX_LITE_WAIT, MAX_LITE_WAITS};
use crate::server::Shared;
use line::Line;

/// `tcp.ping`, which clients send to see whether anybody is there.
const PING: [u8; 4] = 0x4d08_2b9a_u32.to_le_bytes();

/// `tcp.pong`.
const PONG: [u8; 4] = 0xdc69_fb03_u32.to_le_bytes();

/// `adnl.message.query`: what every question begins with.
const QUESTION: [u8; 4] = 0xb48b_f97a_u32.to_le_bytes();

/// Code of a question that has waited in vain.
const TIMEOUT: i32 = 652;

/// Changes an answer before it leaves.
pub type Lie = Arc<dyn Fn(&Request, Answer) -> Answer + Send + Sync>;

/// How a lite server runs.
#[derive(Clone)]
pub struct LiteConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Seed of the server's key.
    pub seed: [u8; 32],
    /// Seeds of the validators' keys.
    pub validators: Vec<[u8; 32]>,
    /// Which messages they sign.
    pub consensus: Consensus,
    /// How it lies, if it does.
    pub lie: Option<Lie>,
}

impl LiteConfig {
    /// An honest server on a free local port, with four validators whose keys everybody knows.
    pub fn ephemeral() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: [1; 32],
            validators: (1..=4).map(|n| [n; 32]).collect(),
            consensus: Consensus::default(),
            lie: None,
        }
    }
}

impl fmt::Debug for LiteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiteConfig")
            .field("listen", &self.listen)
            .field("lies", &self.lie.is_some())
            .finish_non_exhaustive()
    }
}

/// A running lite server. Dropping it stops it.
#[derive(Debug)]
pub struct RunningLite {
    address: SocketAddr,
    key: [u8; 32],
    beginning: BlockId,
    server: Arc<Server>,
    task: JoinHandle<()>,
}

struct Server {
    shared: Shared,
    key: ServerKey,
    blocks: Mutex<Blocks>,
    lie: Option<Lie>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl RunningLite {
    pub(crate) async fn start(shared: Shared, config: LiteConfig) -> Result<Self, LocalNetError> {
        let failed = |source| LocalNetError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let validators = keys(&config.validators);
        let blocks = shared
            .node
            .read(|chain| Blocks::new(chain, validators, config.consensus))??;
        let beginning = blocks
            .beginning()
            .ok_or_else(|| LocalNetError::Server("there is no first state".to_owned()))?;
        let key = ServerKey::from_seed(&config.seed);
        let public = *key.public();
        let server = Arc::new(Server {
            shared,
            key,
            blocks: Mutex::new(blocks),
            lie: config.lie,
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&server)));
        Ok(Self {
            address,
            key: public,
            beginning,
            server,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers, without the way there.
    #[cfg(test)]
    pub(crate) async fn answer(&self, request: &Request) -> Answer {
        self.server.answer(request).await
    }

    /// What clients know it by.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The state that the chain began with, which clients trust.
    pub fn beginning(&self) -> BlockId {
        self.beginning
    }

    /// Hands over to other validators in a key block.
    pub fn rotate(&self, seeds: &[[u8; 32]]) -> Result<(), LocalNetError> {
        let next = keys(seeds);
        // The chain is locked first, and then the blocks: in the order of those who ask.
        Ok(self
            .server
            .shared
            .node
            .read(|chain| self.server.blocks().rotate(chain, next))??)
    }

    /// Makes a block of what the chain is now.
    pub(crate) fn append(&self) -> Result<(), LocalNetError> {
        Ok(self
            .server
            .shared
            .node
            .read(|chain| self.server.blocks().append(chain))??)
    }

    /// This server and its chain in the form of TON's global configuration. Clients begin at the last key block, or where the
    /// chain began if there is none.
    pub fn global_config(&self) -> Value {
        let state = shown(&self.beginning);
        let key_block = self.server.blocks().last_key_block_id().unwrap_or(self.beginning);
        let init_block = shown(&key_block);
        let ip = match self.address {
            SocketAddr::V4(address) => u32::from(*address.ip()).cast_signed(),
            SocketAddr::V6(_) => 0,
        };
        json!({
            "@type": "config.global",
            "liteservers": [{
                "ip": ip,
                "port": self.address.port(),
                "id": { "@type": "pub.ed25519", "key": STANDARD.encode(self.key) },
            }],
            "validator": { "@type": "validator.config.global", "zero_state": state, "init_block": init_block },
        })
    }
}

fn shown(id: &BlockId) -> Value {
    json!({
        "workchain": id.workchain,
        "shard": id.shard.cast_signed(),
        "seqno": id.seqno,
        "root_hash": STANDARD.encode(id.root_hash.as_array()),
        "file_hash": STANDARD.encode(id.file_hash.as_array()),
    })
}

impl Drop for RunningLite {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn keys(seeds: &[[u8; 32]]) -> Vec<ed25519_dalek::SigningKey> {
    seeds.iter().map(ed25519_dalek::SigningKey::from_bytes).collect()
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    // Connections end with the task that holds them.
    let mut open = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        while open.try_join_next().is_some() {}
        let server = Arc::clone(&server);
        open.spawn(async move {
            if let Err(error) = server.serve(stream).await {
                tracing::debug!(%error, "a lite client's connection ended");
            }
        });
    }
}

impl Server {
    async fn serve(self: Arc<Self>, stream: TcpStream) -> Result<(), std::io::Error> {
        let (line, mut read) = Line::open(stream, &self.key).await?;
        let line = Arc::new(line);
        // Whoever waits for a block goes on asking meanwhile. What waits ends with the connection.
        let mut waiting = JoinSet::new();
        loop {
            let payload = line.receive(&mut read).await?;
            let (id, request) = match unwrap_question(&payload) {
                Ok(question) => question,
                Err(error) => {
                    let reply = other_reply(&payload).ok_or(std::io::Error::other(error))?;
                    line.send(&reply).await?;
                    continue;
                }
            };
            while waiting.try_join_next().is_some() {}
            if matches!(request, Request::Wait { .. }) && waiting.len() < MAX_LITE_WAITS {
                let (server, line) = (Arc::clone(&self), Arc::clone(&line));
                waiting.spawn(async move { server.reply(&line, &id, &request).await });
            } else {
                self.reply(&line, &id, &request).await?;
            }
        }
    }

    async fn reply(&self, line: &Line, id: &[u8; 32], request: &Request) -> Result<(), std::io::Error> {
        let answer = self.answer(request).await;
        let answer = match &self.lie {
            Some(lie) => lie(request, answer),
            None => answer,
        };
        line.send(&wrap_answer(id, &answer)).await
    }

    async fn answer(&self, request: &Request) -> Answer {
        if let Request::Wait { seqno, timeout_ms, .. } = request
            && !self.reaches(*seqno, *timeout_ms).await
        {
            return Answer::Error {
                code: TIMEOUT,
                message: "timeout".to_owned(),
            };
        }
        let failed = |message: String| Answer::Error { code: 0, message };
        if let Request::SendMessage { body } = asked(request) {
            let params = json!({ "boc": STANDARD.encode(body) });
            let sent = self.shared.run(move |node| api::call(node, "sendBoc", &params)).await;
            return match sent {
                Ok(_) => Answer::Sent { status: 1 },
                Err(error) => failed(error.message),
            };
        }
        let read = self.shared.node.read(|chain| {
            let mut blocks = self.blocks();
            if matches!(asked(request), Request::MasterchainInfo) {
                catch_up(&mut blocks, chain)?;
            }
            blocks.answer(chain, request).map_err(|error| error.to_string())
        });
        match read {
            Ok(Ok(answer)) => answer,
            Ok(Err(message)) => failed(message),
            Err(error) => failed(error.to_string()),
        }
    }

    /// Waits until the masterchain has a block of a number; `false` if it is not there in time. While nothing happens a block
    /// is made at the end of that time, since the chain's time has gone on.
    async fn reaches(&self, seqno: u32, timeout_ms: u32) -> bool {
        // A little early, so that the client still listens.
        let patience = Duration::from_millis(u64::from(timeout_ms))
            .mul_f64(0.9)
            .min(MAX_LITE_WAIT);
        let mut changes = self.shared.node.changes();
        let end = tokio::time::sleep(patience);
        tokio::pin!(end);
        let mut is_over = false;
        loop {
            if self.has(seqno) {
                return true;
            }
            // At first too: what changed before anybody waited makes a block as well.
            let made = self.shared.node.read(|chain| catch_up(&mut self.blocks(), chain));
            if is_over || self.has(seqno) || !matches!(made, Ok(Ok(()))) {
                return self.has(seqno);
            }
            is_over = tokio::select! {
                changed = changes.changed() => changed.is_err(),
                () = &mut end => true,
            };
        }
    }

    fn has(&self, seqno: u32) -> bool {
        self.blocks().last().is_some_and(|last| last.id.seqno >= seqno)
    }

    fn blocks(&self) -> std::sync::MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The question behind one that waits.
fn asked(request: &Request) -> &Request {
    match request {
        Request::Wait { question, .. } => question,
        request => request,
    }
}

/// What a server says to that which is no question known here: an echo to a sign of life, and an error to any other question.
fn other_reply(payload: &[u8]) -> Option<Vec<u8>> {
    if let Some(number) = payload.strip_prefix(&PING)
        && number.len() == 8
    {
        return Some([&PONG[..], number].concat());
    }
    let id = payload.strip_prefix(&QUESTION)?.first_chunk::<32>()?;
    let refused = Answer::Error {
        code: 0,
        message: "this server does not know the question".to_owned(),
    };
    Some(wrap_answer(id, &refused))
}

/// Makes a block for each that the chain has made since the last one, up to [`MAX_LITE_CATCH_UP`], and one if only its time or
/// its state is another.
fn catch_up(blocks: &mut Blocks, chain: &Emulator) -> Result<(), String> {
    let lt = chain.all_transactions().last().map_or(0, |report| report.lt);
    let missing = match blocks.last() {
        Some(last) => {
            let is_same =
                last.id.seqno > 0 && (last.time, last.lt, last.chain_block) == (chain.now(), lt, chain.block());
            let made = chain.block().saturating_sub(last.chain_block);
            if is_same { 0 } else { made.clamp(1, MAX_LITE_CATCH_UP) }
        }
        None => 1,
    };
    for _ in 0..missing {
        if blocks.last().is_some_and(|last| last.id.seqno >= MAX_LITE_BLOCKS) {
            return Err(format!(
                "this lite server has made {MAX_LITE_BLOCKS} blocks and makes no more: start the chain anew"
            ));
        }
        blocks.append(chain).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_and_unknown_questions_are_answered() {
        let ping = [&PING[..], &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
        assert_eq!(
            other_reply(&ping).unwrap(),
            [&PONG[..], &[1, 2, 3, 4, 5, 6, 7, 8]].concat()
        );
        let question = [&QUESTION[..], &[7; 32], &[0; 8]].concat();
        assert!(unwrap_question(&question).is_err());
        let reply = other_reply(&question).unwrap();
        let answer = cocoon_lite::messages::unwrap_answer(&[7; 32], &reply).unwrap();
        assert!(matches!(answer, Some(Answer::Error { .. })), "{answer:?}");
        assert!(other_reply(b"GET / HTTP/1.1").is_none());
    }
}
