//! An answer that several callers may read, each from its beginning, while it is still being written.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

/// An answer as far as it has come.
pub(crate) struct Recording {
    inner: Mutex<Inner>,
    /// Told at every step.
    steps: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    head: Option<(StatusCode, HeaderMap)>,
    chunks: Vec<Bytes>,
    bytes: usize,
    is_over: bool,
}

impl Recording {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            steps: watch::channel(()).0,
        })
    }

    /// Writes an answer down to its end.
    pub(crate) async fn write(&self, response: Response) {
        let (head, body) = response.into_parts();
        self.step(|inner| inner.head = Some((head.status, head.headers)));
        let mut pieces = body.into_data_stream();
        // A body of ours does not fail; one that did would end here.
        while let Some(Ok(piece)) = pieces.next().await {
            self.step(|inner| {
                inner.bytes += piece.len();
                inner.chunks.push(piece);
            });
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.step(|inner| inner.is_over = true);
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The answer from its beginning, as soon as it has one. `None`: it ended without.
    pub(crate) async fn replay(self: &Arc<Self>) -> Option<Response> {
        let mut steps = self.steps.subscribe();
        let (status, headers) = loop {
            {
                let inner = self.lock();
                if let Some(head) = &inner.head {
                    break head.clone();
                }
                if inner.is_over {
                    return None;
                }
            }
            // The sender lives as long as this.
            let _ = steps.changed().await;
        };
        let from = (Arc::clone(self), steps, 0_usize);
        let pieces = stream::unfold(from, |(recording, mut steps, next)| async move {
            loop {
                {
                    let inner = recording.lock();
                    if let Some(piece) = inner.chunks.get(next) {
                        let piece = piece.clone();
                        drop(inner);
                        return Some((Ok::<_, Infallible>(piece), (recording, steps, next + 1)));
                    }
                    if inner.is_over {
                        return None;
                    }
                }
                let _ = steps.changed().await;
            }
        });
        let mut response = Response::new(Body::from_stream(pieces));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Some(response)
    }

    fn step(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.lock());
        self.steps.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_caller_reads_all_of_it_whenever_it_comes() {
        let recording = Recording::new();
        let (sender, receiver) = tokio::sync::mpsc::channel::<&str>(1);
        let pieces = stream::unfold(receiver, |mut receiver| async {
            let piece = receiver.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(piece)), receiver))
        });
        let mut response = Response::new(Body::from_stream(pieces));
        *response.status_mut() = StatusCode::CREATED;
        let writing = Arc::clone(&recording);
        let written = tokio::spawn(async move {
            writing.write(response).await;
            writing.end();
        });
        let first = recording.replay().await.unwrap();
        assert_eq!(first.status(), StatusCode::CREATED);
        sender.send("one ").await.unwrap();
        let late = recording.replay().await.unwrap();
        let reading = tokio::spawn(text(first));
        // A reader that goes disturbs nobody.
        drop(recording.replay().await.unwrap());
        sender.send("two").await.unwrap();
        drop(sender);
        assert_eq!(text(late).await, "one two");
        assert_eq!(reading.await.unwrap(), "one two");
        written.await.unwrap();
        assert_eq!(text(recording.replay().await.unwrap()).await, "one two");
        assert_eq!(recording.bytes(), 7);
    }

    #[tokio::test]
    async fn an_answer_that_never_began_is_none() {
        let recording = Recording::new();
        recording.end();
        assert!(recording.replay().await.is_none());
    }
}
