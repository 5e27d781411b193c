//! The end of an attempt whose answer nobody waits for any more.

use std::time::Duration;

use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::extension::Cancel;
use cocoon_protocol::message::ProxyToWorker;
use tokio::time::{Instant, timeout_at};

use super::deliver::note_part;
use super::{Ended, Work};
use crate::client::ClientPeer;
use crate::inbox::{FromWorker, Inbox};
use crate::limits::CANCEL_GRACE;
use crate::request::Request;
use crate::workers::Lease;

/// The answer is to end before the worker has ended it. A worker that knows cancel is told, and has a moment to account for
/// what it delivered; what still comes goes to the client that waits for it, so that both have the bytes that the worker signs
/// for. One that does not know cancel signs nothing and counts only at its end: it is followed there, and what it goes on to say
/// is given to nobody, because nobody may be charged for it.
pub(super) async fn wind_up(
    client: &ClientPeer,
    request: &Request,
    lease: &Lease,
    work: &mut Work,
    inbox: &mut Inbox,
    deadline: Instant,
) {
    let knows_cancel = lease.worker.version.has_extensions();
    let until = if knows_cancel {
        Instant::now() + CANCEL_GRACE
    } else {
        deadline
    };
    if knows_cancel {
        tell_to_stop(work, lease).await;
    }
    let is_listening = knows_cancel && work.is_begun && work.ended != Ended::ClientTooSlow;
    loop {
        let message = match timeout_at(until, inbox.recv()).await {
            Err(_) => return,
            Ok(None) => break,
            Ok(Some(message)) => message,
        };
        match message {
            FromWorker::Progress(counts) => work.progress = Some(counts),
            FromWorker::Report(report) => work.report = Some(*report),
            FromWorker::Answer(answer) => {
                let is_last = answer.is_last();
                if is_last {
                    work.final_info = answer.final_info;
                }
                if let AnswerBody::Part(part) = answer.body {
                    note_part(work, &part);
                    if is_listening {
                        let answer = Answer {
                            request_id: request.id,
                            body: AnswerBody::Part(part),
                            final_info: None,
                        };
                        // A client that has gone misses nothing.
                        let _ = timeout_at(until, client.send(&answer)).await;
                    }
                }
                if is_last {
                    return;
                }
            }
        }
    }
    if inbox.aside.is_full.is_cancelled() {
        // Late or not, what has come counts.
        let _ = timeout_at(until, inbox.aside.is_over.cancelled()).await;
        let kept = inbox.aside.take();
        work.progress = kept.progress.or(work.progress);
        work.report = kept.report.map(|report| *report).or(work.report.take());
        work.final_info = kept.final_info.or(work.final_info.take());
    }
}

/// Tells a worker that knows cancel that nobody waits for the rest.
pub(super) async fn tell_to_stop(work: &Work, lease: &Lease) {
    if !lease.worker.version.has_extensions() {
        return;
    }
    let cancel = ProxyToWorker::from(Cancel {
        request_id: work.request_id,
    })
    .encode();
    // A worker that is gone is cancelled already.
    let _ = tokio::time::timeout(Duration::from_secs(1), lease.worker.link.send_packet(cancel)).await;
}
