//! Accelerators of this guest: what their driver says of them, and whether a runner may compute on them.
//!
//! The driver is part of the measured image, so its word about modes counts as much as the image does. What the
//! accelerators are is said by themselves only, in signed reports, which the policy judges.

#[cfg(feature = "nvml")]
mod nvml;

use cocoon_attest::{Fact, GpuClaims, GpuEvidence, GpuPolicy, judge_gpu};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::GuestError;
use crate::limits::MAX_GPUS;

#[cfg(feature = "nvml")]
pub use nvml::Nvml;

/// What a driver says about confidential mode, for all accelerators of a machine together. `None`: it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GpuMode {
    /// The mode is on.
    pub confidential: Option<bool>,
    /// Tools of developers may look into the accelerators.
    pub developer_tools: Option<bool>,
    /// The accelerators are of production, in confidential mode, and take work.
    pub ready: Option<bool>,
}

/// What a driver says of one accelerator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GpuDevice {
    /// Its kind.
    pub name: String,
    /// Version of its firmware (VBIOS).
    pub firmware: Option<String>,
    /// Version of the driver.
    pub driver: Option<String>,
}

/// A driver of accelerators. Calls block, those for reports for some seconds.
pub trait GpuDriver {
    /// How many there are.
    fn count(&self) -> Result<u32, GuestError>;
    /// How they run.
    fn mode(&self) -> Result<GpuMode, GuestError>;
    /// One of them, by its number.
    fn device(&self, index: u32) -> Result<GpuDevice, GuestError>;
    /// Its answer to `nonce`; `None` if it gives none.
    fn evidence(&self, index: u32, nonce: &[u8; 32]) -> Result<Option<GpuEvidence>, GuestError>;
    /// Lets all of them take work. In confidential mode they start without.
    fn set_ready(&self) -> Result<(), GuestError>;
}

/// What is asked of a guest's accelerators before it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GpuDemand {
    /// Nothing; they are not looked at.
    #[default]
    Off,
    /// By the word of the driver: confidential mode is on, tools of developers are off, all take work. A report that does not
    /// hold is refused; one that cannot be judged leaves the claims unknown.
    Required,
    /// Also by the reports: each is signed by a maker of the policy and has measurements that it accepts.
    Measured,
}

impl GpuDemand {
    /// Whether nothing is asked.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// An accelerator that may be computed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdmittedGpu {
    /// What the driver says of it.
    #[serde(flatten)]
    pub device: GpuDevice,
    /// What its report says.
    pub claims: GpuClaims,
}

/// Looks at all accelerators and lets them take work if they are what is demanded, else refuses with the first that is not.
/// `nonce` is fresh randomness.
pub fn admit_gpus(
    driver: &dyn GpuDriver,
    demand: GpuDemand,
    policy: &GpuPolicy,
    nonce: &[u8; 32],
) -> Result<Vec<AdmittedGpu>, GuestError> {
    if demand == GpuDemand::Off {
        return Ok(Vec::new());
    }
    if demand == GpuDemand::Measured && !policy.can_prove() {
        return Err(refused("the policy names no roots and measurements to judge them by"));
    }
    let count = driver.count()?;
    if count == 0 || count > MAX_GPUS {
        return Err(refused("there is none, or more than any machine has"));
    }
    check_mode(&driver.mode()?)?;
    let mut admitted = Vec::new();
    for index in 0..count {
        let device = driver.device(index)?;
        let claims = claims(driver, index, policy, nonce)?;
        let facts = [claims.genuine, claims.measured, claims.confidential];
        let is_admitted = match demand {
            GpuDemand::Measured => facts == [Fact::Proven; 3],
            GpuDemand::Required | GpuDemand::Off => !facts.contains(&Fact::Refuted),
        };
        if !is_admitted {
            let GpuDevice { name, .. } = device;
            return Err(GuestError::GpuClaims {
                index,
                name,
                claims: Box::new(claims),
            });
        }
        admitted.push(AdmittedGpu { device, claims });
    }
    driver.set_ready()?;
    match driver.mode()?.ready {
        Some(true) => Ok(admitted),
        Some(false) | None => Err(refused("they cannot be made ready, or are not of production")),
    }
}

