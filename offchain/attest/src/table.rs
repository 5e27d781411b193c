//! Claims one by one, for people and programs: each with what the evidence says about it and where it says so.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Claims, Fact, GpuClaims, TcbStatus};

/// What may be claimed of a machine. Every name is a statement that one wants to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClaimName {
    /// A maker of processors vouches for the platform; it is not simulated.
    Hardware,
    /// The host cannot debug the guest.
    DebugOff,
    /// The host cannot profile the guest.
    ProfilingOff,
    /// The guest cannot be moved to another machine.
    NotMigratable,
    /// Page faults cannot be used to steer the guest.
    SeptVeDisabled,
    /// No service guest is bound to it.
    NoServiceTd,
    /// The TDX module is signed by its maker for production.
    ProductionModule,
    /// The TDX module is the one that the guest started on.
    ModuleUnchanged,
    /// The platform is not on a revocation list.
    NotRevoked,
    /// Firmware and microcode are at the current level.
    TcbUpToDate,
    /// No published advisory applies.
    NoAdvisories,
    /// Nobody can add packages to the platform.
    StaticPlatform,
    /// The maker does not keep the platform's keys.
    KeysNotCached,
    /// Simultaneous multithreading is off.
    SmtOff,
    /// The accelerators run in confidential mode.
    GpuConfidential,
    /// The accelerators' firmware and driver are among the accepted ones.
    GpuMeasured,
}

impl ClaimName {
    /// All names, in the order in which they are shown.
    pub const ALL: [Self; 16] = [
        Self::Hardware,
        Self::DebugOff,
        Self::ProfilingOff,
        Self::NotMigratable,
        Self::SeptVeDisabled,
        Self::NoServiceTd,
        Self::ProductionModule,
        Self::ModuleUnchanged,
        Self::NotRevoked,
        Self::TcbUpToDate,
        Self::NoAdvisories,
        Self::StaticPlatform,
        Self::KeysNotCached,
        Self::SmtOff,
        Self::GpuConfidential,
        Self::GpuMeasured,
    ];
}

impl core::fmt::Display for ClaimName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.serialize(f)
    }
}

/// The document that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Document {
    /// The root certificate at the end of the chain.
    TrustRoot,
    /// The quote, signed by the platform's quoting enclave.
    Quote,
    /// The certificate of the platform's key.
    PlatformCertificate,
    /// The maker's revocation lists.
    RevocationLists,
    /// The maker's judgement of levels.
    TcbInfo,
    /// The report of an accelerator.
    GpuReport,
    /// No document of this evidence says anything about it.
    Nothing,
}

impl core::fmt::Display for Document {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TrustRoot => "root of the chain",
            Self::Quote => "quote",
            Self::PlatformCertificate => "platform certificate",
            Self::RevocationLists => "revocation lists",
            Self::TcbInfo => "TCB info",
            Self::GpuReport => "report of the accelerator",
            Self::Nothing => "no document",
        })
    }
}

/// Where a claim comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The document.
    pub document: Document,
    /// The field of it, in the words of its maker.
    pub field: Cow<'static, str>,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed.
    pub name: ClaimName,
    /// What the evidence says about it.
    pub fact: Fact,
    /// The value behind it, as text.
    pub value: String,
    /// Who says so.
    pub source: Source,
}

impl Claims {
    /// What the evidence says about one claim.
    pub fn fact(&self, name: ClaimName) -> Fact {
        self.claim(name).fact
    }

    /// Every claim with its fact, value and source.
    pub fn table(&self) -> Vec<Claim> {
        ClaimName::ALL.map(|name| self.claim(name)).to_vec()
    }

