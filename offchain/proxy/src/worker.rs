//! One worker's connection: handshake, answers, state.

mod handshake;

use std::sync::Arc;

use cocoon_bindings::units::Coefficient;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::Answer;
use cocoon_protocol::codec::encode;
use cocoon_protocol::context::ContextTold;
use cocoon_protocol::message::{WorkerPacket, WorkerQuery};
use cocoon_protocol::worker::PaymentStatus;
use cocoon_ratls::{Peer, SessionBinding};
use cocoon_runner::link::{LinkEvent, OpenLink};
use cocoon_runner::standing::Standing;
use tokio::sync::mpsc;

use crate::inbox::FromWorker;
use crate::limits::{COEFFICIENT_END, SIGN_QUEUE};
use crate::listen::close;
use crate::signer;
use crate::state::Proxy;
use crate::workers::{NewWorker, WorkerPeer};

/// Serves a worker's connection to its end.
pub(crate) async fn serve(
    proxy: Arc<Proxy>,
    (link, mut events): OpenLink,
    session: Option<SessionBinding>,
    peer: Peer,
) {
    let greeted = Box::pin(handshake::run(&proxy, &link, &mut events, session.as_ref())).await;
    let Some(greeted) = greeted else {
        close(&link).await;
        return;
    };
    let mut standing = Standing::of_worker(proxy.root.clone(), &peer, greeted.model.model_hash());
    // Receipts name the certificate of the connection. Deployed workers sign none.
    if greeted.version.has_extensions() {
        standing = standing.until_certificate(proxy.clock.clone(), &peer);
    }
    let (sign_queue, sign_jobs) = mpsc::channel(SIGN_QUEUE);
    let signer = signer::run(Arc::clone(&proxy.books), link.clone(), peer.leaf_key, sign_jobs);
    proxy.shutdown.spawn(signer);
    let worker = proxy.workers.add(NewWorker {
        instance: greeted.instance,
        owner: greeted.owner,
        contract: greeted.contract,
        model: greeted.model,
        coefficient: greeted.coefficient,
        slots: greeted.slots,
        is_enabled: greeted.is_enabled,
        version: greeted.version,
        evidence: peer.evidence_hash().into(),
        image: peer.image_hash.map(|image| image.to_string()),
        link,
        sign_queue,
    });
    if worker.version.has_extensions() {
        signer::remind(&proxy.books, &worker.link, &worker.contract).await;
    }
    tracing::info!(worker = worker.id, model = %worker.model, version = worker.version.to_wire(), "worker serves");
    loop {
        let event = tokio::select! {
            biased;
            revoked = standing.revoked() => {
                tracing::warn!(worker = worker.id, image = worker.image, %revoked, "worker dropped");
                worker.link.revoke(revoked);
                break;
            }
            event = events.recv() => event,
        };
        let Some(event) = event else { break };
        let is_good = match event {
            LinkEvent::Packet(data) => packet(&proxy, &worker, &data),
            LinkEvent::Query { id, data } => query(&proxy, &worker, id, &data).await,
            LinkEvent::Closed(reason) => {
                tracing::info!(worker = worker.id, %reason, "worker gone");
                false
            }
        };
        if !is_good {
            break;
        }
    }
    proxy.workers.remove(worker.id);
    close(&worker.link).await;
}

/// Takes a one-way message; false ends the connection. Whatever a worker sends, it is never more than that.
fn packet(proxy: &Proxy, worker: &WorkerPeer, data: &[u8]) -> bool {
    let packet = match WorkerPacket::decode(data) {
        Ok(packet) => packet,
        Err(error) => {
            tracing::warn!(worker = worker.id, %error, "the worker sent a malformed message");
            return false;
        }
    };
    match packet {
        WorkerPacket::EnabledDisabled(state) => proxy.workers.set_enabled(worker, state.disabled == 0),
        WorkerPacket::NewCoefficient(new) => match u32::try_from(new.new_coefficient) {
            Ok(coefficient) if coefficient < COEFFICIENT_END => {
                proxy.workers.set_coefficient(worker, Coefficient::new(coefficient));
            }
            _ => return false,
        },
        WorkerPacket::Progress(progress) => {
            worker.deliver(&progress.request_id, FromWorker::Progress(progress.counts));
        }
        WorkerPacket::Report(report) => {
            worker.deliver(&report.request_id.clone(), FromWorker::Report(Box::new(report)));
        }
        answer => {
            if let Ok(answer) = Answer::from_worker(answer) {
                worker.deliver(&answer.request_id.clone(), FromWorker::Answer(answer));
            }
        }
    }
    true
}

/// Answers a question; false ends the connection.
async fn query(proxy: &Proxy, worker: &WorkerPeer, id: i64, data: &[u8]) -> bool {
    match WorkerQuery::decode(data) {
        Ok(WorkerQuery::UpdatePaymentStatus(_)) => {
            let _in_order = worker.telling.lock().await;
            let shown = proxy.vouchers.for_worker(&worker.contract);
            let status = PaymentStatus {
                signed_payment: shown.payment,
                db_tokens: shown.db_tokens,
                max_tokens: shown.max_tokens,
            };
            worker.link.answer(id, encode(&status)).await
        }
        Ok(WorkerQuery::TellContext(told)) if worker.version.has_extensions() => {
            worker.set_context(told.length);
            worker.link.answer(id, encode(&ContextTold)).await
        }
        Ok(_) => {
            worker
                .link
                .answer_error(id, ErrorCode::ProtocolViolation.to_wire(), "not now")
                .await
        }
        Err(error) => {
            worker
                .link
                .answer_error(id, ErrorCode::Plain.to_wire(), error.to_string())
                .await
        }
    }
    .is_ok()
}
