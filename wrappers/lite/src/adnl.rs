//! The transport under lite servers, ADNL over TCP: one packet that makes two ciphers known to both ends, then frames.
//!
//! A server is known by its Ed25519 key. Who asks is not known at all.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use sha2::{Digest as _, Sha256, Sha512};

use crate::LiteError;
use crate::limits::{MAX_FRAME_BYTES, MIN_FRAME_BYTES};

/// Bytes of the first packet.
pub const HANDSHAKE_BYTES: usize = 256;

/// Bytes of what both ends make their ciphers from.
pub const PARAMS_BYTES: usize = 160;

/// `pub.ed25519` of the public scheme, as its bytes begin.
const ED25519: [u8; 4] = 0x4813_b4c6_u32.to_le_bytes();

/// The short name of a key: of a server, or of a validator.
pub fn short_name(key: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(ED25519).chain_update(key).finalize().into()
}

/// The key of a server.
#[derive(Clone)]
pub struct ServerKey {
    scalar: [u8; 32],
    public: [u8; 32],
}

impl ServerKey {
    /// The key of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let scalar = scalar_of(seed);
        Self {
            scalar,
            public: EdwardsPoint::mul_base_clamped(scalar).compress().0,
        }
    }

    /// What clients know it by.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// Both ciphers of one end of a connection. Frames must be sealed and opened in their order.
pub struct Session {
    incoming: Stream,
    outgoing: Stream,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(..)")
    }
}

/// The first packet of a client and its end of the session. `seed` and `params` must be fresh random bytes.
pub fn greet(
    server: &[u8; 32],
    seed: &[u8; 32],
    params: &[u8; PARAMS_BYTES],
) -> Result<([u8; HANDSHAKE_BYTES], Session), LiteError> {
    let scalar = scalar_of(seed);
    let shared = shared(server, &scalar)?;
    let checksum: [u8; 32] = Sha256::digest(params).into();
    let mut hidden = *params;
    wrapping(&shared, &checksum)?.apply(&mut hidden)?;
    let mut packet = [0; HANDSHAKE_BYTES];
    let own = EdwardsPoint::mul_base_clamped(scalar).compress().0;
    let parts = [short_name(server).as_slice(), &own, &checksum, &hidden].concat();
    packet.copy_from_slice(&parts);
    let [first, second] = streams(params)?;
    Ok((
        packet,
        Session {
            incoming: first,
            outgoing: second,
        },
    ))
}

/// A server's end of the session that a client's first packet asks for.
pub fn admit(key: &ServerKey, packet: &[u8; HANDSHAKE_BYTES]) -> Result<Session, LiteError> {
    let cut = || LiteError::Transport("the first packet is cut short");
    let (name, rest) = packet.split_first_chunk::<32>().ok_or_else(cut)?;
    let (client, rest) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    let (checksum, rest) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    if *name != short_name(&key.public) {
        return Err(LiteError::Transport("the first packet is for another server"));
    }
    let mut params: [u8; PARAMS_BYTES] = rest.try_into().map_err(|_| cut())?;
    let shared = shared(client, &key.scalar)?;
    wrapping(&shared, checksum)?.apply(&mut params)?;
    if Sha256::digest(params).as_slice() != checksum {
        return Err(LiteError::Transport("the first packet's checksum is wrong"));
    }
    let [first, second] = streams(&params)?;
    Ok(Session {
        incoming: second,
        outgoing: first,
    })
}

impl Session {
    /// A frame with a payload. `nonce` must be fresh random bytes.
    pub fn seal(&mut self, nonce: &[u8; 32], payload: &[u8]) -> Result<Vec<u8>, LiteError> {
        let length = payload.len().saturating_add(MIN_FRAME_BYTES);
        if length > MAX_FRAME_BYTES {
            return Err(LiteError::Transport("a message is too large"));
        }
        let checksum = Sha256::new().chain_update(nonce).chain_update(payload).finalize();
        let length = u32::try_from(length).map_err(|_| LiteError::Transport("a message is too large"))?;
        let mut frame = [length.to_le_bytes().as_slice(), nonce, payload, &checksum].concat();
        self.outgoing.apply(&mut frame)?;
        Ok(frame)
    }

