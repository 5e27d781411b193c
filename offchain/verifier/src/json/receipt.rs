//! The question about a receipt.

use cocoon_bindings::Multipliers;
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::ChannelHead;
use cocoon_receipt::limits::MAX_PROOF_NODES;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, base64, hash};
use crate::exchange::{Received, Sent};
use crate::inclusion::Inclusion;
use crate::receipt::{self, Expected, Opened, Prices, ReceiptInput, ReceiptReport};

/// What a receipt is judged by. Members that are not known are left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptDocument {
    /// The signed receipt, a bag of cells in base64.
    pub receipt: String,
    /// Key of the proxy's contract, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_key: Option<String>,
    /// Who and what it should be about.
    #[serde(default)]
    pub expected: ExpectedDocument,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestDocument>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseDocument>,
    /// The highest coefficient that was accepted, thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_coefficient: Option<u32>,
    /// What the root contract asks for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<PricesDocument>,
    /// Certificate of the worker, DER in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_certificate: Option<String>,
    /// Certificate of the proxy, DER in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_certificate: Option<String>,
    /// Where it is in its proxy's log, as `inclusion` of the client's page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusion: Option<InclusionDocument>,
    /// Where the channel stood before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<HeadDocument>,
}

/// Who and what a receipt should be about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedDocument {
    /// Address of the root contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Address of the proxy's contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Address of the contract that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The request, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The request behind a receipt: `bytes` or `sent`, or neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDocument {
    /// Hex.
    pub salt: String,
    /// The boxed `http.request`, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// What was posted to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<SentDocument>,
}

/// What was posted to the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentDocument {
    /// The path.
    pub path: String,
    /// The body, as text.
    pub body: String,
}

/// The answer behind a receipt: `bytes` or `received`, or neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseDocument {
    /// Hex.
    pub salt: String,
    /// The worker's body, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// The client's body, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
}

/// Prices of the root contract: multipliers in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricesDocument {
    /// Version of the parameters.
    pub version: u32,
    /// The multipliers.
    #[serde(flatten)]
    pub multipliers: Multipliers,
}

/// That a receipt is in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionDocument {
    /// Its place, from 0.
    pub index: u64,
    /// The checkpoint as a signed note.
    pub checkpoint: String,
    /// Hashes from the leaf's sibling up to the root's child.
    pub proof: Vec<HashBytes>,
}

/// Where a channel stands. Numbers may be text, because JavaScript's are too small for some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadDocument {
    /// Number of the last receipt; 0 before the first.
    pub seqno: Count,
    /// Its name, hex.
    pub hash: String,
    /// Tokens charged until then.
    pub total: Count,
}

/// A number, or its decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// As a number.
    Number(u64),
    /// As digits.
    Text(String),
}

impl Count {
    fn read(&self, member: &str) -> Result<u64, Failure> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => text
                .parse()
                .map_err(|_| Failure::input(format!("{member} is no number"))),
        }
    }
}

/// The bytes of a question, out of their text.
struct Decoded {
    receipt: Vec<u8>,
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
    worker_certificate: Option<Vec<u8>>,
    proxy_certificate: Option<Vec<u8>>,
}

impl ReceiptDocument {
    /// Judges it.
    pub fn judge(&self) -> Result<ReceiptReport, Failure> {
        let optional = |member: &str, text: Option<&String>| text.map(|text| base64(member, text)).transpose();
        let request = self.request.as_ref();
        let response = self.response.as_ref();
        let decoded = Decoded {
            receipt: base64("receipt", &self.receipt)?,
            request: optional("request.bytes", request.and_then(|one| one.bytes.as_ref()))?,
            response: optional(
                "response",
                response.and_then(|one| one.bytes.as_ref().or(one.received.as_ref())),
            )?,
            worker_certificate: optional("worker_certificate", self.worker_certificate.as_ref())?,
            proxy_certificate: optional("proxy_certificate", self.proxy_certificate.as_ref())?,
        };
        let key = self
            .proxy_key
            .as_ref()
            .map(|text| hash("proxy_key", text))
            .transpose()?;
        Ok(receipt::judge(&ReceiptInput {
            receipt: &decoded.receipt,
            proxy_key: key.map(PublicKey::new),
            expected: self.expected.read()?,
            request: request.map(|one| one.read(decoded.request.as_deref())).transpose()?,
            response: response.map(|one| one.read(decoded.response.as_deref())).transpose()?,
            max_coefficient: self.max_coefficient,
            prices: self.prices.map(|prices| Prices {
                version: prices.version,
                multipliers: prices.multipliers,
            }),
            worker_certificate: decoded.worker_certificate.as_deref(),
            proxy_certificate: decoded.proxy_certificate.as_deref(),
            inclusion: self.inclusion.as_ref().map(InclusionDocument::read).transpose()?,
            previous: self.previous.as_ref().map(HeadDocument::read).transpose()?,
        }))
    }
}

impl ExpectedDocument {
    fn read(&self) -> Result<Expected, Failure> {
        let address = |member: &str, text: &Option<String>| -> Result<Option<Address>, Failure> {
            let read = text.as_deref().map(parse_address).transpose();
            read.map_err(|_| Failure::input(format!("expected.{member} is no address")))
        };
        let id = self.request_id.as_ref().map(|text| hash("expected.request_id", text));
        Ok(Expected {
            root: address("root", &self.root)?,
            proxy: address("proxy", &self.proxy)?,
            client: address("client", &self.client)?,
            request_id: id.transpose()?.map(HashBytes),
        })
    }
}

impl RequestDocument {
    fn read<'a>(&'a self, bytes: Option<&'a [u8]>) -> Result<Opened<Sent<'a>>, Failure> {
        let to_client = || {
            self.sent.as_ref().map(|sent| Sent::ToClient {
                path: &sent.path,
                body: sent.body.as_bytes(),
            })
        };
        Ok(Opened {
            salt: hash("request.salt", &self.salt)?,
            bytes: bytes.map(Sent::Exactly).or_else(to_client),
        })
    }
}

impl ResponseDocument {
    fn read<'a>(&self, bytes: Option<&'a [u8]>) -> Result<Opened<Received<'a>>, Failure> {
        let received = |bytes| match self.bytes {
            Some(_) => Received::Exactly(bytes),
            None => Received::FromClient(bytes),
        };
        Ok(Opened {
            salt: hash("response.salt", &self.salt)?,
            bytes: bytes.map(received),
        })
    }
}

impl InclusionDocument {
    fn read(&self) -> Result<Inclusion, Failure> {
        if self.proof.len() > MAX_PROOF_NODES {
            return Err(Failure::input("inclusion.proof is longer than any"));
        }
        Ok(Inclusion {
            index: self.index,
            checkpoint: self.checkpoint.clone(),
            path: self.proof.clone(),
        })
    }
}

impl HeadDocument {
    fn read(&self) -> Result<ChannelHead, Failure> {
        Ok(ChannelHead {
            seqno: self.seqno.read("previous.seqno")?,
            hash: HashBytes(hash("previous.hash", &self.hash)?),
            total: self.total.read("previous.total")?,
        })
    }
}
