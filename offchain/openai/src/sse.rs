//! Server-sent events: written, and read from pieces that are cut anywhere.

use crate::limits::MAX_EVENT_BYTES;

/// The event that ends a stream.
pub const DONE: &str = "[DONE]";

/// One data event. Line breaks inside the data become several `data:` lines, which readers join again.
pub fn encode_data(data: &str) -> String {
    let mut out = String::with_capacity(data.len() + 8);
    for line in data.split('\n') {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out
}

/// One data event with a name. The name has no line breaks.
pub fn encode_event(name: &str, data: &str) -> String {
    format!("event: {name}\n{}", encode_data(data))
}

/// A comment, which readers skip. Line breaks become spaces.
pub fn encode_comment(text: &str) -> String {
    format!(": {}\n\n", text.replace(['\n', '\r'], " "))
}

/// Reads data events from a byte stream.
#[derive(Default)]
pub struct SseDecoder {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    skip_line_feed: bool,
    comments: bool,
}

/// What a stream holds.
#[derive(Clone, PartialEq, Eq)]
pub enum SseEvent {
    /// A data event.
    Data(String),
    /// A comment, if the decoder was told to keep them.
    Comment(String),
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseError {
    /// An event is longer than allowed.
    #[error("an event of the stream is too long")]
    TooLong,
    /// An event is not UTF-8.
    #[error("an event of the stream is not UTF-8")]
    Encoding,
}

impl SseDecoder {
    /// A decoder that keeps comments too.
    pub fn with_comments() -> Self {
        Self {
            comments: true,
            ..Self::default()
        }
    }

    /// Takes the next piece; gives the events that it completes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, SseError> {
        let mut events = Vec::new();
        for &byte in bytes {
            if std::mem::take(&mut self.skip_line_feed) && byte == b'\n' {
                continue;
            }
            match byte {
                b'\r' | b'\n' => {
                    self.skip_line_feed = byte == b'\r';
                    self.end_line(&mut events)?;
                }
                _ => {
                    self.line.push(byte);
                    if self.line.len() + self.data.len() > MAX_EVENT_BYTES {
                        return Err(SseError::TooLong);
                    }
                }
            }
        }
        Ok(events)
    }

    /// Nothing is pending: the stream may end here.
    pub fn is_at_border(&self) -> bool {
        self.line.is_empty() && !self.has_data
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_data) {
                events.push(SseEvent::Data(String::from_utf8(data).map_err(|_| SseError::Encoding)?));
            }
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix(b":") {
            if self.comments {
                let text = std::str::from_utf8(comment).map_err(|_| SseError::Encoding)?;
                events.push(SseEvent::Comment(text.strip_prefix(' ').unwrap_or(text).to_owned()));
            }
            return Ok(());
        }
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &[][..]),
        };
        if field == b"data" {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        Ok(())
    }
}

/// Sizes only: events are content.
impl std::fmt::Debug for SseEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Comment(text) => write!(f, "Comment({} bytes)", text.len()),
        }
    }
}

/// Sizes only: pending bytes are content.
impl std::fmt::Debug for SseDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SseDecoder({} bytes pending)", self.line.len() + self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = SseDecoder::default();
        pieces.iter().flat_map(|piece| decoder.push(piece).unwrap()).collect()
    }

    fn data(text: &str) -> SseEvent {
        SseEvent::Data(text.into())
    }

    #[test]
    fn all_line_ends_and_fields_are_understood() {
        let stream = b"event: x\r\ndata: a\r\n\r\n: note\n\ndata:b\ndata: c\n\nid: 1\rdata\r\rretry: 3\n\n";
        assert_eq!(read(&[stream]), vec![data("a"), data("b\nc"), data("")]);
    }

    #[test]
    fn an_unfinished_event_is_not_given() {
        let mut decoder = SseDecoder::default();
        assert_eq!(decoder.push(b"data: half").unwrap(), vec![]);
        assert!(!decoder.is_at_border());
        assert_eq!(decoder.push(b"\n\n").unwrap(), vec![data("half")]);
        assert!(decoder.is_at_border());
    }

    #[test]
    fn comments_are_kept_on_request() {
        let mut decoder = SseDecoder::with_comments();
        let events = decoder.push(encode_comment("receipt 12").as_bytes()).unwrap();
        assert_eq!(events, vec![SseEvent::Comment("receipt 12".into())]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut decoder = SseDecoder::default();
        let piece = vec![b'x'; 1 << 20];
        let error = (0..5).find_map(|_| decoder.push(&piece).err());
        assert_eq!(error, Some(SseError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_whatever_the_cuts(texts in proptest::collection::vec("[^\r]{0,40}", 0..8), step in 1usize..50) {
            let stream: String = texts.iter().map(|t| encode_data(t)).collect();
            let pieces: Vec<&[u8]> = stream.as_bytes().chunks(step).collect();
            prop_assert_eq!(read(&pieces), texts.iter().map(|t| data(t)).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_give_events_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = SseDecoder::with_comments().push(&bytes);
        }
    }
}
