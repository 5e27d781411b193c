//! One exchange opened to a third party: the receipt, and the bytes and salts behind its two content hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::limits::DISCLOSURE_VERSION;
use crate::{ReceiptError, SignedReceipt, salted_hash};

/// What its owner shows of one answer, and of no other. Its content is not shown in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The receipt.
    pub receipt: SignedReceipt,
    /// Salt of the request's hash.
    pub request_salt: [u8; 32],
    /// The boxed `http.request` as it was sent.
    pub request: Vec<u8>,
    /// Salt of the response's hash.
    pub response_salt: [u8; 32],
    /// All bytes of the body that were delivered.
    pub response: Vec<u8>,
}

/// What is wrong with a disclosure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisclosureError {
    /// Not JSON of this shape, or text in it that is neither hex nor base64 where it should be.
    #[error("not a disclosed exchange: {0}")]
    Format(&'static str),
    /// A version that this code does not know.
    #[error("version {0} of disclosed exchanges is not known")]
    Version(u32),
    /// The receipt in it cannot be read.
    #[error("the receipt in it: {0}")]
    Receipt(#[from] ReceiptError),
    /// The bytes are not those of the receipt.
    #[error("the {0} is not the one that the receipt was made for")]
    Content(&'static str),
}

/// The document: JSON with salts in hex, everything else in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureDocument {
    version: u32,
    receipt: String,
    request_salt: String,
    request: String,
    response_salt: String,
    response: String,
}

impl Disclosure {
    /// Whether receipt and bytes belong together.
    pub fn check(&self) -> Result<(), DisclosureError> {
        let statement = &self.receipt.receipt.statement;
        if salted_hash(&self.request_salt, &self.request) != statement.request_hash {
            return Err(DisclosureError::Content("request"));
        }
        if salted_hash(&self.response_salt, &self.response) != statement.response_hash {
            return Err(DisclosureError::Content("response"));
        }
        Ok(())
    }
}

impl From<&Disclosure> for DisclosureDocument {
    fn from(disclosure: &Disclosure) -> Self {
        Self {
            version: DISCLOSURE_VERSION,
            receipt: STANDARD.encode(disclosure.receipt.to_boc()),
            request_salt: hex::encode(disclosure.request_salt),
            request: STANDARD.encode(&disclosure.request),
            response_salt: hex::encode(disclosure.response_salt),
            response: STANDARD.encode(&disclosure.response),
        }
    }
}

impl TryFrom<DisclosureDocument> for Disclosure {
    type Error = DisclosureError;

    /// Reads the document; the content is checked by [`Disclosure::check`].
    fn try_from(document: DisclosureDocument) -> Result<Self, DisclosureError> {
        if document.version != DISCLOSURE_VERSION {
            return Err(DisclosureError::Version(document.version));
        }
        let bytes = |text: &str, what| STANDARD.decode(text).map_err(|_| DisclosureError::Format(what));
        let salt = |text: &str| {
            let mut salt = [0; 32];
            hex::decode_to_slice(text, &mut salt)
                .map(|()| salt)
                .map_err(|_| DisclosureError::Format("a salt is 64 hex digits"))
        };
        Ok(Self {
            receipt: SignedReceipt::from_boc(&bytes(&document.receipt, "the receipt is not base64")?)?,
            request_salt: salt(&document.request_salt)?,
            request: bytes(&document.request, "the request is not base64")?,
            response_salt: salt(&document.response_salt)?,
            response: bytes(&document.response, "the response is not base64")?,
        })
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disclosure")
            .field("receipt", &self.receipt.id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::receipt;
    use crate::{Signature, SignedReceipt};

    fn opened(request: Vec<u8>, response: Vec<u8>) -> Disclosure {
        let (request_salt, response_salt) = ([3; 32], [4; 32]);
        let mut receipt = SignedReceipt {
            receipt: receipt(),
            proxy_signature: Signature([5; 64]),
            worker_signature: None,
        };
        receipt.receipt.statement.request_hash = salted_hash(&request_salt, &request);
        receipt.receipt.statement.response_hash = salted_hash(&response_salt, &response);
        Disclosure {
            receipt,
            request_salt,
            request,
            response_salt,
            response,
        }
    }

    proptest! {
        #[test]
        fn a_document_leads_back_to_what_was_disclosed(request: Vec<u8>, response: Vec<u8>) {
            let disclosed = opened(request, response);
            let text = serde_json::to_string(&DisclosureDocument::from(&disclosed)).unwrap();
            let document: DisclosureDocument = serde_json::from_str(&text).unwrap();
            let read = Disclosure::try_from(document).unwrap();
            prop_assert_eq!(&read, &disclosed);
            prop_assert_eq!(read.check(), Ok(()));
        }

        #[test]
        fn other_bytes_than_those_of_the_receipt_are_told(request: Vec<u8>, response: Vec<u8>, added: u8) {
            let disclosed = opened(request, response);
            let mut other = disclosed.clone();
            other.request.push(added);
            prop_assert_eq!(other.check(), Err(DisclosureError::Content("request")));
            let mut other = disclosed.clone();
            other.response.push(added);
            prop_assert_eq!(other.check(), Err(DisclosureError::Content("response")));
            let mut other = disclosed;
            other.response_salt[0] ^= 1;
            prop_assert_eq!(other.check(), Err(DisclosureError::Content("response")));
        }
    }

    #[test]
    fn what_is_not_a_disclosure_is_refused_by_its_reason() {
        let document = || DisclosureDocument::from(&opened(vec![1], vec![2]));
        let version = DisclosureDocument {
            version: 2,
            ..document()
        };
        assert_eq!(Disclosure::try_from(version), Err(DisclosureError::Version(2)));
        let salt = DisclosureDocument {
            request_salt: "00".into(),
            ..document()
        };
        assert!(matches!(Disclosure::try_from(salt), Err(DisclosureError::Format(_))));
        let receipt = DisclosureDocument {
            receipt: "AAAA".into(),
            ..document()
        };
        assert!(matches!(
            Disclosure::try_from(receipt),
            Err(DisclosureError::Receipt(_))
        ));
    }

    #[test]
    fn debug_shows_no_content() {
        let shown = format!("{:?}", opened(b"a secret".to_vec(), b"another".to_vec()));
        assert!(!shown.contains("115") && !shown.contains("secret"), "{shown}");
    }
}
