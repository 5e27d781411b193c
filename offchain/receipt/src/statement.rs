//! The worker's side of a receipt: what it did, for whom it does not know.

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, Boc, Cell, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, ParamsVersion, PublicKey};
use ed25519_dalek::{Signer, SigningKey};

use crate::cells::{Reader, build, decode_boc, store_address};
use crate::channel::ChannelLink;
use crate::error::ReceiptError;
use crate::finish::FinishReason;
use crate::limits::FORMAT_VERSION;
use crate::signed::Signature;

/// Constructor of `work_statement` in `contracts/receipt.tlb`.
pub(crate) const OPCODE: u32 = 0xc0c0_57a1;

const PARTIES: &str = "statement parties";
const CHANNEL: &str = "channel";
const HASHES: &str = "statement hashes";
const IDENTITY: &str = "statement identity";
const TOKENS: &str = "statement tokens";

/// What a worker signs about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkStatement {
    /// Root contract whose parameters price the work.
    pub root: Address,
    /// Version of those parameters.
    pub params_version: ParamsVersion,
    /// Proxy contract.
    pub proxy: Address,
    /// Worker contract.
    pub worker: Address,
    /// The payer, blinded ([`crate::blind_client`]).
    pub client: HashBytes,
    /// Request id between proxy and worker.
    pub request_id: HashBytes,
    /// Place in the (proxy, worker) channel; links are hashes of statements.
    pub channel: ChannelLink,
    /// Salted hash of the request bytes.
    pub request_hash: HashBytes,
    /// Salted hash of the answer's body bytes.
    pub response_hash: HashBytes,
    /// Hash of the sampling parameters in force; zero when the worker did not tell.
    pub sampling_hash: HashBytes,
    /// Seed of the sampler; zero when the worker did not tell.
    pub seed: u64,
    /// The model, as the root contract lists it.
    pub model: ModelHash,
    /// SHA-256 of the worker's certificate, which carries its quote.
    pub worker_evidence: HashBytes,
    /// Raw counts; absent when the worker reported only adjusted tokens.
    pub counts: Option<TokenCounts>,
    /// Adjusted tokens.
    pub used: TokensUsed,
    /// Coefficient in force, fixed at dispatch.
    pub coefficient: Coefficient,
    /// When it happened.
    pub timing: Timing,
    /// Why the answer ended.
    pub finish: FinishReason,
}

/// Times of a request in Unix milliseconds, by the proxy's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Dispatch to the worker.
    pub started_ms: u64,
    /// First byte of the answer's body; equal to the end when there was none.
    pub first_token_ms: u64,
    /// End of the answer.
    pub finished_ms: u64,
}

impl WorkStatement {
    /// Tokens charged: the used ones, or fewer when the reservation was smaller.
    pub fn charged(&self) -> u64 {
        self.channel.charged()
    }

    /// Numbers that contradict each other.
    pub fn check_arithmetic(&self) -> Result<(), ReceiptError> {
        self.channel.check_arithmetic()?;
        if !self.used.adds_up() {
            return Err(ReceiptError::Arithmetic("the four classes do not sum to the total"));
        }
        if self.charged() > self.used.total {
            return Err(ReceiptError::Arithmetic("more is charged than was used"));
        }
        if let Some(counts) = self.counts
            && (counts.cached > counts.prompt || counts.reasoning > counts.completion)
        {
            return Err(ReceiptError::Arithmetic("a part is larger than its whole"));
        }
        let Timing {
            started_ms,
            first_token_ms,
            finished_ms,
        } = self.timing;
        if !(started_ms <= first_token_ms && first_token_ms <= finished_ms) {
            return Err(ReceiptError::Arithmetic("times run backwards"));
        }
        Ok(())
    }

    /// Hash that is signed and that the next statement of the channel names.
    pub fn hash(&self) -> HashBytes {
        *self.to_cell().repr_hash()
    }

