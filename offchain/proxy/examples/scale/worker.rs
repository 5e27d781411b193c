//! A worker: answers every request at once, reports, and signs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{ReceiptSignature, TokenCounts, WorkReport};
use cocoon_protocol::handshake::{WorkerBalances, WorkerConnecting, WorkerOffer};
use cocoon_protocol::http::Response;
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker, WorkerPacket};
use cocoon_protocol::proxy::TokensUsed;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::{Version, VersionRange};
use cocoon_ratls::{Connector, Identity};
use cocoon_receipt::{WorkStatement, salted_hash};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle, prove_session};
use tokio::sync::mpsc;

use crate::Result;
use crate::chain::MODEL;
use crate::peers::Proving;

const ANSWER: &[u8] = &[b'a'; 420];

/// Connects, and serves on a task of its own until the connection ends.
pub(crate) async fn connect(connector: &Connector, to: SocketAddr, owner: Address) -> Result<()> {
    let connection = connector.connect(to).await?;
    let identity = Arc::clone(&connection.identity);
    let (link, events) = Link::dial(connection.stream, LinkConfig::default()).await?;
    let ask = async |question: Bytes| link.query(question, Duration::from_secs(60)).await;
    let (state, question) = WorkerConnecting::start(WorkerOffer {
        owner_address: friendly(&owner, false, true),
        model: MODEL.into(),
        coefficient: 1000,
        is_test: true,
        proxy_cnt: 1,
        max_active_requests: 4,
        versions: VersionRange::OFFERED.with_session_proof(),
    });
    let step = state.connected(&ask(question).await?)?;
    let state = prove_session::<_, Proving>(&link, step, connection.session.as_ref(), Role::Worker).await?;
    let version = state.proxy.version;
    let (state, question) = state.compare(WorkerBalances::default());
    let state = match state.compared(&ask(question).await?)? {
        Ok(state) => state,
        Err((state, question)) => state.extended(&ask(question).await?)?,
    };
    let (state, question) = state.complete(false);
    state.completed(&ask(question).await?)?;
    tokio::spawn(serve(link, events, version, identity));
    Ok(())
}

async fn serve(link: LinkHandle, mut events: mpsc::Receiver<LinkEvent>, version: Version, identity: Arc<Identity>) {
    while let Some(event) = events.recv().await {
        let done = match event {
            LinkEvent::Packet(data) => match ProxyToWorker::decode(&data) {
                Ok(ProxyToWorker::RunFor(query)) => answer(&link, version, query.request_id, &query.query).await,
                Ok(ProxyToWorker::RunQueryEx(query)) => answer(&link, version, query.request_id, &query.query).await,
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            },
            LinkEvent::Query { id, data } => sign(&link, id, &data, &identity).await,
            LinkEvent::Closed(_) => return,
        };
        if let Err(error) = done {
            eprintln!("a worker ends: {error}");
            return;
        }
    }
}

async fn sign(link: &LinkHandle, id: i64, data: &[u8], identity: &Identity) -> Result<()> {
    let ProxyQuery::SignReceipt(question) = ProxyQuery::decode(data)? else {
        return Err("an unknown question".into());
    };
    let statement = WorkStatement::from_boc(&question.statement)?;
    let signature = identity.sign(statement.hash().as_slice()).to_vec().into();
    Ok(link.answer(id, encode(&ReceiptSignature { signature })).await?)
}

async fn answer(link: &LinkHandle, version: Version, request_id: [u8; 32], query: &[u8]) -> Result<()> {
    let send = async |packet: WorkerPacket| link.send_packet(packet.encode()).await;
    let part = |body, final_info| {
        Answer {
            request_id,
            body,
            final_info,
        }
        .to_proxy(version)
    };
    let head = Response::new(200, "OK", vec![]).encode();
    send(part(AnswerBody::Head(head), None)).await?;
    let (request_salt, response_salt) = ([1; 32], [2; 32]);
    let report = WorkReport {
        request_id,
        counts: TokenCounts {
            prompt: 10,
            cached: 4,
            completion: 3,
            reasoning: 0,
        },
        request_salt,
        request_hash: salted_hash(&request_salt, query).0,
        response_salt,
        response_hash: salted_hash(&response_salt, ANSWER).0,
        sampling_hash: [3; 32],
        seed: 42,
        first_token_time: 0.0,
        finish_reason: "stop".into(),
    };
    send(report.into()).await?;
    let tokens = TokensUsed {
        prompt: 6,
        cached: 4,
        completion: 3,
        reasoning: 0,
        total: 13,
    };
    let final_info = Some(FinalInfo {
        tokens,
        ..FinalInfo::default()
    });
    Ok(send(part(AnswerBody::Part(Bytes::from_static(ANSWER)), final_info)).await?)
}
