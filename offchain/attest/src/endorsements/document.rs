//! One collateral document: four parts that are signed one by one, so that each may be newer or older than the others.

use dcap_qvl::{QuoteCollateralV3, config::CryptoProvider};
use rustls_pki_types::SignatureVerificationAlgorithm;
use serde::Deserialize;
use x509_cert::{
    Certificate,
    crl::CertificateList,
    der::{
        Decode, Encode,
        pem::{LineEnding, encode_string},
    },
};

use crate::{
    AttestError, PckAuthority, TrustRoots,
    crypto::p256_fixed,
    dates,
    dcap::{Backend, EcdsaP256},
    limits::{COLLATERAL_MARGIN_SECONDS, MAX_COLLATERAL_BYTES},
};

/// One document, with the parts that select it.
#[derive(Clone)]
pub(crate) struct Collateral {
    /// As [`Collateral::parse`] reads it, in one form: the chains are plain PEM.
    pub(crate) text: String,
    /// SHA-256 of the text.
    pub(crate) digest: [u8; 32],
    pub(crate) fmspc: String,
    /// Whose revocation list it has; `None` is one of another name.
    pub(crate) authority: Option<PckAuthority>,
    pub(crate) root_der: Vec<u8>,
    /// When all of its parts hold, Unix seconds; the end is exclusive, as that of revocation lists is.
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) document: QuoteCollateralV3,
    issues: Issues,
}

#[derive(Clone, Copy)]
struct Issues {
    tcb_info: Issue,
    qe_identity: Issue,
    pck_list: Issue,
    root_list: Issue,
}

/// What a part says of its own time, Unix seconds.
#[derive(Clone, Copy)]
struct Issue {
    /// Number of the judgement; lists have none, and Intel's have one number only.
    evaluation: u32,
    at: u64,
    /// Exclusive; of the part or of its issuer, whichever ends first.
    end: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    id: String,
    issue_date: String,
    next_update: String,
    tcb_evaluation_data_number: u32,
    #[serde(default)]
    fmspc: String,
}

impl Issue {
    /// Whether this part counts and not `old`: one that holds before one that does not or is about to end, then that of
    /// the later judgement, then that which was issued later.
    fn replaces(&self, old: &Self, now: u64) -> bool {
        let holds = |one: &Self| one.at <= now && now.saturating_add(COLLATERAL_MARGIN_SECONDS) < one.end;
        (holds(self), self.evaluation, self.at) > (holds(old), old.evaluation, old.at)
    }

    fn of_list(der: &[u8], chain: &[Certificate]) -> Option<Self> {
        let list: CertificateList = CertificateList::from_der(der).ok()?;
        let list = list.tbs_cert_list;
        let end = list.next_update?.to_unix_duration().as_secs();
        Some(Self {
            evaluation: 0,
            at: list.this_update.to_unix_duration().as_secs(),
            end: end.min(end_of(chain)),
        })
    }
}

impl Signed {
    fn parse(text: &str, id: &str) -> Result<Self, String> {
        let signed: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if signed.id == id {
            Ok(signed)
        } else {
            Err(format!("is of {:?}, not of {id}", signed.id))
        }
    }

    fn issue(&self, chain: &[Certificate]) -> Result<Issue, String> {
        let date = |text: &str| dates::parse(text).ok_or_else(|| format!("date {text:?}"));
        Ok(Issue {
            evaluation: self.tcb_evaluation_data_number,
            at: date(&self.issue_date)?,
            end: date(&self.next_update)?.min(end_of(chain)),
        })
    }
}

impl Collateral {
    pub(super) fn parse(json: &str) -> Result<Self, AttestError> {
        if json.len() > MAX_COLLATERAL_BYTES {
            let length = json.len();
            return Err(unusable(format!("{length} bytes are more than {MAX_COLLATERAL_BYTES}")));
        }
        Self::of(serde_json::from_str(json).map_err(|error| unusable(error.to_string()))?)
    }

