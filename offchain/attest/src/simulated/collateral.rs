//! Collateral of the simulated platform: TCB info, identity of its quoting enclave, revocation lists.

use serde_json::json;

use super::{
    SimulatedPlatform,
    certificates::{self, CPU_SVN, FMSPC, PCE_ID, PCE_SVN, failed},
    platform::sign,
    quote::{QE_ISV_SVN, QE_MRSIGNER, QE_PROD_ID},
};
use crate::{
    AttestError, Endorsements, TcbStatus, dates,
    limits::{SIMULATED_BACKDATE_SECONDS, SIMULATED_COLLATERAL_SECONDS},
};

/// What simulated collateral says and for how long: the defaults endorse the platform, other values are for showing
/// that a verifier refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollateralTerms {
    /// Start of validity, Unix seconds.
    pub issued_at: u64,
    /// End of validity, Unix seconds.
    pub expires_at: u64,
    /// Verdict on the platform.
    pub status: TcbStatus,
    /// Advisories that go with it.
    pub advisories: Vec<String>,
    /// Number of the judgement.
    pub evaluation: u32,
    /// Verdict on its quoting enclave.
    pub qe_status: TcbStatus,
    /// Levels of the TDX module that the verdict asks for; what is below meets `older` only.
    pub tdx_svn: [u8; 16],
    /// Verdict on platforms whose TDX module is below `tdx_svn`; without one they match no level.
    pub older: Option<TcbStatus>,
    /// Verdicts on versions of the TDX module that have an identity of their own.
    pub modules: Vec<ModuleTerms>,
    /// Whether the platform's key is on the revocation list.
    pub revoked: bool,
}

/// A verdict on one version of the TDX module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleTerms {
    /// The version: second component of TEE_TCB_SVN.
    pub version: u8,
    /// Lowest security version, first component of TEE_TCB_SVN.
    pub svn: u8,
    /// Verdict.
    pub status: TcbStatus,
    /// Advisories that go with it.
    pub advisories: Vec<String>,
}

impl CollateralTerms {
    /// An up-to-date platform, around `now`.
    pub fn good(now: u64) -> Self {
        Self {
            issued_at: now.saturating_sub(SIMULATED_BACKDATE_SECONDS),
            expires_at: now.saturating_add(SIMULATED_COLLATERAL_SECONDS),
            status: TcbStatus::UpToDate,
            advisories: Vec::new(),
            evaluation: 1,
            qe_status: TcbStatus::UpToDate,
            tdx_svn: [0; 16],
            older: None,
            modules: Vec::new(),
            revoked: false,
        }
    }
}

impl SimulatedPlatform {
    /// Endorsements under which this platform's quotes are up to date around `now` (Unix seconds).
    pub fn endorsements(&self, now: u64) -> Result<Endorsements, AttestError> {
        Endorsements::none().with_json(&self.collateral_json(&CollateralTerms::good(now))?)
    }

    /// A collateral document in the JSON form of Intel's service.
    pub fn collateral_json(&self, terms: &CollateralTerms) -> Result<String, AttestError> {
        let (root, authority) = (self.root_key()?, self.platform_authority_key()?);
        let signer = self.tcb_signing_key()?;
        let root_crl = certificates::revocations(
            &certificates::root_issuer(&root),
            terms.issued_at,
            terms.expires_at,
            false,
        )?;
        let platform_issuer = certificates::platform_issuer(&authority);
        let pck_crl = certificates::revocations(&platform_issuer, terms.issued_at, terms.expires_at, terms.revoked)?;
        let tcb_info = tcb_info(terms);
        let qe_identity = qe_identity(terms);
        let document = json!({
            "pck_crl_issuer_chain": self.authority_chain(),
            "root_ca_crl": hex::encode(root_crl),
            "pck_crl": hex::encode(pck_crl),
            "tcb_info_issuer_chain": self.tcb_signer_chain(),
            "tcb_info_signature": hex::encode(sign(&signer, tcb_info.as_bytes())?),
            "tcb_info": tcb_info,
            "qe_identity_issuer_chain": self.tcb_signer_chain(),
            "qe_identity_signature": hex::encode(sign(&signer, qe_identity.as_bytes())?),
            "qe_identity": qe_identity,
        });
        serde_json::to_string(&document).map_err(failed)
    }
}

fn tcb_info(terms: &CollateralTerms) -> String {
    let components = |svns: &[u8; 16]| svns.iter().map(|svn| json!({ "svn": svn })).collect::<Vec<_>>();
    let level = |tdx_svn: &[u8; 16], status: TcbStatus| {
        json!({
            "tcb": {
                "sgxtcbcomponents": components(&CPU_SVN),
                "pcesvn": PCE_SVN,
                "tdxtcbcomponents": components(tdx_svn),
            },
            "tcbDate": dates::format(terms.issued_at),
            "tcbStatus": status.in_document(),
            "advisoryIDs": terms.advisories,
        })
    };
    let mut levels = vec![level(&terms.tdx_svn, terms.status)];
    levels.extend(terms.older.map(|status| level(&[0; 16], status)));
    let modules: Vec<_> = terms
        .modules
        .iter()
        .map(|module| module_identity(terms, module))
        .collect();
    json!({
        "id": "TDX",
        "version": 3,
        "issueDate": dates::format(terms.issued_at),
        "nextUpdate": dates::format(terms.expires_at),
        "fmspc": hex::encode_upper(FMSPC),
        "pceId": hex::encode(PCE_ID),
        "tcbType": 0,
        "tcbEvaluationDataNumber": terms.evaluation,
        "tdxModule": {
            "mrsigner": hex::encode([0_u8; 48]),
            "attributes": hex::encode([0_u8; 8]),
            "attributesMask": hex::encode([0xff_u8; 8]),
        },
        "tdxModuleIdentities": modules,
        "tcbLevels": levels,
    })
    .to_string()
}

fn module_identity(terms: &CollateralTerms, module: &ModuleTerms) -> serde_json::Value {
    json!({
        "id": format!("TDX_{:02X}", module.version),
        "mrsigner": hex::encode([0_u8; 48]),
        "attributes": hex::encode([0_u8; 8]),
        "attributesMask": hex::encode([0xff_u8; 8]),
        "tcbLevels": [{
            "tcb": { "isvsvn": module.svn },
            "tcbDate": dates::format(terms.issued_at.saturating_sub(86_400)),
            "tcbStatus": module.status.in_document(),
            "advisoryIDs": module.advisories,
        }],
    })
}

fn qe_identity(terms: &CollateralTerms) -> String {
    json!({
        "id": "TD_QE",
        "version": 2,
        "issueDate": dates::format(terms.issued_at),
        "nextUpdate": dates::format(terms.expires_at),
        "tcbEvaluationDataNumber": terms.evaluation,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": hex::encode_upper(QE_MRSIGNER),
        "isvprodid": QE_PROD_ID,
        "tcbLevels": [{
            "tcb": { "isvsvn": QE_ISV_SVN },
            "tcbDate": dates::format(terms.issued_at),
            "tcbStatus": terms.qe_status.in_document(),
        }],
    })
    .to_string()
}
