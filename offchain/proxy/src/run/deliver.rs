//! The worker's messages on their way to the client.

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::http::Response;

use super::{Ended, Work};
use crate::client::ClientPeer;
use crate::outage;
use crate::request::{Failure, Request};
use crate::state::Proxy;

/// Sends a head or a part on; false when the client is gone. The head waits for the first part: until then the request
/// may still go to another worker.
pub(super) async fn forward(
    proxy: &Proxy,
    client: &ClientPeer,
    request: &Request,
    work: &mut Work,
    body: AnswerBody,
) -> bool {
    let part = match body {
        AnswerBody::Head(head) => {
            if !work.is_begun && work.head.is_none() {
                note_head(work, &head);
                work.head = Some(outage::with_age(proxy, client, head));
            }
            return true;
        }
        AnswerBody::Part(part) => part,
        AnswerBody::Error { .. } => return true,
    };
    note_part(work, &part);
    if !send_head(client, request, work).await {
        return false;
    }
    proxy.stats.sent(part.len());
    client
        .send(&Answer {
            request_id: request.id,
            body: AnswerBody::Part(part),
            final_info: None,
        })
        .await
}

/// A deployed worker's head may carry the body of an answer without parts.
fn note_head(work: &mut Work, head: &Bytes) {
    if let Ok(Response { payload, .. }) = Response::decode(head) {
        note_part(work, &payload);
    }
}

pub(super) fn note_part(work: &mut Work, part: &Bytes) {
    work.response.update(part);
    if !part.is_empty() {
        let now = work.clock.now_ms();
        work.first_token_ms.get_or_insert(now);
    }
}

/// Sends the head if it was not sent yet.
pub(crate) async fn send_head(client: &ClientPeer, request: &Request, work: &mut Work) -> bool {
    let Some(head) = work.head.take() else { return true };
    work.is_begun = true;
    client
        .send(&Answer {
            request_id: request.id,
            body: AnswerBody::Head(head),
            final_info: None,
        })
        .await
}

/// Takes the worker's last message.
pub(super) fn last(work: &mut Work, answer: Answer) -> Ended {
    work.final_info = answer.final_info.clone();
    match &answer.body {
        AnswerBody::Error { code, message, .. } => {
            let code = ErrorCode::from_wire(*code).refine(message);
            return Ended::Failed(Failure::new(code, message.clone()));
        }
        AnswerBody::Part(part) => note_part(work, &part.clone()),
        AnswerBody::Head(head) => note_head(work, &head.clone()),
    }
    work.last = Some(answer);
    Ended::Finished
}