/// What is refused without looking at reports: what the driver does not say is not taken for consent.
fn check_mode(mode: &GpuMode) -> Result<(), GuestError> {
    match (mode.confidential, mode.developer_tools) {
        (Some(true), Some(false)) => Ok(()),
        (Some(false), _) => Err(refused("confidential mode is off")),
        (None, _) => Err(refused("the driver does not say that confidential mode is on")),
        (_, Some(true)) => Err(refused("tools of developers may look into them")),
        (_, None) => Err(refused("the driver does not say that tools of developers are off")),
    }
}

fn claims(driver: &dyn GpuDriver, index: u32, policy: &GpuPolicy, nonce: &[u8; 32]) -> Result<GpuClaims, GuestError> {
    // Each has a question of its own, so that none can answer for another.
    let question: [u8; 32] = Sha256::new()
        .chain_update(nonce)
        .chain_update(index.to_le_bytes())
        .finalize()
        .into();
    match driver.evidence(index, &question)? {
        Some(evidence) => judge_gpu(&evidence, &policy.golden, &policy.roots, &question).map_err(GuestError::GpuReport),
        None => Ok(GpuClaims::unknown()),
    }
}

fn refused(problem: &'static str) -> GuestError {
    GuestError::GpuMode { problem }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::{BTreeMap, BTreeSet};

    use cocoon_attest::GoldenMeasurements;
    use cocoon_attest::simulated::SimulatedGpu;

    use super::*;

    const ON: GpuMode = GpuMode {
        confidential: Some(true),
        developer_tools: Some(false),
        ready: None,
    };

    /// A driver in software, SIMULATED.
    struct Driver {
        mode: GpuMode,
        gpus: Vec<Option<SimulatedGpu>>,
        /// What "ready" reads after it was set.
        becomes: Option<bool>,
        ready: Cell<Option<bool>>,
        /// Whether reports answer another question.
        replays: bool,
    }

    impl Driver {
        fn new(count: usize) -> Self {
            let gpu = || Some(SimulatedGpu::generate().unwrap());
            Self {
                mode: ON,
                gpus: (0..count).map(|_| gpu()).collect(),
                becomes: Some(true),
                ready: Cell::new(Some(false)),
                replays: false,
            }
        }

        /// A policy that knows the first `count` accelerators.
        fn policy(&self, count: usize, value: &str) -> GpuPolicy {
            let known = self.gpus.iter().take(count).flatten();
            GpuPolicy {
                roots: known.map(|gpu| gpu.root_der().to_vec()).collect(),
                golden: vec![GoldenMeasurements {
                    name: "accepted".to_owned(),
                    blocks: BTreeMap::from([(3, BTreeSet::from([value.to_owned()]))]),
                }],
            }
        }

        fn admit(&self, demand: GpuDemand, policy: &GpuPolicy) -> Result<Vec<AdmittedGpu>, GuestError> {
            admit_gpus(self, demand, policy, &[5; 32])
        }

        fn was_made_ready(&self) -> bool {
            self.ready.get() == Some(true)
        }
    }

    impl GpuDriver for Driver {
        fn count(&self) -> Result<u32, GuestError> {
            Ok(self.gpus.len() as u32)
        }

        fn mode(&self) -> Result<GpuMode, GuestError> {
            let ready = self.ready.get();
            Ok(GpuMode { ready, ..self.mode })
        }

        fn device(&self, _: u32) -> Result<GpuDevice, GuestError> {
            Ok(GpuDevice::default())
        }

        fn evidence(&self, index: u32, nonce: &[u8; 32]) -> Result<Option<GpuEvidence>, GuestError> {
            let nonce = if self.replays { &[1; 32] } else { nonce };
            let gpu = self.gpus[index as usize].as_ref();
            Ok(gpu.map(|gpu| gpu.evidence(nonce, &[(3, &[0xab; 48])]).unwrap()))
        }

        fn set_ready(&self) -> Result<(), GuestError> {
            self.ready.set(self.becomes);
            Ok(())
        }
    }

    fn golden() -> String {
        "ab".repeat(48)
    }

    #[test]
    fn accelerators_in_confidential_mode_take_work_and_claim_what_is_proven() {
        let driver = Driver::new(2);
        let unknown = driver.admit(GpuDemand::Required, &GpuPolicy::default()).unwrap();
        assert!(driver.was_made_ready());
        assert_eq!(unknown.len(), 2);
        assert_eq!(
            unknown[0].claims.measured,
            Fact::Unknown,
            "nothing is named to prove it by"
        );
        let proven = driver.admit(GpuDemand::Measured, &driver.policy(2, &golden())).unwrap();
        assert_eq!(proven[1].claims.confidential, Fact::Proven);
        assert_eq!(proven[1].claims.golden.as_deref(), Some("accepted"));
    }

    #[test]
    fn a_mode_that_is_wrong_or_not_told_is_refused_and_nothing_made_ready() {
        for (confidential, developer_tools) in [
            (Some(false), Some(false)),
            (None, Some(false)),
            (Some(true), Some(true)),
            (Some(true), None),
        ] {
            let mut driver = Driver::new(1);
            driver.mode = GpuMode {
                confidential,
                developer_tools,
                ready: None,
            };
            let refusal = driver.admit(GpuDemand::Required, &GpuPolicy::default());
            assert!(matches!(refusal, Err(GuestError::GpuMode { .. })), "{refusal:?}");
            assert!(!driver.was_made_ready());
        }
        let none = Driver::new(0).admit(GpuDemand::Required, &GpuPolicy::default());
        assert!(matches!(none, Err(GuestError::GpuMode { .. })));
    }

    #[test]
    fn accelerators_that_do_not_become_ready_are_refused() {
        for becomes in [Some(false), None] {
            let mut driver = Driver::new(1);
            driver.becomes = becomes;
            let refusal = driver.admit(GpuDemand::Required, &GpuPolicy::default()).unwrap_err();
            assert!(refusal.to_string().contains("cannot be made ready"), "{refusal}");
        }
    }

    #[test]
    fn measured_asks_for_proof_of_every_accelerator() {
        let driver = Driver::new(2);
        for policy in [
            GpuPolicy::default(),
            driver.policy(1, &golden()),
            driver.policy(2, &"00".repeat(48)),
        ] {
            assert!(driver.admit(GpuDemand::Measured, &policy).is_err(), "{policy:?}");
            assert!(!driver.was_made_ready());
        }
        let mut mute = Driver::new(1);
        let policy = mute.policy(1, &golden());
        mute.gpus[0] = None;
        let refusal = mute.admit(GpuDemand::Measured, &policy).unwrap_err();
        assert!(matches!(refusal, GuestError::GpuClaims { index: 0, .. }), "{refusal}");
        let admitted = mute.admit(GpuDemand::Required, &policy).unwrap();
        assert_eq!(admitted[0].claims, GpuClaims::unknown());
    }

    #[test]
    fn a_report_that_answers_another_question_is_refused_even_without_golden_measurements() {
        let mut driver = Driver::new(1);
        driver.replays = true;
        let refusal = driver.admit(GpuDemand::Required, &GpuPolicy::default()).unwrap_err();
        assert!(matches!(refusal, GuestError::GpuClaims { .. }), "{refusal}");
        assert!(!driver.was_made_ready());
    }

    #[test]
    fn off_looks_at_nothing() {
        let driver = Driver::new(0);
        assert!(driver.admit(GpuDemand::Off, &GpuPolicy::default()).unwrap().is_empty());
    }
}
