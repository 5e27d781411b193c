//! What a peer holds of this proxy's own signatures: the one thing besides the chain that can prove the database old.

use cocoon_bindings::ton::{Address, parse_boc};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::voucher::SignedVoucher;
use cocoon_ledger::Signed;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::codec::decode;
use cocoon_protocol::extension::Proof;
use cocoon_protocol::handshake::Refusal;
use cocoon_protocol::limits::MAX_PROOF_BYTES;
use cocoon_receipt::{SignedReceipt, WorkStatement};

use crate::error::ProxyError;
use crate::instance::Instance;
use crate::state::Proxy;

/// Compares the database with what the owner of `contract` holds. What our key did not sign about this contract changes
/// nothing, and ends the connection; what it did sign, and the database lacks, ends all service.
pub(crate) fn compare(proxy: &Proxy, instance: &Instance, contract: &Address, proof: &Proof) -> Result<(), Refusal> {
    let signed = verify(proof, instance, contract)
        .ok_or_else(|| Refusal::new(ErrorCode::ProtocolViolation, "the proof is not signed by this proxy"))?;
    let checked = proxy.books.ledger().check_signed(contract, signed);
    checked.map_err(|error| {
        let refusal = Refusal::new(ErrorCode::NotReady, error.to_string());
        proxy.fail(ProxyError::RolledBack(error));
        refusal
    })
}

/// The same for the bytes of a worker's question; none is nothing to compare.
pub(crate) fn compare_bytes(
    proxy: &Proxy,
    instance: &Instance,
    contract: &Address,
    bytes: &[u8],
) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Ok(());
    }
    let proof = decode::<Proof>(bytes).map_err(|error| Refusal::new(ErrorCode::Parse, error.to_string()))?;
    compare(proxy, instance, contract, &proof)
}

/// What is proven about the contract; `None` when our key did not sign it.
fn verify(proof: &Proof, instance: &Instance, contract: &Address) -> Option<Signed> {
    if proof.size() > MAX_PROOF_BYTES {
        return None;
    }
    let key: &PublicKey = &instance.public_key;
    match proof {
        Proof::Receipt { receipt } => {
            let signed = SignedReceipt::from_boc(receipt).ok()?;
            let (receipt, id) = (&signed.receipt, signed.id());
            let is_ours = receipt.client == *contract && receipt.statement.proxy == instance.contract;
            (is_ours && signed.verify_proxy(key).is_ok()).then_some(Signed::Link {
                seqno: receipt.channel.seqno,
                hash: id.0,
            })
        }
        Proof::Statement { statement, signature } => {
            let statement = WorkStatement::from_boc(statement).ok()?;
            let hash = statement.hash();
            let is_ours = statement.worker == *contract && statement.proxy == instance.contract;
            let signature: &[u8; 64] = signature.as_ref().try_into().ok()?;
            (is_ours && key.verifies(hash.as_slice(), signature)).then_some(Signed::Link {
                seqno: statement.channel.seqno,
                hash,
            })
        }
        Proof::Voucher { voucher } => {
            let voucher = SignedVoucher::from_cell(&parse_boc(voucher).ok()?).ok()?;
            voucher.verify(key, contract).ok()?;
            Some(Signed::Total(voucher.tokens()))
        }
    }
}
