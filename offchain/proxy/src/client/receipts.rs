//! Receipts leave in the order of their channel, whichever request is ready first.

use bytes::Bytes;
use cocoon_runner::link::LinkHandle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A receipt on its way. Its client is busy until it was sent.
pub(crate) struct Outgoing {
    pub(crate) receipt: Bytes,
    pub(crate) busy: TaskTrackerToken,
}

/// Where a receipt stands among those that a client gets.
pub(crate) type Place = oneshot::Sender<Outgoing>;

/// Hands out places in the order of the channel. Each running request takes at most one.
pub(crate) struct ReceiptQueue(mpsc::UnboundedSender<oneshot::Receiver<Outgoing>>);

impl ReceiptQueue {
    /// The queue, and the work that sends what is put into its places until the queue is dropped.
    pub(crate) fn new(link: LinkHandle) -> (Self, impl Future<Output = ()>) {
        let (places, mut waiting) = mpsc::unbounded_channel::<oneshot::Receiver<Outgoing>>();
        let send = async move {
            while let Some(place) = waiting.recv().await {
                // A place that was given up has no receipt to send.
                if let Ok(Outgoing { receipt, busy }) = place.await {
                    // It is in the log, whether the client is still there or not.
                    let _ = link.send_packet(receipt).await;
                    drop(busy);
                }
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
        let (queue, send) = ReceiptQueue::new(link);
        let sending = tokio::spawn(send);
        let (first, given_up, last) = (queue.place(), queue.place(), queue.place());
        let tracker = TaskTracker::new();
        let outgoing = |receipt: &'static [u8]| Outgoing {
            receipt: Bytes::from_static(receipt),
            busy: tracker.token(),
        };
        assert!(last.send(outgoing(b"last")).is_ok());
        drop(given_up);
        assert!(first.send(outgoing(b"first")).is_ok());
        drop(queue);
        for expected in [&b"first"[..], b"last"] {
            assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == expected));
        }
        sending.await.unwrap();
        assert!(tracker.is_empty(), "the client is busy until its receipts were sent");
    }
}
