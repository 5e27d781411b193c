//! Why evidence was refused.

use cocoon_bindings::units::ImageHash;
use thiserror::Error;

use crate::{ClaimName, Component, EvidenceKind, Fact, Register, RootKeyId, TcbStatus, TdAttribute};

/// Why evidence, endorsements or a simulated platform were refused.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttestError {
    /// More bytes than any quote has.
    #[error("quote of {length} bytes is longer than {limit}")]
    QuoteTooLong {
        /// Bytes received.
        length: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// Fewer bytes than its fields need.
    #[error("quote ends inside its {field}")]
    QuoteTruncated {
        /// The field that is cut.
        field: &'static str,
    },
    /// A quote format that is not known.
    #[error("quote version {version} with body type {body_type} is not supported")]
    QuoteVersion {
        /// Version in the header.
        version: u16,
        /// Body type (2 where the version has none).
        body_type: u16,
    },
    /// Not a quote of a TDX guest.
    #[error("quote of TEE type {tee_type:#x} is not a TDX quote")]
    NotTdx {
        /// TEE type in the header.
        tee_type: u32,
    },
    /// Evidence of a kind that is known but cannot be verified here.
    #[error("evidence of {kind} is not supported")]
    UnsupportedEvidence {
        /// Its kind.
        kind: EvidenceKind,
    },
    /// Bytes other than zero after the end of the quote.
    #[error("quote is followed by bytes other than zero padding")]
    QuoteTail,
    /// The quote speaks of another key or purpose.
    #[error("report data of the quote does not match what it should attest")]
    ReportData,
    /// The guest runs in a mode that its host can look into, or lacks a protection.
    #[error("guest attributes are not acceptable: {attribute}")]
    Attributes {
        /// The offending attribute.
        attribute: TdAttribute,
    },
    /// The chain of the quote ends in a root that is not trusted here.
    #[error("quote is rooted in {root}, which is not trusted here")]
    UntrustedRoot {
        /// Key id of the root named by the quote.
        root: RootKeyId,
    },
    /// No collateral is known for this family of platforms.
    #[error("no collateral for platform family {fmspc}")]
    NoCollateral {
        /// FMSPC in hex.
        fmspc: String,
    },
    /// Collateral is known but its window has passed or has not begun.
    #[error("collateral for platform family {fmspc} is valid from {not_before} to {not_after}, not at {now}")]
    CollateralWindow {
        /// FMSPC in hex.
        fmspc: String,
        /// Start of the window, Unix seconds.
        not_before: u64,
        /// End of the window, Unix seconds.
        not_after: u64,
        /// Time of the check, Unix seconds.
        now: u64,
    },
    /// A signature, certificate chain, revocation list or TCB level did not hold.
    #[error("quote is refused: {reason}")]
    Refused {
        /// What the verifier said.
        reason: String,
    },
    /// The platform's TCB status is not accepted by the policy.
    #[error("TCB status {status} is not accepted")]
    TcbStatus {
        /// Status found.
        status: TcbStatus,
    },
    /// An advisory that the policy refuses applies to the platform.
    #[error("advisory {advisory} applies to the platform")]
    Advisory {
        /// Its id.
        advisory: String,
    },
    /// The collateral is older than the policy allows.
    #[error("TCB evaluation data number {found} is below {required}")]
    TcbEvaluation {
        /// Number found.
        found: u32,
        /// Number required.
        required: u32,
    },
    /// What the policy accepted for a while is not accepted any more.
    #[error("{what} was accepted until {at} only")]
    GraceEnded {
        /// The TCB status or advisory.
        what: String,
        /// End of the grace, Unix seconds.
        at: u64,
    },
    /// The policy accepts some images only, and this is none of them.
    #[error("image {image} is none of those that the policy accepts")]
    ImageNotPinned {
        /// The image.
        image: ImageHash,
    },
    /// A claim that the policy requires is not proven.
    #[error("{claim} is required and {fact}")]
    Unproven {
        /// The claim.
        claim: ClaimName,
        /// What the evidence says about it.
        fact: Fact,
    },
    /// A policy file does not parse or contradicts itself.
    #[error("policy: {reason}")]
    PolicyFile {
        /// What is wrong with it.
        reason: String,
    },
    /// An event log is not in the form that firmware writes.
    #[error("event log {what}")]
    EventLog {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An event log does not lead to the registers of the quote.
    #[error("event log does not give RTMR{register} of the quote")]
    EventLogRegister {
        /// The first register that differs.
        register: u8,
    },
    /// A component of the guest's start is not an accepted one.
    #[error("{component} is not the expected one: {}", hex::encode(.found.as_slice()))]
    Component {
        /// The component.
        component: Component,
        /// What was measured.
        found: Box<Register>,
    },
    /// A component of the guest's start was not measured.
    #[error("{component} was not measured")]
    ComponentMissing {
        /// The component.
        component: Component,
    },
    /// Something was measured that does not belong to a start.
    #[error("event of type {kind:#x} in RTMR{register} does not belong to the start of a guest")]
    UnexpectedEvent {
        /// Register that it was extended into.
        register: u8,
        /// TCG's event type.
        kind: u32,
    },
    /// A report of an accelerator is not in the known form.
    #[error("report of the accelerator {what}")]
    GpuReport {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A collateral document does not parse.
    #[error("collateral is not usable: {reason}")]
    Collateral {
        /// What is wrong with it.
        reason: String,
    },
    /// A root certificate does not parse, or there are too many.
    #[error("root certificate is not usable: {reason}")]
    Root {
        /// What is wrong with it.
        reason: String,
    },
    /// A simulated platform could not be made, read or used.
    #[error("simulated platform: {reason}")]
    Simulated {
        /// What is wrong with it.
        reason: String,
    },
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Configuration or data of this machine.
    Local,
    /// The party that presented the evidence.
    Peer,
}

impl AttestError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::NoCollateral { .. }
            | Self::CollateralWindow { .. }
            | Self::Collateral { .. }
            | Self::Root { .. }
            | Self::PolicyFile { .. }
            | Self::Simulated { .. } => Who::Local,
            Self::QuoteTooLong { .. }
            | Self::QuoteTruncated { .. }
            | Self::QuoteVersion { .. }
            | Self::NotTdx { .. }
            | Self::UnsupportedEvidence { .. }
            | Self::GraceEnded { .. }
            | Self::ImageNotPinned { .. }
            | Self::Unproven { .. }
            | Self::EventLog { .. }
            | Self::EventLogRegister { .. }
            | Self::Component { .. }
            | Self::ComponentMissing { .. }
            | Self::UnexpectedEvent { .. }
            | Self::GpuReport { .. }
            | Self::QuoteTail
            | Self::ReportData
            | Self::Attributes { .. }
            | Self::UntrustedRoot { .. }
            | Self::Refused { .. }
            | Self::TcbStatus { .. }
            | Self::Advisory { .. }
            | Self::TcbEvaluation { .. } => Who::Peer,
        }
    }

    /// Whether the same check may succeed later without the peer changing anything.
    pub fn retry(&self) -> bool {
        matches!(self, Self::NoCollateral { .. } | Self::CollateralWindow { .. })
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoCollateral { .. } | Self::CollateralWindow { .. } => {
                "fetch current collateral for this platform family and check the clock"
            }
            Self::Collateral { .. } => "replace the collateral file by a fresh one",
            Self::Root { .. } => "name a DER certificate of the root authority",
            Self::Simulated { .. } => "create the simulated platform file anew; every process of a network shares one",
            Self::UntrustedRoot { .. } => {
                "a simulated platform is trusted only where the root contract says that the network is a test"
            }
            Self::PolicyFile { .. } => "mend the policy file; docs/attestation.md describes it",
            Self::UnsupportedEvidence { .. } => "talk to peers in guests of Intel TDX",
            Self::ImageNotPinned { .. } => "name the image in the policy, or talk to another peer",
            Self::Unproven { .. } => "ask less in the policy, or talk to a peer whose evidence says it",
            Self::GpuReport { .. } => "collect the report anew, with the driver that the image pins",
            Self::EventLog { .. } | Self::EventLogRegister { .. } => {
                "the log is not that of the guest which made the quote: ask for both again"
            }
            Self::Component { .. } | Self::ComponentMissing { .. } | Self::UnexpectedEvent { .. } => {
                "the guest did not start from the image that was expected: do not talk to it"
            }
            Self::TcbStatus { .. } | Self::Advisory { .. } | Self::TcbEvaluation { .. } | Self::GraceEnded { .. } => {
                "the peer's operator has to update firmware and microcode"
            }
            Self::Attributes { .. } => "the peer's operator has to start the guest without debugging or migration",
            Self::QuoteTooLong { .. }
            | Self::QuoteTruncated { .. }
            | Self::QuoteVersion { .. }
            | Self::NotTdx { .. }
            | Self::QuoteTail
            | Self::ReportData
            | Self::Refused { .. } => {
                "the peer's evidence is not genuine or not for this connection: do not talk to it"
            }
        }
    }
}
