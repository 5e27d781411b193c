//! Frames: `length: u32`, `seqno: i32`, then one TL object. Pure: bytes in, bytes out.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::limits::{MAX_FRAME_BYTES, MIN_FRAME_BYTES};

const HEADER_BYTES: usize = 8;

/// Why a stream of frames cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The announced or given length is outside the limits.
    #[error("a frame of {0} bytes is not allowed")]
    Length(usize),
    /// Frames were lost, repeated or reordered.
    #[error("frame number {got} came instead of {expected}")]
    Sequence {
        /// The number that was due.
        expected: i32,
        /// The number that came.
        got: i32,
    },
}

/// Numbers and wraps outgoing objects.
#[derive(Debug, Default)]
pub struct FrameEncoder {
    seqno: i32,
}

impl FrameEncoder {
    /// Appends one frame to `out`. On an error nothing is written and the numbering goes on undisturbed.
    pub fn encode(&mut self, object: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
        check_length(object.len())?;
        out.reserve(HEADER_BYTES + object.len());
        // The length fits: it was just checked against the limit of 2^24.
        out.put_u32_le(object.len() as u32);
        out.put_i32_le(self.seqno);
        out.put_slice(object);
        self.seqno = self.seqno.wrapping_add(1);
        Ok(())
    }
}

/// Splits incoming bytes into objects.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
    seqno: i32,
}

impl FrameDecoder {
    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete object. Header errors are found as soon as the header is there, before its body is awaited.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, s0, s1, s2, s3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let got = i32::from_le_bytes([s0, s1, s2, s3]);
        check_length(length)?;
        if got != self.seqno {
            return Err(FrameError::Sequence {
                expected: self.seqno,
                got,
            });
        }
        if self.buffer.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        self.seqno = self.seqno.wrapping_add(1);
        self.buffer.advance(HEADER_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

fn check_length(length: usize) -> Result<(), FrameError> {
    if (MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(&length) {
        Ok(())
    } else {
        Err(FrameError::Length(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_survive_any_split_of_the_stream(
            objects in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 4..200), 1..8),
            step in 1usize..97,
        ) {
            let (mut encoder, mut out) = (FrameEncoder::default(), BytesMut::new());
            for object in &objects {
                encoder.encode(object, &mut out).unwrap();
            }
            let (mut decoder, mut got) = (FrameDecoder::default(), Vec::new());
            for chunk in out.chunks(step) {
                decoder.push(chunk);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, objects);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut decoder = FrameDecoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }

    #[test]
    fn lengths_outside_the_limits_are_refused_at_the_header() {
        for length in [0u32, 3, (1 << 24) + 1, u32::MAX] {
            let mut decoder = FrameDecoder::default();
            decoder.push(&[length.to_le_bytes(), [0; 4]].concat());
            assert_eq!(decoder.next_frame(), Err(FrameError::Length(length as usize)));
        }
        let (mut encoder, mut out) = (FrameEncoder::default(), BytesMut::new());
        assert_eq!(encoder.encode(&[0; 3], &mut out), Err(FrameError::Length(3)));
        assert!(encoder.encode(&vec![0; 1 << 24], &mut out).is_ok());
        assert_eq!(
            encoder.encode(&vec![0; (1 << 24) + 1], &mut BytesMut::new()),
            Err(FrameError::Length((1 << 24) + 1))
        );
    }

    #[test]
    fn a_wrong_number_is_refused() {
        let mut decoder = FrameDecoder::default();
        decoder.push(&[4, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(decoder.next_frame(), Err(FrameError::Sequence { expected: 0, got: 1 }));
    }
}
