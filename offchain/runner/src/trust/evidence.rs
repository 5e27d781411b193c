//! Where this runner's own evidence comes from, as its configuration says or as the machine allows.

use std::path::Path;
use std::sync::Arc;

use cocoon_attest::REPORT_DATA_BYTES;
use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_guest::{
    CONFIGFS_REPORTS, Configfs, Endpoint, GUEST_DEVICE, GuestError, HOST_QGS, Pretended, Qgs, QuoteSource, Tdx,
};
use cocoon_ratls::{EvidenceSource, NoEvidence, RatlsError, Simulated};

use crate::RunnerError;
use crate::config::{AttestationConfig, EvidenceKind};

/// Where evidence comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nowhere.
    None,
    /// The kernel.
    Configfs,
    /// The host's quoting service.
    Qgs(Endpoint),
    /// A simulated platform in this process.
    Platform,
    /// A simulator elsewhere.
    Simulator(Endpoint),
}

/// What the machine offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    configfs: bool,
    device: bool,
}

impl Offered {
    /// By this machine.
    pub(super) fn here() -> Self {
        Self {
            configfs: Path::new(CONFIGFS_REPORTS).is_dir(),
            device: Path::new(GUEST_DEVICE).exists(),
        }
    }
}

impl Source {
    /// What the configuration says; `auto` takes the simulation that is configured, then what the machine offers.
    pub(super) fn choose(config: &AttestationConfig, offered: Offered) -> Result<Self, RunnerError> {
        let refused = |key: &str, problem: &str| {
            Err(RunnerError::ConfigValue {
                key: format!("attestation.{key}"),
                problem: problem.to_owned(),
            })
        };
        let simulator = config.simulator.clone();
        if config.simulated_platform.is_some() && config.simulated_trust.is_some() {
            return refused(
                "simulated_trust",
                "the simulated platform is configured with its keys already",
            );
        }
        if simulator.is_none() && config.simulated_registers.is_some() {
            return refused("simulated_registers", "only a simulator makes quotes for them");
        }
        let qgs = config.qgs.clone();
        let usable = matches!(config.evidence, EvidenceKind::Auto | EvidenceKind::Qgs);
        if qgs.is_some() && !usable {
            return refused("qgs", "evidence comes from elsewhere");
        }
        let usable = matches!(config.evidence, EvidenceKind::Auto | EvidenceKind::Simulated);
        if simulator.is_some() && !usable {
            return refused("simulator", "evidence comes from elsewhere");
        }
        let simulated = match simulator {
            Some(endpoint) => Some(Self::Simulator(endpoint)),
            None => config.simulated_platform.as_ref().map(|_| Self::Platform),
        };
        Ok(match (config.evidence, simulated, qgs) {
            (EvidenceKind::None, ..) => Self::None,
            (EvidenceKind::Configfs, ..) => Self::Configfs,
            (EvidenceKind::Simulated | EvidenceKind::Auto, Some(simulated), _) => simulated,
            (EvidenceKind::Simulated, None, _) => {
                return refused("evidence", "neither a simulator nor a simulated platform is configured");
            }
            (EvidenceKind::Qgs, _, qgs) => Self::Qgs(qgs.unwrap_or(HOST_QGS)),
            (EvidenceKind::Auto, None, Some(qgs)) => Self::Qgs(qgs),
            (EvidenceKind::Auto, None, None) if offered.configfs => Self::Configfs,
            (EvidenceKind::Auto, None, None) if offered.device => Self::Qgs(HOST_QGS),
            (EvidenceKind::Auto, None, None) => Self::None,
        })
    }

    /// Whether what comes from here is simulated.
    pub(super) fn is_simulated(&self) -> bool {
        matches!(self, Self::Platform | Self::Simulator(_))
    }

