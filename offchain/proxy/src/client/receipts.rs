//! Receipts leave in the order of their channel, whichever request is ready first, each behind what its request cost.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_runner::link::LinkHandle;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A receipt on its way. Its client is busy until it was sent.
pub(crate) struct Outgoing {
    pub(crate) request_id: [u8; 32],
    /// What the request cost.
    pub(crate) tokens: u64,
    /// `None` for a client that knows no receipts.
    pub(crate) receipt: Option<Bytes>,
    pub(crate) busy: TaskTrackerToken,
}

/// Where a receipt stands among those that a client gets.
pub(crate) type Place = oneshot::Sender<Outgoing>;

/// Hands out places in the order of the channel. Each request takes at most one, and a client has a bounded number of
/// requests whose receipts have not left.
pub(crate) struct ReceiptQueue(mpsc::UnboundedSender<oneshot::Receiver<Outgoing>>);

impl ReceiptQueue {
    /// The queue, and the work that sends what is put into its places until the queue is dropped. `pay` makes the message that
    /// says what a request cost and where its contract stands at that moment; `telling` is held until it is sent: so totals never
    /// go down.
    pub(crate) fn new(
        link: LinkHandle,
        telling: Arc<Mutex<()>>,
        pay: impl Fn([u8; 32], u64) -> Bytes + Send,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (places, mut waiting) = mpsc::unbounded_channel::<oneshot::Receiver<Outgoing>>();
        let send = async move {
            while let Some(place) = waiting.recv().await {
                // A place that was given up has nothing to send.
                let Ok(outgoing) = place.await else { continue };
                let in_order = telling.lock().await;
                // The next payment, or the next connection, tells the same.
                let _ = link.send_packet(pay(outgoing.request_id, outgoing.tokens)).await;
                drop(in_order);
                if let Some(receipt) = outgoing.receipt {
                    // It is in the log, whether the client is still there or not.
                    let _ = link.send_packet(receipt).await;
                }
                drop(outgoing.busy);
            }
        };
        (Self(places), send)
    }

    /// The next place. Taken under the ledger's lock, in the step that gives the receipt its number.
    pub(crate) fn place(&self) -> Place {
        let (place, receipt) = oneshot::channel();
        // When the sending side has ended, nobody waits for the receipt.
        let _ = self.0.send(receipt);
        place
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;
    use cocoon_runner::link::{Link, LinkConfig, LinkEvent};
    use tokio_util::task::TaskTracker;

    #[tokio::test]
    async fn receipts_leave_in_the_order_of_their_places() {
        let (near, far) = tokio::io::duplex(1024);
        let (ours, theirs) = tokio::join!(
            Link::dial(near, LinkConfig::default()),
            Link::accept(far, LinkConfig::default())
        );
        let (link, _events) = ours.unwrap();
        let (_peer, mut events) = theirs.unwrap();
        let (queue, send) = ReceiptQueue::new(link, Arc::default(), |id, tokens| {
            Bytes::from(vec![id[0], tokens as u8])
        });
        let sending = tokio::spawn(send);
        let (first, given_up, last) = (queue.place(), queue.place(), queue.place());
        let tracker = TaskTracker::new();
        let outgoing = |number, receipt: Option<&'static [u8]>| Outgoing {
            request_id: [number; 32],
            tokens: 7,
            receipt: receipt.map(Bytes::from_static),
            busy: tracker.token(),
        };
        let unknown = queue.place();
        assert!(unknown.send(outgoing(3, None)).is_ok());
        assert!(last.send(outgoing(2, Some(b"last"))).is_ok());
        drop(given_up);
        assert!(first.send(outgoing(1, Some(b"first"))).is_ok());
        drop(queue);
        for expected in [&[1, 7][..], b"first", &[2, 7], b"last", &[3, 7]] {
            assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == expected));
        }
        sending.await.unwrap();
        assert!(tracker.is_empty(), "the client is busy until its receipts were sent");
    }

    #[tokio::test]
    async fn a_total_that_was_read_is_sent_before_another_one_is_read() {
        let (near, far) = tokio::io::duplex(1024);
        let (ours, theirs) = tokio::join!(
            Link::dial(near, LinkConfig::default()),
            Link::accept(far, LinkConfig::default())
        );
        let (link, _events) = ours.unwrap();
        let (_peer, mut events) = theirs.unwrap();
        let (total, telling) = (Arc::new(AtomicU8::new(1)), Arc::new(Mutex::new(())));
        let read = Arc::clone(&total);
        let pay = move |_, _| Bytes::from(vec![read.load(Ordering::Relaxed)]);
        let (queue, send) = ReceiptQueue::new(link.clone(), Arc::clone(&telling), pay);
        // Somebody else has read the total, and it rises before that is sent.
        let in_order = telling.lock().await;
        let sending = tokio::spawn(send);
        let outgoing = Outgoing {
            request_id: [1; 32],
            tokens: 1,
            receipt: None,
            busy: TaskTracker::new().token(),
        };
        total.store(2, Ordering::Relaxed);
        assert!(queue.place().send(outgoing).is_ok());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        link.send_packet(Bytes::from_static(&[1])).await.unwrap();
        drop(in_order);
        drop(queue);
        for expected in [1, 2] {
            assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == [expected][..]));
        }
        sending.await.unwrap();
    }
}