    /// How many bytes follow the first four of a frame.
    pub fn open_length(&mut self, mut head: [u8; 4]) -> Result<usize, LiteError> {
        self.incoming.apply(&mut head)?;
        let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
        if !(MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(&length) {
            return Err(LiteError::Transport(
                "a frame has an impossible length: is the server's key right?",
            ));
        }
        Ok(length)
    }

    /// The payload of the rest of a frame.
    pub fn open(&mut self, mut body: Vec<u8>) -> Result<Vec<u8>, LiteError> {
        self.incoming.apply(&mut body)?;
        let wrong = || LiteError::Transport("a frame's checksum is wrong");
        let (content, checksum) = body.split_last_chunk::<32>().ok_or_else(wrong)?;
        if Sha256::digest(content).as_slice() != checksum {
            return Err(wrong());
        }
        content.get(32..).map(<[u8]>::to_vec).ok_or_else(wrong)
    }
}

/// AES-256 in counter mode, whose key stream goes on from call to call.
struct Stream(StreamingEncryptingKey);

impl Stream {
    fn new(key: &[u8], start: &[u8]) -> Result<Self, LiteError> {
        let failed = |_| LiteError::Transport("the cipher cannot be set up");
        let start: [u8; 16] = start
            .try_into()
            .map_err(|_| LiteError::Transport("the cipher's start is cut short"))?;
        let key = UnboundCipherKey::new(&AES_256, key).map_err(failed)?;
        let context = EncryptionContext::Iv128(FixedLength::from(start));
        StreamingEncryptingKey::less_safe_ctr(key, context)
            .map(Self)
            .map_err(failed)
    }

