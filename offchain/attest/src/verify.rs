//! From evidence to claims.

use dcap_qvl::{
    QuoteClaims, QuotePolicy,
    intel::{extract_cert_chain, parse_pck_extension_with},
    verify::{Quote, QuoteVerifier},
};

use cocoon_bindings::units::ImageHash;

use crate::{
    AttestError, Endorsements, Evidence, Fact, Measurements, Policy, REPORT_DATA_BYTES, RootKeyId, TcbStatus, TdxQuote,
    TrustRoots, attributes, dcap::AwsLc, roots::Root,
};

/// What verified evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What the guest was built from.
    pub measurements: Measurements,
    /// What the guest attests; compare with [`report_data_for_key`](crate::report_data_for_key).
    pub report_data: [u8; REPORT_DATA_BYTES],
    /// Level of the platform's firmware and microcode.
    pub tcb_status: TcbStatus,
    /// Advisories that apply to the platform.
    pub advisories: Vec<String>,
    /// Number of the maker's judgement that the status rests on.
    pub tcb_evaluation: u32,
    /// Family of the platform, in hex.
    pub fmspc: String,
    /// The root that vouches for the platform.
    pub root_key_id: RootKeyId,
    /// Whether that root is a simulated one: then nothing here is protected by hardware.
    pub simulated: bool,
    /// Whether the platform can gain packages after it was provisioned.
    pub dynamic_platform: Fact,
    /// Whether the maker keeps the platform's keys.
    pub cached_keys: Fact,
    /// Whether simultaneous multithreading is on.
    pub smt: Fact,
    /// Unix time until which the collateral behind these claims holds.
    pub expires_at: u64,
}

impl Claims {
    /// The value that the root contract lists.
    pub fn image_hash(&self) -> ImageHash {
        self.measurements.image_hash()
    }
}

/// Verifies evidence at `now` (Unix seconds). Whether the report data and the image are the expected ones is for the
/// caller to compare: see [`Claims::report_data`] and [`Claims::image_hash`].
pub fn verify(
    evidence: &Evidence,
    endorsements: &Endorsements,
    roots: &TrustRoots,
    policy: &Policy,
    now: u64,
) -> Result<Claims, AttestError> {
    let claims = match evidence {
        Evidence::Tdx(quote) => verify_tdx(quote, endorsements, roots, now)?,
    };
    policy.check(&claims)?;
    Ok(claims)
}

fn verify_tdx(
    quote: &TdxQuote,
    endorsements: &Endorsements,
    roots: &TrustRoots,
    now: u64,
) -> Result<Claims, AttestError> {
    attributes::check(quote.unverified_attributes())?;
    let decoded = Quote::parse(quote.bytes()).map_err(refused)?;
    let chain = extract_cert_chain(&decoded).map_err(refused)?;
    let (Some(leaf), Some(last)) = (chain.first(), chain.last()) else {
        return Err(AttestError::Refused {
            reason: "quote has no certificate chain".to_owned(),
        });
    };
    let root = roots.for_chain_end(last)?;
    let fmspc = hex::encode(parse_pck_extension_with::<AwsLc>(leaf).map_err(refused)?.fmspc);
    // The verifier proves; our own policy judges.
    let proof_only = QuotePolicy::claims_only(now);
    let mut refusal = None;
    for collateral in endorsements.valid(&fmspc, &root.der, now)? {
        let verified = QuoteVerifier::<AwsLc>::new_with_config(root.der.clone()).verify_with_policy(
            quote.bytes(),
            &collateral.document,
            now,
            &proof_only,
        );
        match verified {
            Ok(verified) => return claims(quote, &verified, root, fmspc),
            Err(error) => refusal = refusal.or_else(|| Some(refused(error))),
        }
    }
    Err(refusal.unwrap_or(AttestError::NoCollateral { fmspc }))
}

fn claims(quote: &TdxQuote, verified: &QuoteClaims, root: &Root, fmspc: String) -> Result<Claims, AttestError> {
    if verified.platform.root_key_id != root.key_id.0 {
        return Err(AttestError::UntrustedRoot { root: root.key_id });
    }
    let pck = &verified.platform.pck;
    Ok(Claims {
        measurements: quote.unverified_measurements(),
        report_data: quote.unverified_report_data(),
        tcb_status: TcbStatus::from_verifier(verified.tcb.status),
        advisories: verified.tcb.advisory_ids.clone(),
        tcb_evaluation: verified.tcb.eval_data_number,
        fmspc,
        root_key_id: root.key_id,
        simulated: root.simulated,
        dynamic_platform: Fact::from_flag(pck.dynamic_platform),
        cached_keys: Fact::from_flag(pck.cached_keys),
        smt: Fact::from_flag(pck.smt_enabled),
        expires_at: verified.earliest_expiration_date,
    })
}

fn refused(error: impl core::fmt::Display) -> AttestError {
    AttestError::Refused {
        reason: format!("{error:#}"),
    }
}
