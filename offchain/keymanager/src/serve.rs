//! The port: judges who comes, takes the proof of the session, answers a few questions.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::SessionProof;
use cocoon_protocol::message::KeyQuery;
use cocoon_protocol::session_proof::Role;
use cocoon_ratls::{Acceptor, Connection, Listener, SessionBinding, Wire};
use cocoon_runner::limits::{FLUSH_TIMEOUT, MAX_UNVERIFIED_OF_NETWORK};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle};
use cocoon_runner::places::Places;
use cocoon_runner::shutdown::Shutdown;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::limits::{ACCEPT_PAUSE, MAX_CONNECTION_TIME, MAX_CONNECTIONS, MAX_QUESTIONS, MAX_UNVERIFIED_CONNECTIONS};
use crate::replica::{Asker, Refusal, Replica};

/// How connections are judged.
#[derive(Clone)]
pub(crate) struct Doors {
    /// Images that may have anything.
    pub(crate) attested: Acceptor,
    /// Anybody, while this replica waits for shares: owners have no image.
    pub(crate) anybody: Acceptor,
}

/// Accepts connections until dropped.
pub(crate) async fn run(replica: Arc<Replica>, mut listener: Listener, doors: Doors, shutdown: Shutdown) {
    let unverified = Places::new(MAX_UNVERIFIED_CONNECTIONS, MAX_UNVERIFIED_OF_NETWORK);
    let serving = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (tcp, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (Some(unverified), Ok(serving)) = (unverified.take(from.ip()), Arc::clone(&serving).try_acquire_owned())
        else {
            tracing::warn!("too many connections, in all or from one network: one is turned away");
            continue;
        };
        let (replica, doors, stop) = (Arc::clone(&replica), doors.clone(), shutdown.token().clone());
        shutdown.spawn(async move {
            let is_anybody = replica.awaits_shares();
            let opened = stop.run_until_cancelled(open(&doors, is_anybody, tcp)).await.flatten();
            drop(unverified);
            if let Some(connection) = opened {
                let served = converse(&replica, connection, is_anybody, &stop);
                let _ = tokio::time::timeout(MAX_CONNECTION_TIME, served).await;
            }
            drop(serving);
        });
    }
}

async fn open(doors: &Doors, is_anybody: bool, tcp: Wire) -> Option<Connection> {
    let door = if is_anybody { &doors.anybody } else { &doors.attested };
    let accepted = door.accept(tcp).await;
    accepted
        .inspect_err(|error| tracing::info!(%error, "a connection was refused"))
        .ok()
}

async fn converse(replica: &Replica, connection: Connection, is_anybody: bool, stop: &CancellationToken) {
    let Connection {
        stream, peer, session, ..
    } = connection;
    let Some(session) = session else { return };
    let opening = Link::accept(stream, LinkConfig::default());
    let Some(Ok((link, mut events))) = stop.run_until_cancelled(opening).await else {
        return;
    };
    let asker = if is_anybody {
        Asker::Anybody
    } else {
        Asker::Attested(&peer)
    };
    // What is being answered is answered; nothing new is taken after the stop.
    let asked = questions(replica, &link, &mut events, &session, &asker);
    if let Some(Err(refusal)) = stop.run_until_cancelled(asked).await {
        tracing::info!(image = ?peer.image_hash, reason = refusal.message, "a peer was refused");
    }
    link.close().await;
    let _ = tokio::time::timeout(FLUSH_TIMEOUT, link.closed()).await;
}

/// Answers until the peer is done. A refusal is answered, and ends the connection: who breaks a rule once is not asked on.
async fn questions(
    replica: &Replica,
    link: &LinkHandle,
    events: &mut mpsc::Receiver<LinkEvent>,
    session: &SessionBinding,
    asker: &Asker<'_>,
) -> Result<(), Refusal> {
    for number in 0..=MAX_QUESTIONS {
        let (id, data) = match events.recv().await {
            Some(LinkEvent::Query { id, data }) => (id, data),
            // Nothing is said one-way here.
            Some(LinkEvent::Packet(_)) | Some(LinkEvent::Closed(_)) | None => return Ok(()),
        };
        let answer = answer(replica, number, &data, session, asker);
        match answer {
            // A peer that is gone needs no answer.
            Ok(answer) => drop(link.answer(id, answer).await),
            Err(refusal) => {
                let _ = link
                    .answer_error(id, refusal.code.to_wire(), refusal.message.clone())
                    .await;
                return Err(refusal);
            }
        }
    }
    Err(Refusal::new(
        ErrorCode::TooManyRequests,
        "too many questions on one connection",
    ))
}

fn answer(
    replica: &Replica,
    number: u32,
    data: &[u8],
    session: &SessionBinding,
    asker: &Asker<'_>,
) -> Result<Bytes, Refusal> {
    let question = KeyQuery::decode(data).map_err(|error| Refusal::new(ErrorCode::Parse, error))?;
    match (number, &question) {
        (0, KeyQuery::ProveSession(proof)) => prove(session, &proof.signature),
        (0, _) => Err(Refusal::new(
            ErrorCode::SessionNotProven,
            "the session must be proven first",
        )),
        _ => replica.answer(asker, &question),
    }
}

fn prove(session: &SessionBinding, proof: &[u8]) -> Result<Bytes, Refusal> {
    let (own, peer) = (Role::KeyManager, Role::KeyAsker);
    let is_proven = <&[u8; 64]>::try_from(proof).is_ok_and(|proof| session.is_proven_by(proof, own, peer));
    if !is_proven {
        let message = "the proof is not of this session: somebody stands between";
        return Err(Refusal::new(ErrorCode::SessionNotProven, message));
    }
    Ok(encode(&SessionProof {
        signature: Bytes::copy_from_slice(&session.prove(own, peer)),
    }))
}