    /// The worker's signature with its leaf key.
    pub fn sign(&self, leaf_key: &SigningKey) -> Signature {
        Signature(leaf_key.sign(self.hash().as_slice()).to_bytes())
    }

    /// Checks the worker's signature.
    pub fn verify(&self, signature: &Signature, leaf_key: &PublicKey) -> Result<(), ReceiptError> {
        signature.verify_statement(&self.hash(), leaf_key)
    }

    /// As a bag of cells.
    pub fn to_boc(&self) -> Vec<u8> {
        Boc::encode(self.to_cell())
    }

    /// From a bag of cells: total, and nothing may be left over.
    pub fn from_boc(bytes: &[u8]) -> Result<Self, ReceiptError> {
        Self::from_cell(&decode_boc(bytes)?)
    }

    /// As a cell.
    pub fn to_cell(&self) -> Cell {
        let parties = build(|b| {
            store_address(b, &self.root)?;
            store_address(b, &self.proxy)?;
            store_address(b, &self.worker)
        });
        let identity = build(|b| {
            b.store_u256(&self.model.to_hash_bytes())?;
            b.store_u256(&self.worker_evidence)
        });
        let hashes = build(|b| {
            b.store_u256(&self.request_hash)?;
            b.store_u256(&self.response_hash)?;
            b.store_u256(&self.sampling_hash)?;
            b.store_reference(identity)
        });
        build(|b| {
            b.store_u32(OPCODE)?;
            b.store_u8(FORMAT_VERSION)?;
            b.store_u32(self.params_version.get())?;
            b.store_u32(self.coefficient.get())?;
            b.store_u8(self.finish.code())?;
            b.store_u64(self.seed)?;
            b.store_u64(self.timing.started_ms)?;
            b.store_u64(self.timing.first_token_ms)?;
            b.store_u64(self.timing.finished_ms)?;
            b.store_u256(&self.client)?;
            b.store_u256(&self.request_id)?;
            b.store_reference(parties)?;
            b.store_reference(channel_cell(&self.channel))?;
            b.store_reference(hashes)?;
            b.store_reference(self.tokens_cell())
        })
    }

    /// From a cell: total, and nothing may be left over.
    pub fn from_cell(cell: &Cell) -> Result<Self, ReceiptError> {
        let mut root = Reader::new("statement", cell)?;
        root.header(OPCODE)?;
        let params_version = ParamsVersion::new(root.u32()?);
        let coefficient = Coefficient::new(root.u32()?);
        let finish = FinishReason::from_code(root.u8()?)?;
        let seed = root.u64()?;
        let timing = Timing {
            started_ms: root.u64()?,
            first_token_ms: root.u64()?,
            finished_ms: root.u64()?,
        };
        let (client, request_id) = (root.hash()?, root.hash()?);
        let cells = [
            root.reference()?,
            root.reference()?,
            root.reference()?,
            root.reference()?,
        ];
        root.end()?;

        let mut parties = Reader::new(PARTIES, &cells[0])?;
        let (root, proxy, worker) = (parties.address()?, parties.address()?, parties.address()?);
        parties.end()?;
        let channel = channel_from_cell(&cells[1])?;
        let mut hashes = Reader::new(HASHES, &cells[2])?;
        let (request_hash, response_hash, sampling_hash) = (hashes.hash()?, hashes.hash()?, hashes.hash()?);
        let identity = hashes.reference()?;
        hashes.end()?;
        let mut identity = Reader::new(IDENTITY, &identity)?;
        let (model, worker_evidence) = (ModelHash::from(identity.hash()?), identity.hash()?);
        identity.end()?;
        let (used, counts) = tokens_from_cell(&cells[3])?;

        let statement = Self {
            root,
            params_version,
            proxy,
            worker,
            client,
            request_id,
            channel,
            request_hash,
            response_hash,
            sampling_hash,
            seed,
            model,
            worker_evidence,
            counts,
            used,
            coefficient,
            timing,
            finish,
        };
        statement.check_arithmetic()?;
        Ok(statement)
    }

