//! What a client checks before it believes a receipt.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;

use crate::channel::ChannelHead;
use crate::error::ReceiptError;
use crate::receipt::ReceiptId;
use crate::salted::salted_hash;
use crate::signed::SignedReceipt;

/// What the client knows about its own request, from its side of the connection and from the chain.
#[derive(Debug, Clone, Copy)]
pub struct ClientView<'a> {
    /// Key in the proxy contract.
    pub proxy_key: &'a PublicKey,
    /// Root contract.
    pub root: &'a Address,
    /// Proxy contract.
    pub proxy: &'a Address,
    /// Own client contract.
    pub client: &'a Address,
    /// Own request id.
    pub request_id: HashBytes,
    /// The channel as the last verified receipt left it.
    pub head: ChannelHead,
    /// Salt that came with the receipt.
    pub request_salt: &'a [u8; 32],
    /// Salt that came with the receipt.
    pub response_salt: &'a [u8; 32],
    /// The request as it was sent.
    pub request: &'a [u8],
    /// The body as it was received.
    pub response: &'a [u8],
}

/// Checks a receipt against everything that the client itself saw. Returns the channel's new head and how many receipts
/// of the channel the client never got (lost with an earlier connection).
///
/// Whether the adjusted tokens follow from the counts is the ledger's `pricing::adjust`, whether the worker's signature and
/// evidence hold needs its certificate: [`SignedReceipt::verify_worker`].
pub fn verify_for_client(signed: &SignedReceipt, view: &ClientView<'_>) -> Result<(ChannelHead, u64), ReceiptError> {
    verify_named_for_client(signed, &signed.id(), view)
}

/// The same when the receipt's own name is at hand.
pub(crate) fn verify_named_for_client(
    signed: &SignedReceipt,
    id: &ReceiptId,
    view: &ClientView<'_>,
) -> Result<(ChannelHead, u64), ReceiptError> {
    let receipt = &signed.receipt;
    signed.verify_proxy_of(id, view.proxy_key)?;
    receipt.check_arithmetic()?;
    expect("root contract", &receipt.statement.root == view.root)?;
    expect("proxy contract", &receipt.statement.proxy == view.proxy)?;
    expect("client contract", &receipt.client == view.client)?;
    expect("request", receipt.request_id == view.request_id)?;
    content(
        "request",
        salted_hash(view.request_salt, view.request),
        receipt.statement.request_hash,
    )?;
    content(
        "response",
        salted_hash(view.response_salt, view.response),
        receipt.statement.response_hash,
    )?;
    Ok(view.head.follow(&receipt.channel, id.0)?)
}

fn expect(field: &'static str, holds: bool) -> Result<(), ReceiptError> {
    if holds {
        Ok(())
    } else {
        Err(ReceiptError::Mismatch { field })
    }
}

fn content(what: &'static str, computed: HashBytes, stated: HashBytes) -> Result<(), ReceiptError> {
    if computed == stated {
        Ok(())
    } else {
        Err(ReceiptError::ContentHash { what, computed, stated })
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::samples;

    fn check(change: impl FnOnce(&mut ClientView<'_>)) -> Result<(ChannelHead, u64), ReceiptError> {
        let mut receipt = samples::receipt();
        let (salt, request, response) = ([1; 32], b"question", b"answer");
        receipt.statement.request_hash = salted_hash(&salt, request);
        receipt.statement.response_hash = salted_hash(&salt, response);
        let key = SigningKey::from_bytes(&[1; 32]);
        let signed = SignedReceipt::sign(receipt.clone(), &key);
        let public = PublicKey::from(&key);
        let mut view = ClientView {
            proxy_key: &public,
            root: &receipt.statement.root,
            proxy: &receipt.statement.proxy,
            client: &receipt.client,
            request_id: receipt.request_id,
            head: ChannelHead {
                seqno: receipt.channel.seqno - 1,
                hash: receipt.channel.previous,
                total: receipt.channel.before,
            },
            request_salt: &salt,
            response_salt: &salt,
            request,
            response,
        };
        change(&mut view);
        verify_for_client(&signed, &view)
    }

    #[test]
    fn an_honest_receipt_moves_the_head() {
        let receipt = samples::receipt();
        let (head, missing) = check(|_| {}).unwrap();
        assert_eq!(
            (head.seqno, head.total, missing),
            (receipt.channel.seqno, receipt.channel.after, 0)
        );
    }

    #[test]
    fn each_thing_the_client_knows_is_compared() {
        let other_key: &'static _ = Box::leak(Box::new(PublicKey::from(&SigningKey::from_bytes(&[9; 32]))));
        let other: &'static _ = Box::leak(Box::new(samples::address(77)));
        assert_eq!(
            check(|v| v.proxy_key = other_key).unwrap_err(),
            ReceiptError::ProxySignature
        );
        let mismatches = [
            check(|v| v.root = other),
            check(|v| v.proxy = other),
            check(|v| v.client = other),
            check(|v| v.request_id = HashBytes([9; 32])),
        ];
        for mismatch in mismatches {
            assert!(matches!(mismatch, Err(ReceiptError::Mismatch { .. })));
        }
        for bytes in [
            check(|v| v.request = b"other"),
            check(|v| v.response = b"other"),
            check(|v| v.response_salt = &[9; 32]),
        ] {
            assert!(matches!(bytes, Err(ReceiptError::ContentHash { .. })));
        }
        assert!(matches!(
            check(|v| v.head.hash = HashBytes([9; 32])),
            Err(ReceiptError::Channel(_))
        ));
    }
}
