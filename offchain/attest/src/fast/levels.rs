//! Matching a platform's security versions with the maker's levels: Intel's "TDX TCB info" and "enclave identity"
//! documents (API version 4). The rules are those of Intel's verification library, as `dcap-qvl` has them.

use dcap_qvl::{QeIdentity, TcbInfo, TcbStatus, TcbStatusWithAdvisory, tcb_info::TdxModuleIdentity};

use super::prepared::refuse;
use crate::{AttestError, GuestState, Register, dates};

/// The levels of a TCB info document that one platform's processor meets, highest first.
pub(super) struct PlatformLevels {
    levels: Vec<Level>,
    base: ModuleIdentity,
    /// By version of the TDX module.
    modules: Vec<(u8, ModuleIdentity)>,
}

struct Level {
    tdx: [u8; 16],
    judged: Judged,
}

struct ModuleIdentity {
    signer: Register,
    attributes: u64,
    mask: u64,
    /// Lowest security version of a level, and the verdict; highest first.
    levels: Vec<(u8, Judged)>,
}

#[derive(Clone)]
struct Judged {
    with: TcbStatusWithAdvisory,
    date: u64,
}

/// Status, advisories and date of a platform and its quoting enclave together.
pub(super) struct Verdict {
    pub(super) status: TcbStatus,
    pub(super) advisories: Vec<String>,
    pub(super) date: u64,
}

impl PlatformLevels {
    /// `None` where a document is not in the usual form.
    pub(super) fn new(tcb_info: &str, cpu_svn: &[u8; 16], pce_svn: u16) -> Option<Self> {
        let info: TcbInfo = serde_json::from_str(tcb_info).ok()?;
        let mut levels = Vec::new();
        for level in &info.tcb_levels {
            if level.tcb.tdx_components.len() != 16 || !PLATFORM_STATUSES.contains(&level.tcb_status) {
                return None;
            }
            let mut tdx = [0; 16];
            for (svn, component) in tdx.iter_mut().zip(&level.tcb.tdx_components) {
                *svn = component.svn;
            }
            let judged = Judged::new(level.tcb_status, &level.advisory_ids, &level.tcb_date)?;
            let order = (level.tcb.sgx_components.clone(), level.tcb.pce_svn, tdx);
            let is_met = level.shortfalls(cpu_svn, pce_svn, None).ok()?.is_empty();
            levels.push((order, is_met, Level { tdx, judged }));
        }
        levels.sort_by(|(a, ..), (b, ..)| b.cmp(a));
        let module = info.tdx_module.as_ref()?;
        let base = ModuleIdentity::new(&module.mrsigner, &module.attributes, &module.attributes_mask)?;
        let mut modules = Vec::new();
        for identity in &info.tdx_module_identities {
            modules.push((module_version(&identity.id)?, ModuleIdentity::of_version(identity)?));
        }
        Some(Self {
            levels: levels
                .into_iter()
                .filter(|(_, is_met, _)| *is_met)
                .map(|(.., level)| level)
                .collect(),
            base,
            modules,
        })
    }

    pub(super) fn verdict(&self, guest: &GuestState, qe: &TcbStatusWithAdvisory) -> Result<Verdict, AttestError> {
        let start = self.level_of(&guest.tee_tcb_svn)?;
        self.check_module(guest)?;
        let current = guest.current_tcb_svn.map(|svn| self.level_of(&svn)).transpose()?;
        let merged = start.with.merge(qe);
        let current = current.map(|level| level.with.merge(qe).status);
        if merged.status == TcbStatus::Revoked || current == Some(TcbStatus::Revoked) {
            return Err(refuse("TCB status is Revoked"));
        }
        Ok(Verdict {
            status: current.map_or(merged.status, |current| relaunch(merged.status, current)),
            advisories: merged.advisory_ids,
            date: start.date,
        })
    }

    /// The first level that is met, joined with that of the module: the worse status, all advisories, the older date.
    fn level_of(&self, svn: &[u8; 16]) -> Result<Judged, AttestError> {
        // A module with a version has an identity of its own, which judges the first two components.
        let skip = if svn[1] > 0 { 2 } else { 0 };
        let is_met = |level: &&Level| svn.iter().zip(&level.tdx).skip(skip).all(|(have, needs)| have >= needs);
        let level = self
            .levels
            .iter()
            .find(is_met)
            .ok_or_else(|| refuse("no TCB level matches"))?;
        let Some(module) = self.module_of(svn)? else {
            return Ok(level.judged.clone());
        };
        let found = module.levels.iter().find(|(needs, _)| svn[0] >= *needs);
        let (_, judged) = found.ok_or_else(|| refuse("the TDX module is below every level"))?;
        Ok(Judged {
            with: level.judged.with.clone().merge(&judged.with),
            date: level.judged.date.min(judged.date),
        })
    }

    fn module_of(&self, svn: &[u8; 16]) -> Result<Option<&ModuleIdentity>, AttestError> {
        if svn[1] == 0 {
            return Ok(None);
        }
        let found = self.modules.iter().find(|(version, _)| *version == svn[1]);
        let (_, module) = found.ok_or_else(|| refuse("no identity of the TDX module's version"))?;
        Ok(Some(module))
    }

    fn check_module(&self, guest: &GuestState) -> Result<(), AttestError> {
        let module = self.module_of(&guest.tee_tcb_svn)?.unwrap_or(&self.base);
        if guest.mrsignerseam != module.signer {
            return Err(refuse("the TDX module has another signer"));
        }
        if guest.seam_attributes != module.attributes & module.mask {
            return Err(refuse("the TDX module has other attributes"));
        }
        Ok(())
    }
}

