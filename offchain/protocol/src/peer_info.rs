//! AttestedPeerInfo: what a router tells its local runner about the remote peer, once, before any payload.
//!
//! Our daemons end the attested connection themselves and never read this frame from a socket; it is here for those who
//! sit behind a router.

use crate::limits::MAX_PEER_INFO_BYTES;

const REGISTER_BYTES: usize = 48;
const REGISTERS: usize = 8;

/// What a router says of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedPeerInfo {
    /// Claims of the peer's quote, if it had one.
    pub attestation: Option<Attestation>,
    /// Key id of the root that signed the collateral, zeros when none.
    pub collateral_root_hash: [u8; 48],
    /// The key of the peer's certificate.
    pub public_key: [u8; 32],
    /// Where the connection came from.
    pub source: Endpoint,
    /// Where it went to.
    pub destination: Endpoint,
}

/// Claims of a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// Intel TDX.
    Tdx {
        /// MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMR0 to RTMR3.
        registers: Box<[[u8; REGISTER_BYTES]; REGISTERS]>,
        /// Report data.
        report_data: Box<[u8; 64]>,
    },
    /// Intel SGX. Known to the format; no policy accepts it.
    Sgx {
        /// MRENCLAVE.
        mr_enclave: [u8; 32],
        /// Report data.
        report_data: Box<[u8; 64]>,
    },
}

/// IP address as text, and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Address.
    pub ip: String,
    /// Port.
    pub port: u16,
}

/// Why bytes are not an AttestedPeerInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerInfoError {
    /// The announced length is over the limit.
    #[error("a peer info of {0} bytes is not allowed")]
    TooLong(usize),
    /// The frame or a field in it is cut short.
    #[error("the peer info is cut short")]
    Truncated,
    /// A field holds a value that it cannot have.
    #[error("the peer info has an invalid {0}")]
    Invalid(&'static str),
}

impl AttestedPeerInfo {
    /// Reads the frame at the start of `data`; the second value is the number of bytes that it took. `Ok(None)` asks
    /// for more bytes.
    pub fn read_frame(data: &[u8]) -> Result<Option<(Self, usize)>, PeerInfoError> {
        let Some((length, rest)) = data.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_PEER_INFO_BYTES {
            return Err(PeerInfoError::TooLong(length));
        }
        match rest.get(..length) {
            None => Ok(None),
            Some(payload) => Ok(Some((Self::parse(payload)?, 4 + length))),
        }
    }

    /// Reads a payload; all bytes must be consumed.
    pub fn parse(payload: &[u8]) -> Result<Self, PeerInfoError> {
        let mut rest = payload;
        let attestation = match take_u32(&mut rest)? {
            0 => None,
            1 => Some(Attestation::parse(&mut rest)?),
            _ => return Err(PeerInfoError::Invalid("attestation flag")),
        };
        let collateral_root_hash = *take::<48>(&mut rest)?;
        let public_key = take_bytes(&mut rest)?
            .try_into()
            .map_err(|_| PeerInfoError::Invalid("public key"))?;
        let source = Endpoint::parse(&mut rest)?;
        let destination = Endpoint::parse(&mut rest)?;
        if !rest.is_empty() {
            return Err(PeerInfoError::Invalid("length"));
        }
        Ok(Self {
            attestation,
            collateral_root_hash,
            public_key,
            source,
            destination,
        })
    }

    /// The frame.
    pub fn to_frame(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        match &self.attestation {
            None => payload.extend(0u32.to_le_bytes()),
            Some(attestation) => {
                payload.extend(1u32.to_le_bytes());
                attestation.write(&mut payload);
            }
        }
        payload.extend(self.collateral_root_hash);
        put_bytes(&self.public_key, &mut payload);
        self.source.write(&mut payload);
        self.destination.write(&mut payload);
        let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
        frame.append(&mut payload);
        frame
    }
}

impl Attestation {
    fn parse(rest: &mut &[u8]) -> Result<Self, PeerInfoError> {
        match take_u32(rest)? {
            0 => {
                let mut registers = Box::new([[0; REGISTER_BYTES]; REGISTERS]);
                for register in registers.iter_mut() {
                    *register = *take(rest)?;
                }
                Ok(Self::Tdx {
                    registers,
                    report_data: Box::new(*take(rest)?),
                })
            }
            1 => Ok(Self::Sgx {
                mr_enclave: *take(rest)?,
                report_data: Box::new(*take(rest)?),
            }),
            _ => Err(PeerInfoError::Invalid("attestation kind")),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tdx { registers, report_data } => {
                out.extend(0u32.to_le_bytes());
                out.extend(registers.as_flattened());
                out.extend(report_data.as_slice());
            }
            Self::Sgx {
                mr_enclave,
                report_data,
            } => {
                out.extend(1u32.to_le_bytes());
                out.extend(mr_enclave);
                out.extend(report_data.as_slice());
            }
        }
    }
}

impl Endpoint {
    fn parse(rest: &mut &[u8]) -> Result<Self, PeerInfoError> {
        let ip = std::str::from_utf8(take_bytes(rest)?)
            .map_err(|_| PeerInfoError::Invalid("address"))?
            .to_owned();
        let port = u16::try_from(take_u32(rest)?).map_err(|_| PeerInfoError::Invalid("port"))?;
        Ok(Self { ip, port })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(self.ip.as_bytes(), out);
        out.extend(u32::from(self.port).to_le_bytes());
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], PeerInfoError> {
    let (chunk, tail) = rest.split_first_chunk().ok_or(PeerInfoError::Truncated)?;
    *rest = tail;
    Ok(chunk)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, PeerInfoError> {
    take(rest).map(|bytes| u32::from_le_bytes(*bytes))
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], PeerInfoError> {
    crate::codec::blob::read_slice(rest).map_err(|_| PeerInfoError::Truncated)
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    crate::codec::blob::write_slice(bytes, out);
}
