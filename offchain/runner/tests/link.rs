//! What a link promises, over pipes in memory and a clock that stands still.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::Result;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use cocoon_protocol::limits::MAX_FRAME_BYTES;
use cocoon_runner::link::{CloseReason, Link, LinkConfig, LinkError, LinkEvent, LinkHandle, OpenLink};
use cocoon_runner::standing::Revoked;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

async fn pair() -> (OpenLink, OpenLink) {
    pair_over(duplex(1 << 16), LinkConfig::default()).await
}

async fn pair_over((near, far): (DuplexStream, DuplexStream), config: LinkConfig) -> (OpenLink, OpenLink) {
    let (dialed, accepted) = tokio::join!(Link::dial(near, config), Link::accept(far, config));
    (dialed.unwrap(), accepted.unwrap())
}

async fn echo(link: LinkHandle, mut events: Receiver<LinkEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Query { id, data } if data.starts_with(b"no") => {
                link.answer_error(id, 602, "refused").await.unwrap();
            }
            LinkEvent::Query { id, data } => link.answer(id, data).await.unwrap(),
            LinkEvent::Packet(data) => link.send_packet(data).await.unwrap(),
            LinkEvent::Closed(_) => return,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_queries_get_their_own_answers() {
    let ((client, _events), (server, events)) = pair().await;
    tokio::spawn(echo(server, events));
    let queries = (0..200u32).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            (
                number,
                client.query(number.to_le_bytes().to_vec(), SECOND).await.unwrap(),
            )
        })
    });
    for query in queries {
        let (number, answer) = query.await.unwrap();
        assert_eq!(answer, &number.to_le_bytes()[..]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_carries_code_and_text() {
    let ((client, _events), (server, events)) = pair().await;
    tokio::spawn(echo(server, events));
    let refused = client.query(&b"no way"[..], SECOND).await;
    assert_eq!(
        refused,
        Err(LinkError::Refused {
            code: 602,
            message: "refused".into()
        })
    );
}

#[tokio::test(start_paused = true)]
async fn packets_keep_their_order_and_arrive_before_the_close() {
    let ((client, _keep), (_server, mut events)) = pair().await;
    for number in 0..50u8 {
        client.send_packet(vec![number; 4]).await.unwrap();
    }
    client.close().await;
    for number in 0..50u8 {
        assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == vec![number; 4]));
    }
    assert!(matches!(
        events.recv().await,
        Some(LinkEvent::Closed(CloseReason::Remote))
    ));
    assert_eq!(client.closed().await, CloseReason::Local);
}

