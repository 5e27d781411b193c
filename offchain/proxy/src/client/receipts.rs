//! Receipts leave in the order of their channel, whichever request is ready first.

use bytes::Bytes;
use cocoon_runner::link::LinkHandle;
use tokio::sync::{mpsc, oneshot};

/// Hands out places in the order of the channel. Each running request takes at most one.
pub(crate) struct ReceiptQueue(mpsc::UnboundedSender<oneshot::Receiver<Bytes>>);

impl ReceiptQueue {
    /// The queue, and the work that sends what is put into its places until the queue is dropped.
    pub(crate) fn new(link: LinkHandle) -> (Self, impl Future<Output = ()>) {
        let (places, mut waiting) = mpsc::unbounded_channel::<oneshot::Receiver<Bytes>>();
        let send = async move {
            while let Some(place) = waiting.recv().await {
                // A place that was given up has no receipt to send.
                if let Ok(receipt) = place.await {
                    // It is in the log; a client that has gone can ask for it there.
                    let _ = link.send_packet(receipt).await;
                }
            }
        };
        (Self(places), send)
    }

    /// The next place. Taken under the ledger's lock, in the step that gives the receipt its number.
    pub(crate) fn place(&self) -> oneshot::Sender<Bytes> {
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
        last.send(Bytes::from_static(b"last")).unwrap();
        drop(given_up);
        first.send(Bytes::from_static(b"first")).unwrap();
        drop(queue);
        for expected in [&b"first"[..], b"last"] {
            assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == expected));
        }
        sending.await.unwrap();
    }
}
