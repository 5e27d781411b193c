//! From evidence to claims, the thorough way: every document and every certificate is verified anew for each quote.
//! [`Verifier`](crate::Verifier) gives the same answers faster; this is what it is compared with.

use dcap_qvl::{
    QuoteClaims, QuotePolicy,
    intel::{extract_cert_chain, parse_pck_extension_with},
    verify::{Quote, QuoteVerifier},
};

use crate::{
    AttestError, Claims, Endorsements, Evidence, Examination, Fact, PckAuthority, Policy, TcbStatus, TdxQuote,
    TrustRoots, attributes, dcap::Backend, endorsements::Collateral, roots::Root,
};

/// Verifies evidence at `now` (Unix seconds). Whether the report data and the image are the expected ones is for the
/// caller to compare: see [`Claims::report_data`] and [`Claims::image_hash`].
pub fn verify(
    evidence: &Evidence,
    endorsements: &Endorsements,
    roots: &TrustRoots,
    policy: &Policy,
    now: u64,
) -> Result<Claims, AttestError> {
    policy.judge(proven(evidence, endorsements, roots, now)?, now)
}

/// The same, with all that the policy says instead of its first objection: for showing, and for nothing else. Evidence that
/// nobody vouches for, or that no policy can accept, is an error here too.
pub fn examine(
    evidence: &Evidence,
    endorsements: &Endorsements,
    roots: &TrustRoots,
    policy: &Policy,
    now: u64,
) -> Result<Examination, AttestError> {
    Ok(policy.examine(proven(evidence, endorsements, roots, now)?, now))
}

/// What no policy has been asked about yet.
fn proven(
    evidence: &Evidence,
    endorsements: &Endorsements,
    roots: &TrustRoots,
    now: u64,
) -> Result<Claims, AttestError> {
    match evidence {
        Evidence::Tdx(quote) => {
            attributes::check(&quote.unverified_guest())?;
            let origin = Origin::of(quote, roots)?;
            under_collateral(endorsements, &origin.family(), now, |collateral| {
                let verified = verify_under(quote, collateral, origin.root, now)?;
                Ok(claims(quote, &verified, origin.root, &origin.fmspc))
            })
        }
    }
}

/// Where a quote says that it comes from.
pub(crate) struct Origin<'a> {
    pub(crate) root: &'a Root,
    /// Family of the platform, in hex.
    pub(crate) fmspc: String,
    /// Who certified it, by the name of the issuer.
    pub(crate) authority: Option<PckAuthority>,
    /// Certificates of its chain (DER), the platform's own first.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// What selects collateral.
pub(crate) struct Family<'a> {
    pub(crate) root: &'a Root,
    pub(crate) fmspc: &'a str,
    pub(crate) authority: Option<PckAuthority>,
}

impl<'a> Origin<'a> {
    pub(crate) fn of(quote: &TdxQuote, roots: &'a TrustRoots) -> Result<Self, AttestError> {
        let decoded = Quote::parse(quote.bytes()).map_err(refused)?;
        let chain = extract_cert_chain(&decoded).map_err(refused)?;
        let (Some(leaf), Some(last)) = (chain.first(), chain.last()) else {
            return Err(AttestError::Refused {
                reason: "quote has no certificate chain".to_owned(),
            });
        };
        let root = roots.for_chain_end(last)?;
        let fmspc = hex::encode(parse_pck_extension_with::<Backend>(leaf).map_err(refused)?.fmspc);
        let authority = PckAuthority::issuer_of(leaf);
        Ok(Self {
            root,
            fmspc,
            authority,
            chain,
        })
    }

    pub(crate) fn family(&self) -> Family<'_> {
        Family {
            root: self.root,
            fmspc: &self.fmspc,
            authority: self.authority,
        }
    }
}

/// The first answer that valid collateral of the family gives, newest first; else the newest one's refusal.
pub(crate) fn under_collateral(
    endorsements: &Endorsements,
    family: &Family<'_>,
    now: u64,
    mut judge: impl FnMut(&Collateral) -> Result<Claims, AttestError>,
) -> Result<Claims, AttestError> {
    let mut refusal = None;
    for collateral in endorsements.valid(family.fmspc, family.authority, &family.root.der, now)? {
        match judge(collateral) {
            Ok(claims) => return Ok(claims),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| AttestError::NoCollateral {
        fmspc: family.fmspc.to_owned(),
    }))
}

/// All nine signatures, chains, revocation lists, levels.
pub(crate) fn verify_under(
    quote: &TdxQuote,
    collateral: &Collateral,
    root: &Root,
    now: u64,
) -> Result<QuoteClaims, AttestError> {
    // The verifier proves; our own policy judges.
    let proof_only = QuotePolicy::claims_only(now);
    let verified = QuoteVerifier::<Backend>::new_with_config(root.der.clone())
        .verify_with_policy(quote.bytes(), &collateral.document, now, &proof_only)
        .map_err(refused)?;
    if verified.platform.root_key_id != root.key_id.0 {
        return Err(AttestError::UntrustedRoot { root: root.key_id });
    }
    Ok(verified)
}

pub(crate) fn claims(quote: &TdxQuote, verified: &QuoteClaims, root: &Root, fmspc: &str) -> Claims {
    let pck = &verified.platform.pck;
    Claims {
        measurements: quote.unverified_measurements(),
        report_data: quote.unverified_report_data(),
        guest: quote.unverified_guest(),
        tcb_status: TcbStatus::from_verifier(verified.tcb.status),
        tcb_date: verified.platform.tcb_date_tag,
        advisories: verified.tcb.advisory_ids.clone(),
        tcb_evaluation: verified.tcb.eval_data_number,
        fmspc: fmspc.to_owned(),
        root_key_id: root.key_id,
        simulated: root.simulated,
        dynamic_platform: Fact::from_flag(pck.dynamic_platform),
        cached_keys: Fact::from_flag(pck.cached_keys),
        smt: Fact::from_flag(pck.smt_enabled),
        gpu: None,
        expires_at: verified.earliest_expiration_date,
    }
}

pub(crate) fn refused(error: impl core::fmt::Display) -> AttestError {
    AttestError::Refused {
        reason: format!("{error:#}"),
    }
}