#[tokio::test(start_paused = true)]
async fn pending_queries_fail_at_once_when_the_link_dies() {
    let ((client, _keep), (server, server_events)) = pair().await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.query(&b"ping"[..], 300 * SECOND).await }
    });
    sleep(SECOND).await;
    let before = Instant::now();
    drop((server, server_events));
    assert_eq!(asked.await.unwrap(), Err(LinkError::Closed(CloseReason::Remote)));
    assert!(before.elapsed() < SECOND);
    assert_eq!(
        client.send_packet(&b"more"[..]).await,
        Err(LinkError::Closed(CloseReason::Remote))
    );
    assert!(client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_query_without_an_answer_times_out_and_the_link_lives() {
    let ((client, _keep), (server, mut events)) = pair().await;
    assert_eq!(client.query(&b"ping"[..], SECOND).await, Err(LinkError::Timeout));
    let Some(LinkEvent::Query { id, .. }) = events.recv().await else {
        panic!("no query")
    };
    server.answer(id, &b"late"[..]).await.unwrap();
    tokio::spawn(echo(server, events));
    assert_eq!(client.query(&b"ping"[..], SECOND).await.unwrap(), &b"ping"[..]);
}

#[tokio::test(start_paused = true)]
async fn an_object_too_large_for_a_frame_is_the_senders_error() {
    let ((client, _keep), (server, events)) = pair().await;
    tokio::spawn(echo(server, events));
    let huge = Bytes::from(vec![0u8; MAX_FRAME_BYTES]);
    assert!(matches!(
        client.send_packet(huge.clone()).await,
        Err(LinkError::TooLarge { .. })
    ));
    assert!(matches!(
        client.query(huge.clone(), SECOND).await,
        Err(LinkError::TooLarge { .. })
    ));
    let largest = huge.slice(..MAX_FRAME_BYTES - 16);
    assert_eq!(
        client.query(largest.clone(), 60 * SECOND).await.unwrap().len(),
        largest.len()
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_link_is_kept_alive_by_pings() {
    let ((client, mut events), (server, _keep)) = pair().await;
    assert!(timeout(3600 * SECOND, events.recv()).await.is_err());
    assert!(!client.is_closed() && !server.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_dialer_gives_a_mute_peer_one_ping_and_then_up() {
    let (near, mut far) = duplex(1 << 16);
    let mute = tokio::spawn(async move {
        let mut connect = [0u8; 20];
        far.read_exact(&mut connect).await.unwrap();
        let mut connected = connect;
        connected[8..12].copy_from_slice(&0x636d_41d6u32.to_le_bytes());
        far.write_all(&connected).await.unwrap();
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let (client, _events) = Link::dial(near, LinkConfig::default()).await.unwrap();
    let start = Instant::now();
    assert_eq!(client.closed().await, CloseReason::Silent);
    assert_eq!(start.elapsed().as_secs(), 20);
    assert_eq!(mute.await.unwrap().len(), 20, "one ping");
}

#[tokio::test(start_paused = true)]
async fn the_acceptor_gives_up_after_a_minute_of_silence() {
    let (near, mut far) = duplex(1 << 16);
    far.write_all(&[12, 0, 0, 0, 0, 0, 0, 0, 0x61, 0x42, 0x7c, 0xa5, 1, 2, 3, 4, 5, 6, 7, 8])
        .await
        .unwrap();
    let (server, _events) = Link::accept(near, LinkConfig::default()).await.unwrap();
    let start = Instant::now();
    assert_eq!(server.closed().await, CloseReason::Silent);
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_speaks_is_given_up() {
    let (near, _far) = duplex(1 << 16);
    let start = Instant::now();
    let refused = Link::accept(near, LinkConfig::default()).await;
    assert!(matches!(refused, Err(LinkError::Closed(CloseReason::ConnectTimeout))));
    assert_eq!(start.elapsed(), LinkConfig::default().connect_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_first_frame_is_a_breach() {
    let (near, mut far) = duplex(1 << 16);
    far.write_all(&[4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).await.unwrap();
    let refused = Link::accept(near, LinkConfig::default()).await;
    assert!(matches!(refused, Err(LinkError::Closed(CloseReason::Protocol(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_its_sender_back_and_loses_nothing() {
    let config = LinkConfig {
        event_queue: 2,
        command_queue: 2,
        ..LinkConfig::default()
    };
    let ((client, _keep), (_server, mut events)) = pair_over(duplex(1 << 12), config).await;
    let piece = Bytes::from(vec![7u8; 1 << 18]);
    let sender = tokio::spawn({
        let (client, piece) = (client.clone(), piece.clone());
        async move {
            for _ in 0..40 {
                client.send_packet(piece.clone()).await.unwrap();
            }
        }
    });
    // Nobody takes events: what is in flight is bounded, so the sender cannot have finished.
    sleep(5 * SECOND).await;
    assert!(!sender.is_finished());
    for _ in 0..40 {
        assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == piece));
    }
    sender.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_now_comes_back_and_overtakes_nothing() {
    let config = LinkConfig {
        command_queue: 2,
        ..LinkConfig::default()
    };
    let ((client, _keep), (_server, mut events)) = pair_over(duplex(1 << 16), config).await;
    // Nothing else runs in between: the queue is not emptied.
    assert_eq!(client.send_packet_now(&b"1"[..]), Ok(None));
    assert_eq!(client.send_packet_now(&b"2"[..]), Ok(None));
    let back = client.send_packet_now(&b"3"[..]).unwrap().unwrap();
    client.send_packet(back).await.unwrap();
    for expected in [b"1", b"2", b"3"] {
        assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == expected[..]));
    }
    client.close().await;
    client.closed().await;
    assert!(matches!(client.send_packet_now(&b"4"[..]), Err(LinkError::Closed(_))));
}

/// Counts what is written at once.
struct Counted {
    pipe: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn what_several_tasks_send_in_turn_is_one_write() {
    let (pipe, far) = duplex(1 << 16);
    let writes = Arc::new(AtomicUsize::new(0));
    let near = Counted {
        pipe,
        writes: Arc::clone(&writes),
    };
    let (dialed, accepted) = tokio::join!(
        Link::dial(near, LinkConfig::default()),
        Link::accept(far, LinkConfig::default())
    );
    let (client, _keep) = dialed.unwrap();
    let (_server, mut events) = accepted.unwrap();
    let before = writes.load(Ordering::Relaxed);
    let (first, second) = (client.clone(), client.clone());
    // The second one has its turn after the link, which the first one wakes.
    let sending = tokio::spawn(async move {
        first.send_packet(&b"1"[..]).await.unwrap();
        let after = tokio::spawn(async move { second.send_packet(&b"2"[..]).await.unwrap() });
        after.await.unwrap();
    });
    sending.await.unwrap();
    for expected in [b"1", b"2"] {
        assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == expected[..]));
    }
    assert_eq!(writes.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test(start_paused = true)]
async fn time_in_which_we_do_not_read_is_not_the_peers_silence() {
    let config = LinkConfig {
        event_queue: 1,
        ..LinkConfig::default()
    };
    let ((client, mut events), (server, _keep)) = pair_over(duplex(1 << 12), config).await;
    for _ in 0..8 {
        server.send_packet(&b"news"[..]).await.unwrap();
    }
    sleep(45 * SECOND).await;
    assert!(!client.is_closed());
    for _ in 0..8 {
        assert!(matches!(events.recv().await, Some(LinkEvent::Packet(_))));
    }
    assert!(
        timeout(30 * SECOND, events.recv()).await.is_err(),
        "pings keep it alive again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_bytes_is_given_up() {
    let (near, mut far) = duplex(64);
    far.write_all(&[12, 0, 0, 0, 0, 0, 0, 0, 0x61, 0x42, 0x7c, 0xa5, 1, 2, 3, 4, 5, 6, 7, 8])
        .await
        .unwrap();
    let (server, _events) = Link::accept(near, LinkConfig::default()).await.unwrap();
    server.send_packet(vec![0u8; 1000]).await.unwrap();
    // It still sends, so its silence is not the reason.
    let pings = tokio::spawn(async move {
        for seqno in 1u32.. {
            let mut ping = vec![12, 0, 0, 0];
            ping.extend_from_slice(&seqno.to_le_bytes());
            ping.extend_from_slice(&[0x7c, 0x62, 0xe9, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0]);
            if far.write_all(&ping).await.is_err() {
                return;
            }
            sleep(10 * SECOND).await;
        }
    });
    assert_eq!(server.closed().await, CloseReason::WriteStalled);
    pings.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_link_closes_with_its_last_handle() {
    let ((client, events), (server, _keep)) = pair().await;
    let second = client.clone();
    drop(client);
    sleep(SECOND).await;
    assert!(!server.is_closed());
    drop(second);
    assert_eq!(server.closed().await, CloseReason::Remote);
    drop(events);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_peer_gets_nothing_more_not_even_what_was_queued() {
    let ((client, mut events), (_server, mut received)) = pair_over(duplex(64), LinkConfig::default()).await;
    // More than the pipe holds: the rest waits on our side.
    client.send_packet(vec![7u8; 4096]).await.unwrap();
    let pending = tokio::spawn({
        let client = client.clone();
        async move { client.query(vec![1u8; 8], SECOND).await }
    });
    tokio::task::yield_now().await;
    client.revoke(Revoked::Image);
    let reason = CloseReason::Revoked(Revoked::Image);
    assert_eq!(client.closed().await, reason);
    assert_eq!(pending.await.unwrap(), Err(LinkError::Closed(reason.clone())));
    assert!(matches!(events.recv().await, Some(LinkEvent::Closed(found)) if found == reason));
    assert!(
        matches!(received.recv().await, Some(LinkEvent::Closed(_))),
        "nothing whole arrives"
    );
}
