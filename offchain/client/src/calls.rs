//! Requests in flight on one connection: who waits for which answer.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::http;
use tokio::sync::{Notify, mpsc};

use crate::limits::MAX_ANSWER_BYTES;
use crate::receipts::ReceiptNote;

/// Name of a request between client and proxy.
pub(crate) type RequestId = [u8; 32];

/// What happens to a request.
#[derive(Debug)]
pub(crate) enum CallEvent {
    /// The next message of its answer.
    Answer(Answer),
    /// Its receipt came and was judged.
    Receipt(ReceiptNote),
    /// The answer became larger than is kept.
    TooLarge,
    /// The connection died.
    Lost(String),
}

/// What was sent and received: the receipt is checked against these bytes.
#[derive(Clone, Default)]
pub(crate) struct Exchange {
    /// The boxed `http.request`.
    pub(crate) request: Bytes,
    /// The body, in order.
    pub(crate) body: Vec<Bytes>,
    /// Highest price that the caller accepted, thousandths.
    pub(crate) max_coefficient: u32,
}

struct Entry {
    events: mpsc::UnboundedSender<CallEvent>,
    exchange: Exchange,
    body_bytes: usize,
}

/// All requests in flight of one connection.
#[derive(Default)]
pub(crate) struct Calls {
    entries: Mutex<Entries>,
    /// Told whenever a place is given up.
    given_up: Notify,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<RequestId, Entry>,
    /// Set once, when the connection has died: nothing can be added any more.
    lost: Option<String>,
}

/// One request in flight; its place is given up when this is dropped.
pub(crate) struct Call {
    pub(crate) id: RequestId,
    pub(crate) events: mpsc::UnboundedReceiver<CallEvent>,
    calls: Arc<Calls>,
}

impl Calls {
    /// Opens a place for a request.
    pub(crate) fn open(self: &Arc<Self>, id: RequestId, request: Bytes, max_coefficient: u32) -> Result<Call, String> {
        let (sender, events) = mpsc::unbounded_channel();
        let mut entries = self.lock();
        if let Some(reason) = &entries.lost {
            return Err(reason.clone());
        }
        let exchange = Exchange {
            request,
            body: Vec::new(),
            max_coefficient,
        };
        entries.by_id.insert(
            id,
            Entry {
                events: sender,
                exchange,
                body_bytes: 0,
            },
        );
        Ok(Call {
            id,
            events,
            calls: Arc::clone(self),
        })
    }

    /// Hands an answer to its request. Answers that nobody waits for any more are dropped.
    pub(crate) fn answer(&self, answer: Answer) {
        let mut entries = self.lock();
        let Some(entry) = entries.by_id.get_mut(&answer.request_id) else {
            return;
        };
        let body = match &answer.body {
            AnswerBody::Part(bytes) => bytes.clone(),
            // A head may carry the body of an answer without parts.
            AnswerBody::Head(head) => http::Response::decode(head)
                .map(|head| head.payload)
                .unwrap_or_default(),
            AnswerBody::Error { .. } => Bytes::new(),
        };
        entry.body_bytes += body.len();
        let event = if entry.body_bytes > MAX_ANSWER_BYTES {
            CallEvent::TooLarge
        } else {
            if !body.is_empty() {
                entry.exchange.body.push(body);
            }
            CallEvent::Answer(answer)
        };
        // A receiver that is gone means that the place is about to be given up.
        let _ = entry.events.send(event);
    }

    /// What was exchanged for a request that is still in flight, and where its receipt's verdict goes.
    pub(crate) fn exchange(&self, id: &RequestId) -> Option<(Exchange, mpsc::UnboundedSender<CallEvent>)> {
        self.lock()
            .by_id
            .get(id)
            .map(|entry| (entry.exchange.clone(), entry.events.clone()))
    }

    /// Fails every request: the connection has died.
    pub(crate) fn fail_all(&self, reason: &str) {
        let mut entries = self.lock();
        entries.lost = Some(reason.to_owned());
        for (_, entry) in entries.by_id.drain() {
            let _ = entry.events.send(CallEvent::Lost(reason.to_owned()));
        }
        drop(entries);
        self.given_up.notify_waiters();
    }

    /// Waits until the request has given up its place; at once if it has none.
    pub(crate) async fn closed(&self, id: &RequestId) {
        loop {
            let mut given_up = pin!(self.given_up.notified());
            // From here on nothing is missed.
            given_up.as_mut().enable();
            if !self.lock().by_id.contains_key(id) {
                return;
            }
            given_up.await;
        }
    }

    /// Requests in flight.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.lock().by_id.remove(&self.id);
        self.calls.given_up.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: u8, len: usize) -> Answer {
        Answer {
            request_id: [id; 32],
            body: AnswerBody::Part(vec![1; len].into()),
            final_info: None,
        }
    }

    #[test]
    fn answers_go_to_their_own_request() {
        let calls = Arc::new(Calls::default());
        let mut one = calls.open([1; 32], Bytes::new(), 0).unwrap();
        let mut two = calls.open([2; 32], Bytes::new(), 0).unwrap();
        calls.answer(part(2, 5));
        calls.answer(part(9, 5));
        assert!(one.events.try_recv().is_err());
        assert!(matches!(two.events.try_recv(), Ok(CallEvent::Answer(_))));
        drop(two);
        assert_eq!(calls.len(), 1);
        assert!(calls.exchange(&[2; 32]).is_none());
    }

    #[test]
    fn a_dead_connection_fails_all_at_once_and_takes_no_more() {
        let calls = Arc::new(Calls::default());
        let mut call = calls.open([1; 32], Bytes::new(), 0).unwrap();
        calls.fail_all("gone");
        assert!(matches!(call.events.try_recv(), Ok(CallEvent::Lost(reason)) if reason == "gone"));
        assert!(calls.open([2; 32], Bytes::new(), 0).is_err());
    }

    #[test]
    fn an_endless_answer_is_cut() {
        let calls = Arc::new(Calls::default());
        let mut call = calls.open([1; 32], Bytes::new(), 0).unwrap();
        for _ in 0..5 {
            calls.answer(part(1, 15 << 20));
        }
        let events: Vec<_> = std::iter::from_fn(|| call.events.try_recv().ok()).collect();
        assert!(matches!(events.last(), Some(CallEvent::TooLarge)));
        assert!(
            calls
                .exchange(&[1; 32])
                .unwrap()
                .0
                .body
                .iter()
                .map(Bytes::len)
                .sum::<usize>()
                <= MAX_ANSWER_BYTES
        );
    }
}
