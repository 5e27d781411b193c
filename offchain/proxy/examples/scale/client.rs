//! A client: a connection that asks one question after the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::client::RunQueryEx;
use cocoon_protocol::codec::encode;
use cocoon_protocol::handshake::{ClientConnecting, ClientOffer};
use cocoon_protocol::http::Request;
use cocoon_protocol::message::ProxyToClient;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::Connector;
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle, prove_session};
use tokio::sync::mpsc;

use crate::Result;
use crate::chain::MODEL;
use crate::peers::Proving;

pub(crate) const SECRET: &[u8] = b"client secret";

pub(crate) struct Client {
    link: LinkHandle,
    /// Answers that ended, by request; true when it is a good one.
    ended: mpsc::Receiver<([u8; 32], bool)>,
    asked: u64,
}

impl Client {
    pub(crate) async fn connect(connector: &Connector, to: SocketAddr, owner: Address) -> Result<Self> {
        let connection = connector.connect(to).await?;
        let (link, events) = Link::dial(connection.stream, LinkConfig::default()).await?;
        let ask = async |question: Bytes| link.query(question, Duration::from_secs(60)).await;
        let (state, question) = ClientConnecting::start(ClientOffer {
            owner_address: friendly(&owner, false, true),
            is_test: true,
            min_config_version: 1,
            versions: VersionRange::OFFERED.with_session_proof(),
        });
        let step = state.connected(&ask(question).await?)?;
        let state = prove_session::<_, Proving>(&link, step, connection.session.as_ref(), Role::Client).await?;
        let (state, question) = state.authorize(SECRET);
        if state.register_nonce.is_some() {
            return Err("the proxy does not know the client's contract".into());
        }
        state.finished(&ask(question).await?)?;
        let (tell, ended) = mpsc::channel(16);
        tokio::spawn(listen(events, tell));
        Ok(Self { link, ended, asked: 0 })
    }

    /// Asks and waits for the end of the answer.
    pub(crate) async fn ask(&mut self, query: &Bytes) -> Result<Duration> {
        self.asked += 1;
        let mut id = [0; 32];
        id[..8].copy_from_slice(&self.asked.to_be_bytes());
        let question = RunQueryEx {
            model_name: MODEL.into(),
            query: query.clone(),
            max_coefficient: 4000,
            max_tokens: 1000,
            timeout: 60.0,
            request_id: id,
            min_config_version: 1,
            flags: (),
            enable_debug: Some(false),
        };
        let started = Instant::now();
        self.link.send_packet(encode(&question)).await?;
        loop {
            match tokio::time::timeout(Duration::from_secs(60), self.ended.recv()).await? {
                Some((ended, is_good)) if ended == id => {
                    return if is_good {
                        Ok(started.elapsed())
                    } else {
                        Err("the request failed".into())
                    };
                }
                Some(_) => {}
                None => return Err("the connection ended".into()),
            }
        }
    }
}

/// A request as a client passes it on.
pub(crate) fn request() -> Bytes {
    Request::post_json("/v1/chat/completions", Bytes::from_static(b"{}")).encode()
}

async fn listen(mut events: mpsc::Receiver<LinkEvent>, tell: mpsc::Sender<([u8; 32], bool)>) {
    while let Some(event) = events.recv().await {
        let LinkEvent::Packet(data) = event else { return };
        let Ok(message) = ProxyToClient::decode(&data) else {
            return;
        };
        let Ok(answer) = Answer::from_proxy(message) else {
            continue;
        };
        if answer.is_last() {
            let is_good = !matches!(answer.body, AnswerBody::Error { .. });
            if tell.send((answer.request_id, is_good)).await.is_err() {
                return;
            }
        }
    }
}
