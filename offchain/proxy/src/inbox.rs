//! Where a worker's messages wait for their request.
//!
//! The queue is bounded, in messages and in bytes, and the worker's other requests do not wait for it. When it is full the
//! parts that follow are dropped, but not the worker's account of its work: that is kept beside it, so that the work is paid for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::extension::{TokenCounts, WorkReport};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::limits::{REQUEST_QUEUE, REQUEST_QUEUE_BYTES};

/// What a worker sends about one request.
#[derive(Debug)]
pub(crate) enum FromWorker {
    Answer(Answer),
    Progress(TokenCounts),
    Report(Box<WorkReport>),
}

impl FromWorker {
    /// Bytes that it holds: those of a body or of a text. A report's are few, for it is taken apart when it comes.
    fn bytes(&self) -> usize {
        match self {
            Self::Answer(answer) => match &answer.body {
                AnswerBody::Head(bytes) | AnswerBody::Part(bytes) => bytes.len(),
                AnswerBody::Error { message, .. } => message.len(),
            },
            Self::Report(report) => report.finish_reason.len(),
            Self::Progress(_) => 0,
        }
    }
}

/// The request's end.
pub(crate) struct Inbox {
    queue: Receiver<FromWorker>,
    pub(crate) aside: Arc<Aside>,
}

impl Inbox {
    /// The next message; nothing when no more come, or when those that follow are dropped.
    pub(crate) async fn recv(&mut self) -> Option<FromWorker> {
        let message = self.queue.recv().await?;
        self.aside.waiting.fetch_sub(message.bytes(), Ordering::Relaxed);
        Some(message)
    }
}

/// What came when the queue was full.
#[derive(Default)]
pub(crate) struct Aside {
    /// Set when something had to be put here: the queue gets nothing more.
    pub(crate) is_full: CancellationToken,
    /// Set when nothing more will come.
    pub(crate) is_over: CancellationToken,
    /// Bytes in the queue.
    waiting: AtomicUsize,
    kept: Mutex<Kept>,
}

/// The newest account of a worker whose parts were dropped.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) progress: Option<TokenCounts>,
    pub(crate) report: Option<Box<WorkReport>>,
    pub(crate) final_info: Option<FinalInfo>,
}

impl Aside {
    /// Takes what was kept.
    pub(crate) fn take(&self) -> Kept {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what counts of a message; false when it was the last one.
    fn keep(&self, message: FromWorker) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            FromWorker::Progress(counts) => kept.progress = Some(counts),
            FromWorker::Report(report) => kept.report = Some(report),
            FromWorker::Answer(answer) if answer.is_last() => {
                kept.final_info = answer.final_info;
                return false;
            }
            FromWorker::Answer(_) => {}
        }
        true
    }
}

/// The connection's end. When it is dropped, the request learns that nothing more comes.
pub(crate) struct Slot {
    queue: Option<Sender<FromWorker>>,
    aside: Arc<Aside>,
    _over: DropGuard,
}

/// Both ends for one request.
pub(crate) fn inbox() -> (Slot, Inbox) {
    let (sender, queue) = mpsc::channel(REQUEST_QUEUE);
    let aside = Arc::new(Aside::default());
    let slot = Slot {
        queue: Some(sender),
        aside: Arc::clone(&aside),
        _over: aside.is_over.clone().drop_guard(),
    };
    (slot, Inbox { queue, aside })
}

impl Slot {
    /// Hands a message over; false when nothing more is wanted.
    pub(crate) fn deliver(&mut self, message: FromWorker) -> bool {
        let waiting = &self.aside.waiting;
        let message = match &self.queue {
            None => message,
            // Whatever its length, a message finds room in an empty queue.
            Some(_) if waiting.load(Ordering::Relaxed) >= REQUEST_QUEUE_BYTES => message,
            Some(queue) => {
                let bytes = message.bytes();
                // Counted before it can be taken out.
                waiting.fetch_add(bytes, Ordering::Relaxed);
                let Err(refused) = queue.try_send(message) else {
                    return true;
                };
                waiting.fetch_sub(bytes, Ordering::Relaxed);
                match refused {
                    TrySendError::Closed(_) => return false,
                    TrySendError::Full(message) => message,
                }
            }
        };
        if self.queue.take().is_some() {
            self.aside.is_full.cancel();
        }
        self.aside.keep(message)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cocoon_protocol::answer::AnswerBody;

    use super::*;

    fn part(final_info: Option<FinalInfo>) -> FromWorker {
        FromWorker::Answer(Answer {
            request_id: [1; 32],
            body: AnswerBody::Part(Bytes::from_static(b"x")),
            final_info,
        })
    }

    fn progress(completion: i64) -> FromWorker {
        FromWorker::Progress(TokenCounts {
            prompt: 1,
            cached: 0,
            completion,
            reasoning: 0,
        })
    }

    #[tokio::test]
    async fn a_full_queue_drops_parts_and_keeps_the_account_of_the_work() {
        let (mut slot, mut inbox) = inbox();
        for _ in 0..REQUEST_QUEUE {
            assert!(slot.deliver(part(None)));
        }
        assert!(!inbox.aside.is_full.is_cancelled());
        assert!(slot.deliver(part(None)));
        assert!(inbox.aside.is_full.is_cancelled());
        assert!(slot.deliver(progress(5)) && slot.deliver(progress(6)));
        assert!(!slot.deliver(part(Some(FinalInfo::default()))));
        drop(slot);
        for _ in 0..REQUEST_QUEUE {
            assert!(inbox.recv().await.is_some());
        }
        assert!(inbox.recv().await.is_none());
        inbox.aside.is_over.cancelled().await;
        let kept = inbox.aside.take();
        assert_eq!(kept.progress.unwrap().completion, 6);
        assert!(kept.final_info.is_some());
    }

    #[tokio::test]
    async fn long_parts_fill_the_queue_by_their_bytes() {
        let (mut slot, mut inbox) = inbox();
        let part = || {
            FromWorker::Answer(Answer {
                request_id: [1; 32],
                body: AnswerBody::Part(vec![0; REQUEST_QUEUE_BYTES / 4].into()),
                final_info: None,
            })
        };
        // What was taken out makes room.
        for _ in 0..10 {
            assert!(slot.deliver(part()));
            assert!(inbox.recv().await.is_some());
        }
        for _ in 0..4 {
            assert!(slot.deliver(part()));
        }
        assert!(!inbox.aside.is_full.is_cancelled());
        assert!(slot.deliver(part()) && slot.deliver(progress(7)));
        assert!(inbox.aside.is_full.is_cancelled());
        for _ in 0..4 {
            assert!(inbox.recv().await.is_some());
        }
        assert!(inbox.recv().await.is_none());
        assert_eq!(inbox.aside.take().progress.unwrap().completion, 7);
    }

    #[tokio::test]
    async fn a_connection_that_ends_is_learned_of_with_a_full_queue_too() {
        let (mut slot, inbox) = inbox();
        while !inbox.aside.is_full.is_cancelled() {
            slot.deliver(part(None));
        }
        drop(slot);
        inbox.aside.is_over.cancelled().await;
    }
}