/// `TDX_01` names the identity of modules of version 1.
fn module_version(id: &str) -> Option<u8> {
    let (prefix, digits) = id.split_at_checked(4)?;
    let is_hex = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !prefix.eq_ignore_ascii_case("TDX_") {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

impl ModuleIdentity {
    fn new(signer: &str, attributes: &str, mask: &str) -> Option<Self> {
        let mut register = [0; 48];
        hex::decode_to_slice(signer, &mut register).ok()?;
        let number = |text: &str| {
            let mut bytes = [0; 8];
            hex::decode_to_slice(text, &mut bytes).ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        Some(Self {
            signer: register,
            attributes: number(attributes)?,
            mask: number(mask)?,
            levels: Vec::new(),
        })
    }

    fn of_version(identity: &TdxModuleIdentity) -> Option<Self> {
        let mut module = Self::new(&identity.mrsigner, &identity.attributes, &identity.attributes_mask)?;
        for level in &identity.tcb_levels {
            if !MODULE_STATUSES.contains(&level.tcb_status) {
                return None;
            }
            let judged = Judged::new(level.tcb_status, &level.advisory_ids, &level.tcb_date)?;
            module.levels.push((level.tcb.isvsvn, judged));
        }
        Some(module)
    }
}

impl Judged {
    fn new(status: TcbStatus, advisories: &[String], date: &str) -> Option<Self> {
        Some(Self {
            with: TcbStatusWithAdvisory::new(status, advisories.to_vec()),
            date: dates::parse(date)?,
        })
    }
}

/// The identity that a quoting enclave must have, and its levels.
pub(super) struct QeLevels {
    identity: QeIdentity,
    /// Lowest security version of a level, and the verdict; highest first.
    levels: Vec<(u16, TcbStatusWithAdvisory)>,
}

impl QeLevels {
    /// `None` where a document is not in the usual form.
    pub(super) fn new(qe_identity: &str) -> Option<Self> {
        let identity: QeIdentity = serde_json::from_str(qe_identity).ok()?;
        let levels = identity
            .tcb_levels
            .iter()
            .map(|level| {
                let judged = TcbStatusWithAdvisory::new(level.tcb_status, level.advisory_ids.clone());
                QE_STATUSES
                    .contains(&level.tcb_status)
                    .then_some((level.tcb.isvsvn, judged))
            })
            .collect::<Option<_>>()?;
        Some(Self { identity, levels })
    }

    /// Offsets are those of an SGX report body.
    pub(super) fn level_of(&self, report: &[u8; 384]) -> Result<&TcbStatusWithAdvisory, AttestError> {
        let expected = &self.identity;
        let u16_at = |at: usize| u16::from_le_bytes([report[at], report[at + 1]]);
        let agrees = |at: usize, value: &[u8], mask: &[u8]| {
            let found = report[at..].iter();
            found
                .zip(value.iter().zip(mask))
                .all(|(found, (value, mask))| found & mask == value & mask)
        };
        if report[128..160] != expected.mrsigner || u16_at(256) != expected.isvprodid {
            return Err(refuse("not the maker's quoting enclave"));
        }
        if report[48] & SGX_DEBUG != 0
            || !agrees(16, &expected.miscselect, &expected.miscselect_mask)
            || !agrees(48, &expected.attributes, &expected.attributes_mask)
        {
            return Err(refuse("the quoting enclave runs in another mode"));
        }
        let svn = u16_at(258);
        let found = self.levels.iter().find(|(needs, _)| svn >= *needs);
        found
            .map(|(_, judged)| judged)
            .ok_or_else(|| refuse("the quoting enclave is below every level"))
    }
}

const SGX_DEBUG: u8 = 2;

/// The statuses that each document may use.
const PLATFORM_STATUSES: &[TcbStatus] = &[
    TcbStatus::UpToDate,
    TcbStatus::OutOfDate,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::Revoked,
    TcbStatus::OutOfDateConfigurationNeeded,
    TcbStatus::SWHardeningNeeded,
    TcbStatus::ConfigurationAndSWHardeningNeeded,
];
const MODULE_STATUSES: &[TcbStatus] = &[TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];
const QE_STATUSES: &[TcbStatus] = &[
    TcbStatus::UpToDate,
    TcbStatus::OutOfDate,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::Revoked,
    TcbStatus::OutOfDateConfigurationNeeded,
];

/// A guest that started on an old module which has been updated since should be started anew.
fn relaunch(start: TcbStatus, current: TcbStatus) -> TcbStatus {
    let wants_configuration = |status| {
        matches!(
            status,
            TcbStatus::ConfigurationNeeded
                | TcbStatus::OutOfDateConfigurationNeeded
                | TcbStatus::ConfigurationAndSWHardeningNeeded
        )
    };
    let is_behind = |status| matches!(status, TcbStatus::OutOfDate | TcbStatus::OutOfDateConfigurationNeeded);
    let is_judged_current = matches!(
        current,
        TcbStatus::UpToDate
            | TcbStatus::SWHardeningNeeded
            | TcbStatus::ConfigurationNeeded
            | TcbStatus::ConfigurationAndSWHardeningNeeded
    );
    if !is_behind(start) || !is_judged_current {
        start
    } else if wants_configuration(start) || wants_configuration(current) {
        TcbStatus::TDRelaunchAdvisedConfigurationNeeded
    } else {
        TcbStatus::TDRelaunchAdvised
    }
}
