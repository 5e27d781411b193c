//! From the answers of the service (Intel's PCS API, version 4) to one document in the form of `Endorsements::with_json`.

use serde::Deserialize;

use super::problem::Problem;

/// One answer: its body, and the issuer chain of its header where it has one.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// Percent-encoded PEM.
    pub(super) chain: Option<String>,
}

/// All answers for one family.
pub(super) struct Answers {
    pub(super) tcb_info: Answer,
    pub(super) qe_identity: Answer,
    pub(super) pck_list: Answer,
    pub(super) root_list: Answer,
}

#[derive(Deserialize)]
struct Signed {
    /// Signed as compact JSON, members in the order of the answer.
    #[serde(alias = "tcbInfo", alias = "enclaveIdentity")]
    body: serde_json::Value,
    /// Hex.
    signature: String,
}

impl Answers {
    /// The document.
    pub(super) fn to_json(&self) -> Result<String, Problem> {
        let tcb_info = self.tcb_info.signed("TCB info")?;
        let qe_identity = self.qe_identity.signed("QE identity")?;
        let document = serde_json::json!({
            "pck_crl_issuer_chain": self.pck_list.chain("revocation list")?,
            "root_ca_crl": self.root_list.revocations("root's revocation list")?,
            "pck_crl": self.pck_list.revocations("revocation list")?,
            "tcb_info_issuer_chain": self.tcb_info.chain("TCB info")?,
            "tcb_info_signature": tcb_info.signature,
            "tcb_info": tcb_info.body.to_string(),
            "qe_identity_issuer_chain": self.qe_identity.chain("QE identity")?,
            "qe_identity_signature": qe_identity.signature,
            "qe_identity": qe_identity.body.to_string(),
        });
        Ok(document.to_string())
    }
}

impl Answer {
    fn signed(&self, what: &'static str) -> Result<Signed, Problem> {
        serde_json::from_slice(&self.body).map_err(|_| Problem::Form { what })
    }

    fn chain(&self, what: &'static str) -> Result<String, Problem> {
        let chain = self.chain.as_deref().ok_or(Problem::Form { what })?;
        let decoded = percent_encoding::percent_decode_str(chain).decode_utf8();
        Ok(decoded.map_err(|_| Problem::Form { what })?.into_owned())
    }

    /// A revocation list as hex. Intel sends DER, which begins with a SEQUENCE; caching services send hex for the root's.
    fn revocations(&self, what: &'static str) -> Result<String, Problem> {
        if self.body.first() == Some(&0x30) && self.body.get(1).is_some_and(|length| *length >= 0x80) {
            return Ok(hex::encode(&self.body));
        }
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| Problem::Form { what })?
            .trim();
        match hex::decode(text) {
            Ok(der) if !der.is_empty() => Ok(hex::encode(der)),
            _ => Err(Problem::Form { what }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers(body: &[u8], chain: Option<&str>) -> Answers {
        let answer = || Answer {
            body: body.to_vec(),
            chain: chain.map(str::to_owned),
        };
        Answers {
            tcb_info: answer(),
            qe_identity: answer(),
            pck_list: answer(),
            root_list: answer(),
        }
    }

    #[test]
    fn revocation_lists_come_as_bytes_or_as_hex() {
        let list = |body: &[u8]| answers(body, None).root_list.revocations("list");
        assert_eq!(list(&[0x30, 0x82, 1]).unwrap(), "308201");
        assert_eq!(list(b"308201\n").unwrap(), "308201");
        for wrong in [&b""[..], b"<html>", b"30820", &[0xff, 0xfe]] {
            assert!(matches!(list(wrong), Err(Problem::Form { what: "list" })), "{wrong:?}");
        }
    }

    #[test]
    fn signed_bodies_keep_the_order_of_their_members() {
        let body = br#"{ "tcbInfo": {"z": 1, "a": [true, "x"]}, "signature": "00" }"#;
        let signed = answers(body, None).tcb_info.signed("TCB info").unwrap();
        assert_eq!(signed.body.to_string(), r#"{"z":1,"a":[true,"x"]}"#);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(body: Vec<u8>, chain: Option<String>) {
            let _ = answers(&body, chain.as_deref()).to_json();
        }
    }
}
