//! One platform under one collateral document, both verified: what is left to check of each quote.

use dcap_qvl::{QuoteClaims, config::CryptoProvider};
use x509_cert::{
    Certificate,
    der::{
        Decode,
        pem::{LineEnding, encode_string},
    },
};

use super::{
    layout::Layout,
    levels::{PlatformLevels, QeLevels},
};
use crate::{
    AttestError, Claims, Fact, TcbStatus, TdxQuote,
    crypto::{P256Key, p256_fixed},
    dcap::Backend,
    endorsements::Collateral,
    roots::Root,
    verify::Origin,
};

pub(super) struct Prepared {
    collateral: [u8; 32],
    not_before: u64,
    not_after: u64,
    platform_key: P256Key,
    levels: PlatformLevels,
    qe: QeLevels,
    tcb_evaluation: u32,
    dynamic_platform: Fact,
    cached_keys: Fact,
    smt: Fact,
}

impl Prepared {
    /// Keeps what a thorough verification established, or `None` where something is unusual.
    pub(super) fn new(
        verified: &QuoteClaims,
        collateral: &Collateral,
        origin: &Origin<'_>,
        chain_text: &[u8],
    ) -> Option<Self> {
        if !is_canonical(origin, chain_text) {
            return None;
        }
        let pck = &verified.platform.pck;
        let levels = PlatformLevels::new(&collateral.document.tcb_info, &pck.cpu_svn, pck.pce_svn)?;
        let qe = QeLevels::new(&collateral.document.qe_identity)?;
        Some(Self {
            collateral: collateral.digest,
            not_before: verified.latest_issue_date,
            not_after: verified.earliest_expiration_date,
            platform_key: platform_key(origin.chain.first()?)?,
            levels,
            qe,
            tcb_evaluation: verified.tcb.eval_data_number,
            dynamic_platform: Fact::from_flag(pck.dynamic_platform),
            cached_keys: Fact::from_flag(pck.cached_keys),
            smt: Fact::from_flag(pck.smt_enabled),
        })
    }

    /// Whether it was verified under this document.
    pub(super) fn is_for(&self, collateral: &Collateral) -> bool {
        self.collateral == collateral.digest
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.collateral == other.collateral
    }

    /// Whether everything it rests on is valid. The end is exclusive: revocation lists end before their last second.
    pub(super) fn holds(&self, now: u64) -> bool {
        (self.not_before..self.not_after).contains(&now)
    }

    pub(super) fn expires_at(&self) -> u64 {
        self.not_after
    }

    /// The two signatures that are the quote's own, the identity of its quoting enclave, and the levels.
    pub(super) fn claims(
        &self,
        quote: &TdxQuote,
        layout: &Layout<'_>,
        root: &Root,
        fmspc: &str,
    ) -> Result<Claims, AttestError> {
        if !self.platform_key.verifies(layout.qe_report, layout.qe_signature) {
            return Err(refuse("signature over the quoting enclave's report is invalid"));
        }
        check_attestation_key(layout)?;
        let qe_level = self.qe.level_of(layout.qe_report)?;
        let mut point = [4; 65];
        point[1..].copy_from_slice(layout.key);
        if !p256_fixed(&point, layout.signed, layout.signature) {
            return Err(refuse("signature over the guest's report is invalid"));
        }
        let guest = quote.unverified_guest();
        let verdict = self.levels.verdict(&guest, qe_level)?;
        Ok(Claims {
            measurements: quote.unverified_measurements(),
            report_data: quote.unverified_report_data(),
            guest,
            tcb_status: TcbStatus::from_verifier(verdict.status),
            tcb_date: verdict.date,
            advisories: verdict.advisories,
            tcb_evaluation: self.tcb_evaluation,
            fmspc: fmspc.to_owned(),
            root_key_id: root.key_id,
            simulated: root.simulated,
            dynamic_platform: self.dynamic_platform,
            cached_keys: self.cached_keys,
            smt: self.smt,
            gpu: None,
            expires_at: self.not_after,
        })
    }
}

/// The quoting enclave's report names the attestation key by a hash.
fn check_attestation_key(layout: &Layout<'_>) -> Result<(), AttestError> {
    let mut bound = [0; 96];
    bound[..64].copy_from_slice(layout.key);
    bound[64..].copy_from_slice(layout.qe_data);
    if Backend::sha256(&bound) == layout.qe_report[320..352] {
        Ok(())
    } else {
        Err(refuse("the quoting enclave's report is of another attestation key"))
    }
}

/// A chain has many texts. Only the one that platforms send is kept: key, authority, root, each in plain PEM, and a
/// zero byte. So nobody fills the store with copies of one chain.
fn is_canonical(origin: &Origin<'_>, text: &[u8]) -> bool {
    let [_, _, root] = origin.chain.as_slice() else {
        return false;
    };
    let pem: Option<String> = origin
        .chain
        .iter()
        .map(|der| encode_string("CERTIFICATE", LineEnding::LF, der).ok())
        .collect();
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    *root == origin.root.der && pem.is_some_and(|pem| pem.as_bytes() == text)
}

fn platform_key(leaf: &[u8]) -> Option<P256Key> {
    let leaf = Certificate::from_der(leaf).ok()?;
    let key = leaf.tbs_certificate().subject_public_key_info();
    P256Key::new(key.subject_public_key.raw_bytes())
}

pub(super) fn refuse(reason: &str) -> AttestError {
    AttestError::Refused {
        reason: reason.to_owned(),
    }
}