    fn apply(&mut self, data: &mut [u8]) -> Result<(), LiteError> {
        let failed = || LiteError::Transport("the cipher failed");
        let mut output = vec![0; data.len().saturating_add(16)];
        let update = self.0.update(data, &mut output).map_err(|_| failed())?;
        let written = update.written();
        if written.len() != data.len() {
            return Err(failed());
        }
        data.copy_from_slice(written);
        Ok(())
    }
}

/// The ciphers from server to client and back.
fn streams(params: &[u8; PARAMS_BYTES]) -> Result<[Stream; 2], LiteError> {
    let part = |from: usize, to: usize| params.get(from..to).unwrap_or_default();
    Ok([
        Stream::new(part(0, 32), part(64, 80))?,
        Stream::new(part(32, 64), part(80, 96))?,
    ])
}

/// The cipher that hides the parameters in the first packet.
fn wrapping(shared: &[u8; 32], checksum: &[u8; 32]) -> Result<Stream, LiteError> {
    let [shared_low, shared_high] = halves(shared);
    let [_, checksum_high] = halves(checksum);
    let key = [shared_low, checksum_high].concat();
    let start = [
        checksum.get(..4).unwrap_or_default(),
        shared_high.get(4..).unwrap_or_default(),
    ];
    Stream::new(&key, &start.concat())
}

fn halves(bytes: &[u8; 32]) -> [&[u8]; 2] {
    let (low, high) = bytes.split_at(16);
    [low, high]
}

fn scalar_of(seed: &[u8; 32]) -> [u8; 32] {
    let hash: [u8; 64] = Sha512::digest(seed).into();
    let mut scalar = [0; 32];
    scalar.copy_from_slice(hash.split_at(32).0);
    scalar
}

fn shared(public: &[u8; 32], scalar: &[u8; 32]) -> Result<[u8; 32], LiteError> {
    let point = CompressedEdwardsY(*public).decompress();
    let point = point.ok_or(LiteError::Transport("the server's key is none"))?;
    let shared = point.to_montgomery().mul_clamped(*scalar).0;
    // A point of small order would make the session readable for everybody.
    if shared == [0; 32] {
        return Err(LiteError::Transport("the server's key is of small order"));
    }
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A public server's key, and what a client of it sends with these random bytes: published with another client.
    const SERVER: &str = "9f85439d2094b92a639c2c9493d7b740e39dea8d08b525986d39d6dd69e7f309";
    const PACKET: &str = "5b281b7d9c4559afe95175a529ffd1b6bfb818fb73cf4ac47d7d500d8a25f9dcd04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c977873785afab363ab509cd0ef3eaf2c68a0087b2469aeadf927ba4378c1e6f372923a008439a231a8ea4ff01e166f8f2f862e0eb984d63b468a261f415ff7167efa9d608b0cd8bcd466954506df085143e02e4f7a14967eda504a8eec41d8c0cb5dac4e6a888cecbd76f6c7d2006540cba62aad120191af27378b1317a3e06c42498ea27d2b44f1041407406da6c73738af0958ec1d4b70710cd7d414824b07d30ba647717b3c729e3e9a31b7d51c4069ebea9f12db7c980535cdbfc664251ac6c6ea9";
    const FRAME: &str = "1226b10422a78cec84bb185099587ad191f680319c0d4ac7c84041a9344ca708944fd72c06279304de013d4e31638ced02f51083bb8e1553ee3fd91eedaee9cbde5eb5b85168861aeda9114ae1fc6aa4984e556c3e6c";

    fn params() -> [u8; PARAMS_BYTES] {
        std::array::from_fn(|place| u8::try_from((place * 3 + 5) % 256).unwrap())
    }

    #[test]
    fn the_first_packet_and_frame_have_the_bytes_that_public_servers_know() {
        let server: [u8; 32] = hex::decode(SERVER).unwrap().try_into().unwrap();
        let (packet, mut session) = greet(&server, &[0x11; 32], &params()).unwrap();
        assert_eq!(hex::encode(packet), PACKET);
        let frame = session.seal(&[0x22; 32], b"getMasterchainInfo").unwrap();
        assert_eq!(hex::encode(frame), FRAME);
    }

    fn opened(session: &mut Session, frame: &[u8]) -> Result<Vec<u8>, LiteError> {
        let length = session.open_length(frame[..4].try_into().unwrap())?;
        assert_eq!(length, frame.len() - 4);
        session.open(frame[4..].to_vec())
    }

    #[test]
    fn both_ends_understand_each_other_and_nobody_else() {
        let key = ServerKey::from_seed(&[7; 32]);
        let (packet, mut client) = greet(key.public(), &[1; 32], &params()).unwrap();
        let mut server = admit(&key, &packet).unwrap();
        for length in [0, 1, 15, 16, 17, 1000] {
            let payload = vec![3; length];
            let there = client.seal(&[4; 32], &payload).unwrap();
            assert_eq!(opened(&mut server, &there).unwrap(), payload);
            let back = server.seal(&[5; 32], &payload).unwrap();
            assert_eq!(opened(&mut client, &back).unwrap(), payload);
        }
        let mut spoilt = client.seal(&[4; 32], b"payload").unwrap();
        spoilt[40] ^= 1;
        assert!(opened(&mut server, &spoilt).is_err());
        assert!(admit(&ServerKey::from_seed(&[8; 32]), &packet).is_err());
        let mut torn = packet;
        torn[200] ^= 1;
        assert!(admit(&key, &torn).is_err());
    }

    #[test]
    fn keys_that_hide_nothing_are_refused() {
        // The neutral element, and a number that is no point.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut no_point = [0; 32];
        no_point[0] = 2;
        for key in [neutral, no_point] {
            assert!(greet(&key, &[1; 32], &params()).is_err());
        }
    }
}