    fn claim(&self, name: ClaimName) -> Claim {
        let (fact, value, document, field) = match name {
            ClaimName::Hardware => {
                let kind = if self.simulated {
                    "SIMULATED root"
                } else {
                    "pinned root"
                };
                let value = format!("{kind} {}", self.root_key_id);
                (proven(!self.simulated), value, Document::TrustRoot, "key id")
            }
            // Guests in these modes are refused before there are claims.
            ClaimName::DebugOff => self.attribute("TDATTRIBUTES.DEBUG"),
            ClaimName::ProfilingOff => self.attribute("TDATTRIBUTES.TUD"),
            ClaimName::NotMigratable => self.attribute("TDATTRIBUTES.MIGRATABLE"),
            ClaimName::SeptVeDisabled => self.attribute("TDATTRIBUTES.SEPT_VE_DISABLE"),
            ClaimName::NoServiceTd => match self.guest.mrservicetd {
                Some(register) => (
                    proven(!self.guest.has_service_td()),
                    hex::encode(register),
                    Document::Quote,
                    "MRSERVICETD",
                ),
                None => silent("a TDX 1.0 body has no MRSERVICETD"),
            },
            ClaimName::ProductionModule => {
                let value = format!("attributes {:#x}", self.guest.seam_attributes);
                (Fact::Proven, value, Document::Quote, "MRSIGNERSEAM, SEAMATTRIBUTES")
            }
            ClaimName::ModuleUnchanged => match self.guest.current_tcb_svn {
                Some(svn) => (
                    proven(svn == self.guest.tee_tcb_svn),
                    hex::encode(svn),
                    Document::Quote,
                    "TEE_TCB_SVN2",
                ),
                None => silent("a TDX 1.0 body has no TEE_TCB_SVN2"),
            },
            ClaimName::NotRevoked => {
                let value = "platform key and authority are on no list".to_owned();
                (Fact::Proven, value, Document::RevocationLists, "revokedCertificates")
            }
            ClaimName::TcbUpToDate => {
                let is_current = self.tcb_status == TcbStatus::UpToDate;
                let value = format!("{} by judgement {}", self.tcb_status, self.tcb_evaluation);
                (proven(is_current), value, Document::TcbInfo, "tcbStatus")
            }
            ClaimName::NoAdvisories => {
                let value = self.advisories.join(", ");
                (
                    proven(self.advisories.is_empty()),
                    value,
                    Document::TcbInfo,
                    "advisoryIDs",
                )
            }
            ClaimName::StaticPlatform => certified(self.dynamic_platform, "dynamicPlatform"),
            ClaimName::KeysNotCached => certified(self.cached_keys, "cachedKeys"),
            ClaimName::SmtOff => certified(self.smt, "smtEnabled"),
            ClaimName::GpuConfidential => self.accelerator("confidential mode", |gpu| gpu.confidential),
            ClaimName::GpuMeasured => self.accelerator("measurement blocks", |gpu| gpu.measured),
        };
        Claim {
            name,
            fact,
            value,
            source: Source {
                document,
                field: Cow::Borrowed(field),
            },
        }
    }

    fn accelerator(&self, field: &'static str, fact: impl Fn(&GpuClaims) -> Fact) -> Row {
        match &self.gpu {
            Some(gpu) => {
                let value = gpu
                    .golden
                    .clone()
                    .unwrap_or_else(|| "no golden measurements agree".to_owned());
                (fact(gpu), value, Document::GpuReport, field)
            }
            None => silent("a TDX quote does not cover accelerators"),
        }
    }

    fn attribute(&self, field: &'static str) -> Row {
        let value = format!("{:#x}", self.guest.attributes);
        (Fact::Proven, value, Document::Quote, field)
    }
}

type Row = (Fact, String, Document, &'static str);

fn proven(yes: bool) -> Fact {
    if yes { Fact::Proven } else { Fact::Refuted }
}

fn silent(why: &str) -> Row {
    (Fact::Unknown, why.to_owned(), Document::Nothing, "")
}

/// A flag of the platform's certificate whose absence of the property is claimed.
fn certified(flag: Fact, field: &'static str) -> Row {
    let (fact, value) = match flag {
        Fact::Proven => (Fact::Refuted, "true"),
        Fact::Refuted => (Fact::Proven, "false"),
        Fact::Unknown => (Fact::Unknown, "not stated"),
    };
    (fact, value.to_owned(), Document::PlatformCertificate, field)
}
