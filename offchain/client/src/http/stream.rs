//! Answers as server-sent events.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use cocoon_openai::ApiError;
use cocoon_openai::sse::{self, SseDecoder, SseEvent};
use cocoon_protocol::http::Response as Head;
use futures_util::stream;

use super::inference::{Running, copy_headers, debug_records};
use super::reply::set_id;
use crate::driver::Piece;

/// Begins the stream. Its events are the worker's, unchanged unless the caller speaks another interface; at the end a comment
/// names the receipt.
pub(super) fn respond(head: Head, running: Running) -> Response {
    let (dialect, id) = (running.dialect, running.id);
    let events = stream::unfold(
        Events {
            running,
            held_back: BytesMut::new(),
            decoder: SseDecoder::default(),
            is_over: false,
        },
        |mut events| async {
            let bytes = events.next().await?;
            Some((Ok::<_, Infallible>(bytes), events))
        },
    );
    let mut response = Response::new(Body::from_stream(events));
    copy_headers(&head, &mut response);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    set_id(&mut response, dialect, &id);
    response
}

struct Events {
    running: Running,
    /// An event whose end has not come: it is passed on whole, so that a failure never leaves half an event.
    held_back: BytesMut,
    /// Takes events apart that are written anew.
    decoder: SseDecoder,
    is_over: bool,
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over {
            let bytes = match self.running.next().await {
                Some(Piece::Body(bytes)) => self.more(&bytes),
                Some(Piece::End(info)) => {
                    let mut rest = self.rest();
                    if self.running.wants_debug {
                        let record = format!("cocoon-debug {}", debug_records(&info, self.running.clock.now_f64()));
                        rest.extend_from_slice(sse::encode_comment(&record).as_bytes());
                    }
                    rest.freeze()
                }
                Some(Piece::Receipt(note)) => {
                    self.is_over = true;
                    let line = note.map(|note| sse::encode_comment(&format!("cocoon-receipt-id {}", note.id)));
                    line.map_or_else(Bytes::new, Bytes::from)
                }
                Some(Piece::Failed(error)) => {
                    self.is_over = true;
                    match &mut self.running.translator {
                        Some(translator) => translator.failed(&error).into(),
                        None => sse::encode_data(&error.to_json()).into(),
                    }
                }
                Some(Piece::Head(_)) | None => return None,
            };
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        None
    }

    /// What the next bytes of the worker give.
    fn more(&mut self, bytes: &[u8]) -> Bytes {
        let Some(translator) = &mut self.running.translator else {
            return whole_events(&mut self.held_back, bytes);
        };
        match self.decoder.push(bytes) {
            Ok(events) => {
                let events = events.into_iter().map(|event| match event {
                    SseEvent::Data(data) => translator.event(&data),
                    SseEvent::Comment(_) => String::new(),
                });
                events.collect::<String>().into()
            }
            Err(error) => {
                self.is_over = true;
                let error = ApiError::bad_gateway(format!("The worker's stream cannot be read: {error}."));
                translator.failed(&error).into()
            }
        }
    }

    /// What is left when the worker has said all.
    fn rest(&mut self) -> BytesMut {
        if let Some(translator) = &mut self.running.translator {
            // The last event may lack its end.
            let events = self.decoder.push(b"\n\n").unwrap_or_default();
            let mut rest = BytesMut::new();
            for event in events {
                if let SseEvent::Data(data) = event {
                    rest.extend_from_slice(translator.event(&data).as_bytes());
                }
            }
            rest.extend_from_slice(translator.end().as_bytes());
            return rest;
        }
        let mut rest = self.held_back.split();
        if !rest.is_empty() {
            rest.extend_from_slice(b"\n\n");
        }
        rest
    }
}

/// Everything up to the last end of an event; the rest is held back.
fn whole_events(held_back: &mut BytesMut, bytes: &[u8]) -> Bytes {
    held_back.extend_from_slice(bytes);
    let end = end_of_events(held_back);
    held_back.split_to(end).freeze()
}

/// The number of bytes up to and with the last blank line.
fn end_of_events(bytes: &[u8]) -> usize {
    let ends: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
    let after = |end: &[u8]| {
        bytes
            .windows(end.len())
            .rposition(|window| window == end)
            .map(|at| at + end.len())
    };
    ends.iter().filter_map(|end| after(end)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_events_are_passed_on() {
        assert_eq!(end_of_events(b"data: a\n\ndata: b"), 9);
        assert_eq!(end_of_events(b"data: a\r\n\r\n"), 11);
        assert_eq!(end_of_events(b"data: a\n"), 0);
        assert_eq!(end_of_events(b""), 0);
    }
}
