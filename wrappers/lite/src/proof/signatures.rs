//! Who signed a block of the masterchain: more than two thirds of those whom a key block names.

use std::collections::BTreeMap;

use cocoon_bindings::ton::HashBytes;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use tycho_types::models::{BlockchainConfig, ShardIdent, ValidatorDescription};

use super::Header;
use crate::LiteError;
use crate::adnl::short_name;
use crate::messages::{BlockId, Signatures, Vote};
use crate::tl::Writer;

const BLOCK_ID: u32 = 0xc50b_6e70;
const DATA_TO_SIGN: u32 = 0xa8e3_3df8;
const FINALIZE_VOTE: u32 = 0x40a7_e105;
const CANDIDATE_ID: u32 = 0xb691_cd3f;
const CANDIDATE_ORDINARY: u32 = 0xe8f9_bcdc;
const CANDIDATE_EMPTY: u32 = 0x72b4_d933;

/// Checks that a block with this header is signed by those whom the configuration names.
pub(super) fn check(
    config: &BlockchainConfig,
    block: &BlockId,
    header: &Header,
    signatures: &Signatures,
) -> Result<(), LiteError> {
    if (header.validator_set_hash, header.catchain_seqno) != (signatures.validator_set_hash, signatures.catchain_seqno)
    {
        return Err(LiteError::Unproven(
            "the signatures are of another session than the block's",
        ));
    }
    let signers = signers(config, header)?;
    let message = match &signatures.vote {
        None => signed_block(block),
        Some(vote) => signed_vote(block, vote)?,
    };
    let mut left: BTreeMap<[u8; 32], &ValidatorDescription> = BTreeMap::new();
    let mut total = 0u64;
    for signer in &signers {
        total = total
            .checked_add(signer.weight)
            .ok_or(LiteError::Unproven("the weights are too large"))?;
        if left.insert(short_name(signer.public_key.as_array()), signer).is_some() {
            return Err(LiteError::Unproven("a signer is listed twice"));
        }
    }
    let mut signed = 0u64;
    for (name, signature) in &signatures.signatures {
        let signer = left.remove(name.as_array());
        let signer = signer.ok_or(LiteError::Unproven("somebody signed who may not, or twice"))?;
        let key = VerifyingKey::from_bytes(signer.public_key.as_array());
        let key = key.map_err(|_| LiteError::Unproven("a signer's key is none"))?;
        key.verify_strict(&message, &Signature::from_bytes(signature))
            .map_err(|_| LiteError::Unproven("a signature does not hold"))?;
        // Below the total, which did not overflow.
        signed = signed.saturating_add(signer.weight);
    }
    if u128::from(signed) * 3 <= u128::from(total) * 2 {
        return Err(LiteError::TooFewSignatures { signed, total });
    }
    Ok(())
}

/// Those who could sign, as the block says in short.
pub(crate) fn signers(config: &BlockchainConfig, header: &Header) -> Result<Vec<ValidatorDescription>, LiteError> {
    let what = "the list of validators";
    let set = config
        .params
        .get_current_validator_set()
        .map_err(LiteError::cells(what))?;
    let sessions = config.params.get_catchain_config().map_err(LiteError::cells(what))?;
    let subset = set.compute_subset(ShardIdent::MASTERCHAIN, &sessions, header.catchain_seqno);
    let (signers, hash) = subset.ok_or(LiteError::Unproven("there are no validators"))?;
    if hash != header.validator_set_hash {
        return Err(LiteError::Unproven("the block was signed by another set of validators"));
    }
    Ok(signers)
}

/// What validators sign: the block itself.
pub(crate) fn signed_block(block: &BlockId) -> Vec<u8> {
    let mut writer = Writer::boxed(BLOCK_ID);
    writer.raw(block.root_hash.as_array());
    writer.raw(block.file_hash.as_array());
    writer.done()
}

/// What validators of the newer consensus sign: that a candidate is final, and the candidate must name the block.
pub(crate) fn signed_vote(block: &BlockId, vote: &Vote) -> Result<Vec<u8>, LiteError> {
    let named = [CANDIDATE_ORDINARY, CANDIDATE_EMPTY].map(|kind| {
        let mut writer = Writer::boxed(kind);
        block.write(&mut writer);
        writer.done()
    });
    if !named.iter().any(|begin| vote.candidate.starts_with(begin)) {
        return Err(LiteError::Unproven("the signatures are of another block"));
    }
    let hash = HashBytes(Sha256::digest(&vote.candidate).into());
    let mut inner = Writer::boxed(FINALIZE_VOTE);
    inner.u32(CANDIDATE_ID);
    inner.u32(vote.slot);
    inner.raw(hash.as_array());
    let mut writer = Writer::boxed(DATA_TO_SIGN);
    writer.raw(vote.session_id.as_array());
    writer.bytes(&inner.done());
    Ok(writer.done())
}