    /// Opens the source for a role. `image` and `registers` are what a simulated guest pretends to be.
    pub(super) fn open(
        &self,
        role: &str,
        image: Option<&str>,
        registers: Option<Pretended>,
        platform: Option<&SimulatedPlatform>,
    ) -> Arc<dyn EvidenceSource> {
        let image = image.unwrap_or(role);
        match (self, platform) {
            (Self::Platform, Some(platform)) => Arc::new(Simulated::for_role(platform.clone(), image)),
            (Self::None | Self::Platform, _) => Arc::new(NoEvidence),
            (Self::Configfs, _) => Guest::shared(Configfs::new(CONFIGFS_REPORTS)),
            (Self::Qgs(endpoint), _) => Guest::shared(Qgs::new(endpoint.clone(), Arc::new(Tdx::new(GUEST_DEVICE)))),
            (Self::Simulator(endpoint), _) => {
                let pretended = registers.unwrap_or_else(|| Pretended::new(simulated_measurements(image)));
                Guest::shared(Qgs::new(endpoint.clone(), Arc::new(pretended)))
            }
        }
    }
}

/// Quotes of a guest, as the TLS layer wants them.
struct Guest<S>(S);

impl<S: QuoteSource + 'static> Guest<S> {
    fn shared(source: S) -> Arc<dyn EvidenceSource> {
        Arc::new(Self(source))
    }
}

impl<S: QuoteSource> EvidenceSource for Guest<S> {
    fn evidence(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Option<Vec<u8>>, RatlsError> {
        let quote = self
            .0
            .quote(report_data)
            .map_err(|error: GuestError| RatlsError::Source {
                reason: format!("{error} ({})", error.hint()),
            })?;
        Ok(Some(quote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Offered = Offered {
        configfs: false,
        device: false,
    };

    fn parsed(text: &str) -> AttestationConfig {
        crate::config::parse(Path::new("runner.toml"), text).unwrap()
    }

    fn chosen(text: &str, configfs: bool, device: bool) -> Source {
        Source::choose(&parsed(text), Offered { configfs, device }).unwrap()
    }

    #[test]
    fn auto_takes_what_the_machine_offers() {
        assert_eq!(chosen("", true, true), Source::Configfs);
        assert_eq!(chosen("", false, true), Source::Qgs(HOST_QGS));
        assert_eq!(chosen("", false, false), Source::None);
        assert_eq!(chosen("evidence = \"auto\"", true, false), Source::Configfs);
    }

    #[test]
    fn what_is_configured_comes_before_what_is_offered() {
        let simulator = Source::Simulator("tcp:127.0.0.1:4050".parse().unwrap());
        assert_eq!(chosen("simulator = \"tcp:127.0.0.1:4050\"", true, true), simulator);
        assert_eq!(chosen("simulated_platform = \"p.json\"", true, true), Source::Platform);
        assert_eq!(
            chosen("qgs = \"vsock:host:4051\"", true, true),
            Source::Qgs(Endpoint::host(4051))
        );
        assert_eq!(chosen("evidence = \"qgs\"", true, false), Source::Qgs(HOST_QGS));
        assert_eq!(chosen("evidence = \"configfs\"", false, false), Source::Configfs);
        assert_eq!(chosen("evidence = \"none\"", true, true), Source::None);
    }

    #[test]
    fn a_real_guest_may_trust_a_simulated_platform_on_a_test_network() {
        let text = "evidence = \"configfs\"\nsimulated_platform = \"p.json\"";
        assert_eq!(chosen(text, true, true), Source::Configfs);
    }

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        for (text, key) in [
            ("evidence = \"simulated\"", "attestation.evidence"),
            (
                "evidence = \"configfs\"\nsimulator = \"unix:s\"",
                "attestation.simulator",
            ),
            ("evidence = \"none\"\nqgs = \"vsock:host:1\"", "attestation.qgs"),
            ("simulated_registers = \"r.json\"", "attestation.simulated_registers"),
            (
                "simulated_platform = \"p.json\"\nsimulated_trust = \"t.json\"",
                "attestation.simulated_trust",
            ),
        ] {
            let refused = Source::choose(&parsed(text), NOTHING);
            assert!(
                matches!(&refused, Err(RunnerError::ConfigValue { key: found, .. }) if found == key),
                "{text}: {refused:?}"
            );
        }
    }
}