    fn of(mut document: QuoteCollateralV3) -> Result<Self, AttestError> {
        // Collateral is kept per family of platforms; the chain of one platform belongs to its quote.
        document.pck_certificate_chain = None;
        let tcb_chain = chain("TCB info", &mut document.tcb_info_issuer_chain)?;
        let qe_chain = chain("QE identity", &mut document.qe_identity_issuer_chain)?;
        let pck_chain = chain("revocation list", &mut document.pck_crl_issuer_chain)?;
        let within = |what: &'static str| move |reason: String| unusable(format!("{what}: {reason}"));
        let tcb_info = Signed::parse(&document.tcb_info, "TDX").map_err(within("TCB info"))?;
        let qe_identity = Signed::parse(&document.qe_identity, "TD_QE").map_err(within("QE identity"))?;
        let root = tcb_chain
            .last()
            .ok_or_else(|| unusable("TCB info: no issuer".to_owned()))?;
        let list = |der: &[u8], chain: &[Certificate], what: &str| {
            Issue::of_list(der, chain).ok_or_else(|| unusable(format!("{what} does not parse")))
        };
        let issues = Issues {
            tcb_info: tcb_info.issue(&tcb_chain).map_err(within("TCB info"))?,
            qe_identity: qe_identity.issue(&qe_chain).map_err(within("QE identity"))?,
            pck_list: list(&document.pck_crl, &pck_chain, "revocation list")?,
            root_list: list(
                &document.root_ca_crl,
                core::slice::from_ref(root),
                "root's revocation list",
            )?,
        };
        let all = [issues.tcb_info, issues.qe_identity, issues.pck_list, issues.root_list];
        let text = serde_json::to_string(&document).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            digest: Backend::sha256(text.as_bytes()),
            text,
            fmspc: tcb_info.fmspc.to_ascii_lowercase(),
            authority: PckAuthority::of_chain(&document.pck_crl_issuer_chain),
            root_der: root.to_der().map_err(|error| unusable(error.to_string()))?,
            not_before: all.iter().fold(0, |latest, issue| latest.max(issue.at)),
            not_after: all.iter().fold(u64::MAX, |first, issue| first.min(issue.end)),
            document,
            issues,
        })
    }

    pub(super) fn is_of_same(&self, other: &Self) -> bool {
        (&self.fmspc, self.authority, &self.root_der) == (&other.fmspc, other.authority, &other.root_der)
    }

    /// The newest parts of two documents of the same family: none of them can hold back what the other one has newer.
    pub(super) fn renewed(&self, other: &Self, now: u64) -> Result<Self, AttestError> {
        let (old, new) = (&self.issues, &other.issues);
        let (mut document, from) = (self.document.clone(), other.document.clone());
        if new.tcb_info.replaces(&old.tcb_info, now) {
            document.tcb_info = from.tcb_info;
            document.tcb_info_signature = from.tcb_info_signature;
            document.tcb_info_issuer_chain = from.tcb_info_issuer_chain;
        }
        if new.qe_identity.replaces(&old.qe_identity, now) {
            document.qe_identity = from.qe_identity;
            document.qe_identity_signature = from.qe_identity_signature;
            document.qe_identity_issuer_chain = from.qe_identity_issuer_chain;
        }
        if new.pck_list.replaces(&old.pck_list, now) {
            document.pck_crl = from.pck_crl;
            document.pck_crl_issuer_chain = from.pck_crl_issuer_chain;
        }
        if new.root_list.replaces(&old.root_list, now) {
            document.root_ca_crl = from.root_ca_crl;
        }
        Self::of(document)
    }

    /// Refuses a document of which a part is not signed by its issuer, or an issuer is not the root's.
    pub(super) fn check_signatures(&self, roots: &TrustRoots) -> Result<(), AttestError> {
        let document = &self.document;
        let forged = |what: &str| unusable(format!("{what} is not signed under a trusted root"));
        let root = roots.for_chain_end(&self.root_der).ok();
        let root = root.filter(|root| root.der == self.root_der);
        let root = root.and_then(|root| Certificate::from_der(&root.der).ok());
        let root = root.ok_or_else(|| forged("TCB info"))?;
        let check = |what: &str, is_signed: bool| if is_signed { Ok(()) } else { Err(forged(what)) };
        let issuer = |what: &str, pem: &str| issuer(pem, &root).ok_or_else(|| forged(what));

        let tcb_signer = issuer("TCB info", &document.tcb_info_issuer_chain)?;
        let is_signed = signs_text(&tcb_signer, &document.tcb_info, &document.tcb_info_signature);
        check("TCB info", is_signed)?;
        let qe_signer = issuer("QE identity", &document.qe_identity_issuer_chain)?;
        let is_signed = signs_text(&qe_signer, &document.qe_identity, &document.qe_identity_signature);
        check("QE identity", is_signed)?;
        let authority = issuer("revocation list", &document.pck_crl_issuer_chain)?;
        check("revocation list", signs_list(&authority, &document.pck_crl))?;
        check("root's revocation list", signs_list(&root, &document.root_ca_crl))
    }
}

fn unusable(reason: String) -> AttestError {
    AttestError::Collateral { reason }
}

/// Reads a chain and writes it in the one form that every parser of PEM understands alike.
fn chain(what: &str, pem: &mut String) -> Result<Vec<Certificate>, AttestError> {
    let chain = Certificate::load_pem_chain(pem.as_bytes())
        .map_err(|error| unusable(format!("{what}: certificates of the issuer: {error}")))?;
    if chain.is_empty() {
        return Err(unusable(format!("{what}: no certificate of the issuer")));
    }
    pem.clear();
    for certificate in &chain {
        let der = certificate.to_der().map_err(|error| unusable(error.to_string()))?;
        *pem += &encode_string("CERTIFICATE", LineEnding::LF, &der).map_err(|error| unusable(error.to_string()))?;
    }
    Ok(chain)
}

fn end_of(chain: &[Certificate]) -> u64 {
    let ends = chain.iter().map(|certificate| {
        let validity = certificate.tbs_certificate().validity();
        validity.not_after.to_unix_duration().as_secs()
    });
    ends.min().unwrap_or(0)
}

/// The first certificate of a chain that ends in this root and that the root signed.
fn issuer(pem: &str, root: &Certificate) -> Option<Certificate> {
    let chain = Certificate::load_pem_chain(pem.as_bytes()).ok()?;
    let (issuer, last) = (chain.first()?, chain.last()?);
    let signed = issuer.tbs_certificate().to_der().ok()?;
    let is_signed = signs(root, &signed, issuer.signature().raw_bytes());
    (last == root && is_signed).then(|| issuer.clone())
}

fn key(certificate: &Certificate) -> &[u8] {
    let key = certificate.tbs_certificate().subject_public_key_info();
    key.subject_public_key.raw_bytes()
}

fn signs(issuer: &Certificate, message: &[u8], signature: &[u8]) -> bool {
    EcdsaP256.verify_signature(key(issuer), message, signature).is_ok()
}

/// The signature of a document is the bare `r | s`.
fn signs_text(issuer: &Certificate, text: &str, signature: &[u8]) -> bool {
    p256_fixed(key(issuer), text.as_bytes(), signature)
}

fn signs_list(issuer: &Certificate, der: &[u8]) -> bool {
    let Ok(list): Result<CertificateList, _> = CertificateList::from_der(der) else {
        return false;
    };
    let signed = list.tbs_cert_list.to_der();
    signed.is_ok_and(|signed| signs(issuer, &signed, list.signature.raw_bytes()))
}
