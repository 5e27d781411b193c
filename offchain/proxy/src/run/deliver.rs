//! The worker's messages on their way to the client.

use std::collections::VecDeque;

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::http::Response;

use super::{Ended, Work};
use crate::client::ClientPeer;
use crate::limits::MAX_HELD_BYTES;
use crate::outage;
use crate::receipt::claimed_tokens;
use crate::request::{Failure, Request};
use crate::state::Proxy;

/// What goes on at once of a message, and whether the answer ends with that because the rest is not paid for. What a worker
/// counts on the way is watched as it counts; the rest is counted here. The last message goes on later, unless it is cut.
pub(super) fn portion(
    work: &mut Work,
    held: &mut Held,
    answer: &mut Answer,
    tells_progress: bool,
) -> (Vec<AnswerBody>, bool) {
    let is_over = work.is_over;
    let Answer { body, final_info, .. } = answer;
    let claimed = final_info.as_ref().map_or(0, |info| claimed_tokens(&info.tokens).total);
    let (ready, is_cut) = match body {
        AnswerBody::Part(part) if !tells_progress => {
            let admitted = work.budget.admit(part);
            let is_cut = admitted.paid < part.len() || is_over && work.budget.is_too_long(claimed);
            part.truncate(admitted.paid);
            let ready = if is_over && !is_cut {
                held.release().collect()
            } else {
                held.pass(std::mem::take(part), admitted.now)
            };
            (ready, is_cut)
        }
        AnswerBody::Head(_) if is_over && !tells_progress => (Vec::new(), work.budget.is_too_long(claimed)),
        _ if is_over => (Vec::new(), false),
        _ => return (vec![std::mem::replace(body, AnswerBody::Part(Bytes::new()))], false),
    };
    (ready.into_iter().map(AnswerBody::Part).collect(), is_cut)
}

/// Sends what goes on of a message, in order; false when the client is gone.
pub(super) async fn forward_all(
    proxy: &Proxy,
    client: &ClientPeer,
    request: &Request,
    work: &mut Work,
    bodies: Vec<AnswerBody>,
) -> bool {
    for body in bodies {
        if !forward(proxy, client, request, work, body).await {
            return false;
        }
    }
    true
}

/// Sends a head or a part on; false when the client is gone. The head waits for the first part: until then the request
/// may still go to another worker.
async fn forward(proxy: &Proxy, client: &ClientPeer, request: &Request, work: &mut Work, body: AnswerBody) -> bool {
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

/// Parts that wait for the worker's word on what they cost.
#[derive(Default)]
pub(super) struct Held {
    parts: VecDeque<Bytes>,
    bytes: usize,
}

impl Held {
    /// Takes a part of which `now` bytes may go on at once; gives what does, in order. Once something waits, what follows
    /// waits too.
    pub(super) fn pass(&mut self, mut part: Bytes, now: usize) -> Vec<Bytes> {
        let mut through = Vec::new();
        if self.parts.is_empty() {
            through.push(part.split_to(now.min(part.len())));
        }
        if !part.is_empty() {
            self.bytes += part.len();
            self.parts.push_back(part);
        }
        while self.bytes > MAX_HELD_BYTES
            && let Some(oldest) = self.parts.pop_front()
        {
            self.bytes -= oldest.len();
            through.push(oldest);
        }
        through.retain(|part| !part.is_empty());
        through
    }

    /// All that waits: it is paid for.
    pub(super) fn release(&mut self) -> impl Iterator<Item = Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.parts).into_iter()
    }
}

/// A deployed worker's head may carry the body of an answer without parts.
fn note_head(work: &mut Work, head: &Bytes) {
    if let Ok(Response {
        payload, status_code, ..
    }) = Response::decode(head)
    {
        work.status = Some(status_code);
        note_part(work, &payload);
    }
}

pub(super) fn note_part(work: &mut Work, part: &Bytes) {
    work.response.update(part);
    work.kept.add(part);
    if !part.is_empty() {
        let now = work.clock.now_ms();
        work.first_token_ms.get_or_insert(now);
    }
}

/// Sends the head if it was not sent yet.
async fn send_head(client: &ClientPeer, request: &Request, work: &mut Work) -> bool {
    match take_head(request, work) {
        Some(head) => client.send(&head).await,
        None => true,
    }
}

/// The head if it was not sent yet: whoever takes it sends it.
pub(crate) fn take_head(request: &Request, work: &mut Work) -> Option<Answer> {
    let head = work.head.take()?;
    work.is_begun = true;
    Some(Answer {
        request_id: request.id,
        body: AnswerBody::Head(head),
        final_info: None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_stays_in_order_and_within_its_limit() {
        let mut held = Held::default();
        let part = |byte: u8, length: usize| Bytes::from(vec![byte; length]);
        assert_eq!(held.pass(part(1, 10), 10), [part(1, 10)]);
        assert_eq!(held.pass(part(2, 10), 4), [part(2, 4)]);
        // Nothing overtakes.
        assert!(held.pass(part(3, 5), 5).is_empty());
        let released: Vec<_> = held.release().collect();
        assert_eq!(released, [part(2, 6), part(3, 5)]);
        assert!(held.pass(part(4, MAX_HELD_BYTES), 0).is_empty());
        assert_eq!(held.pass(part(5, 1), 0), [part(4, MAX_HELD_BYTES)]);
        assert_eq!(held.release().collect::<Vec<_>>(), [part(5, 1)]);
    }
}