    fn tokens_cell(&self) -> Cell {
        build(|b| {
            let TokensUsed {
                prompt,
                cached,
                completion,
                reasoning,
                total,
            } = self.used;
            for number in [prompt, cached, completion, reasoning, total] {
                b.store_u64(number)?;
            }
            b.store_bit(self.counts.is_some())?;
            if let Some(TokenCounts {
                prompt,
                cached,
                completion,
                reasoning,
            }) = self.counts
            {
                for number in [prompt, cached, completion, reasoning] {
                    b.store_u64(number)?;
                }
            }
            Ok(())
        })
    }
}

fn tokens_from_cell(cell: &Cell) -> Result<(TokensUsed, Option<TokenCounts>), ReceiptError> {
    let mut r = Reader::new(TOKENS, cell)?;
    let used = TokensUsed {
        prompt: r.u64()?,
        cached: r.u64()?,
        completion: r.u64()?,
        reasoning: r.u64()?,
        total: r.u64()?,
    };
    let counts = if r.bit()? {
        Some(TokenCounts {
            prompt: r.u64()?,
            cached: r.u64()?,
            completion: r.u64()?,
            reasoning: r.u64()?,
        })
    } else {
        None
    };
    r.end()?;
    Ok((used, counts))
}

pub(crate) fn channel_cell(link: &ChannelLink) -> Cell {
    build(|b| {
        b.store_u64(link.seqno)?;
        b.store_u256(&link.previous)?;
        b.store_u64(link.before)?;
        b.store_u64(link.after)
    })
}

pub(crate) fn channel_from_cell(cell: &Cell) -> Result<ChannelLink, ReceiptError> {
    let mut r = Reader::new(CHANNEL, cell)?;
    let link = ChannelLink {
        seqno: r.u64()?,
        previous: r.hash()?,
        before: r.u64()?,
        after: r.u64()?,
    };
    r.end()?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    proptest! {
        #[test]
        fn a_statement_survives_its_boc(statement in samples::any_statement()) {
            let boc = statement.to_boc();
            prop_assert!(boc.len() <= crate::limits::MAX_RECEIPT_BYTES);
            prop_assert_eq!(WorkStatement::from_boc(&boc).unwrap(), statement);
        }

        #[test]
        fn a_flipped_bit_is_refused_or_changes_the_hash(statement in samples::any_statement(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut boc = statement.to_boc();
            let at = at.index(boc.len());
            boc[at] ^= 1 << bit;
            if let Ok(other) = WorkStatement::from_boc(&boc) {
                prop_assert!(other == statement || other.hash() != statement.hash());
            }
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(WorkStatement::from_boc(&bytes).is_err());
        }
    }

    #[test]
    fn only_the_workers_key_verifies() {
        let statement = samples::statement();
        let key = SigningKey::from_bytes(&[1; 32]);
        let signature = statement.sign(&key);
        assert_eq!(statement.verify(&signature, &PublicKey::from(&key)), Ok(()));
        let other = PublicKey::from(&SigningKey::from_bytes(&[2; 32]));
        assert_eq!(statement.verify(&signature, &other), Err(ReceiptError::WorkerSignature));
    }

    #[test]
    fn contradicting_numbers_are_refused_at_decoding() {
        let sample = samples::statement();
        let mut wrong_total = sample.clone();
        wrong_total.used.total += 1;
        let mut overcharged = sample.clone();
        overcharged.channel.after += 1000;
        let mut backwards = sample.clone();
        backwards.timing.finished_ms = 0;
        let mut parts = sample;
        parts.counts = Some(TokenCounts {
            prompt: 1,
            cached: 2,
            completion: 0,
            reasoning: 0,
        });
        for bad in [wrong_total, overcharged, backwards, parts] {
            assert!(matches!(
                WorkStatement::from_boc(&bad.to_boc()),
                Err(ReceiptError::Arithmetic(_))
            ));
        }
    }
}
