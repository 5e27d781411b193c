//! Steps from block to block as bytes.

use cocoon_bindings::ton::HashBytes;

use super::{BlockId, Link, Signatures, Vote};
use crate::LiteError;
use crate::limits::{MAX_CANDIDATE_BYTES, MAX_SIGNATURES};
use crate::tl::{Reader, Writer};

const LINK_FORWARD: u32 = 0x520f_ce1c;
const LINK_BACK: u32 = 0xef7e_1bef;
const SIGNATURE_SET: u32 = 0xf644_a6e6;
const SIGNATURE_SET_SIMPLEX: u32 = 0xac24_9800;

impl Link {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, LiteError> {
        let kind = reader.u32()?;
        let to_key_block = reader.bool()?;
        let (from, to) = (BlockId::read(reader)?, BlockId::read(reader)?);
        let dest_proof = reader.bytes()?.to_vec();
        let second = reader.bytes()?.to_vec();
        match kind {
            LINK_FORWARD => Ok(Self::Forward {
                to_key_block,
                from,
                to,
                dest_proof,
                config_proof: second,
                signatures: Signatures::read(reader)?,
            }),
            LINK_BACK => Ok(Self::Back {
                to_key_block,
                from,
                to,
                dest_proof,
                proof: second,
                state_proof: reader.bytes()?.to_vec(),
            }),
            _ => Err(LiteError::Message("an unknown step")),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let (kind, to_key_block, from, to, proofs) = match self {
            Self::Forward {
                to_key_block,
                from,
                to,
                dest_proof,
                config_proof,
                ..
            } => (LINK_FORWARD, to_key_block, from, to, vec![dest_proof, config_proof]),
            Self::Back {
                to_key_block,
                from,
                to,
                dest_proof,
                proof,
                state_proof,
            } => (LINK_BACK, to_key_block, from, to, vec![dest_proof, proof, state_proof]),
        };
        writer.u32(kind);
        writer.bool(*to_key_block);
        from.write(writer);
        to.write(writer);
        proofs.iter().for_each(|proof| writer.bytes(proof));
        if let Self::Forward { signatures, .. } = self {
            signatures.write(writer);
        }
    }
}

impl Signatures {
    fn read(reader: &mut Reader<'_>) -> Result<Self, LiteError> {
        // The two forms have their first two fields in different order.
        let kind = reader.u32()?;
        let (first, second) = (reader.u32()?, reader.u32()?);
        let (validator_set_hash, catchain_seqno) = match kind {
            SIGNATURE_SET => (first, second),
            SIGNATURE_SET_SIMPLEX => (second, first),
            _ => return Err(LiteError::Message("an unknown kind of signatures")),
        };
        let count = reader.count(MAX_SIGNATURES)?;
        let signatures = (0..count).map(|_| {
            let name = HashBytes(reader.array()?);
            let signature = reader.bytes()?.try_into();
            Ok((
                name,
                signature.map_err(|_| LiteError::Message("a signature of another length"))?,
            ))
        });
        let signatures = signatures.collect::<Result<_, LiteError>>()?;
        let vote = match kind {
            SIGNATURE_SET => None,
            _ => {
                let (session_id, slot) = (HashBytes(reader.array()?), reader.u32()?);
                let candidate = reader.bytes()?;
                if candidate.len() > MAX_CANDIDATE_BYTES {
                    return Err(LiteError::Message("a candidate is too large"));
                }
                Some(Vote {
                    session_id,
                    slot,
                    candidate: candidate.to_vec(),
                })
            }
        };
        Ok(Self {
            validator_set_hash,
            catchain_seqno,
            signatures,
            vote,
        })
    }

    fn write(&self, writer: &mut Writer) {
        let fields = match &self.vote {
            None => [SIGNATURE_SET, self.validator_set_hash, self.catchain_seqno],
            Some(_) => [SIGNATURE_SET_SIMPLEX, self.catchain_seqno, self.validator_set_hash],
        };
        fields.into_iter().for_each(|field| writer.u32(field));
        writer.count(self.signatures.len());
        for (name, signature) in &self.signatures {
            writer.raw(name.as_array());
            writer.bytes(signature);
        }
        if let Some(vote) = &self.vote {
            writer.raw(vote.session_id.as_array());
            writer.u32(vote.slot);
            writer.bytes(&vote.candidate);
        }
    }
}
