//! What a guest must have started with, component by component.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    log::{EventLog, LoggedEvent, sha384},
    runtime::RuntimeEvent,
};
use crate::{AttestError, Measurements, Register};

const EV_SEPARATOR: u32 = 4;
const EV_EVENT_TAG: u32 = 6;
const EV_EFI_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
const EV_EFI_ACTION: u32 = 0x8000_0007;
/// Tags of Linux's EFI stub (drivers/firmware/efi/libstub/efistub.h).
const TAG_INITRD: u32 = 0x8f3b_22ec;
const TAG_COMMAND_LINE: u32 = 0x8f3b_22ed;
const RTMR0: u8 = 0;
const RTMR1: u8 = 1;
const RTMR2: u8 = 2;
const RTMR3: u8 = 3;
/// What firmware says of a start that goes straight from it to the kernel (EDK2, MdeModulePkg: the boot manager and
/// `ExitBootServices`). "Returning from EFI Application" is none of it: something ran that was not the kernel.
const ACTIONS: [&[u8]; 3] = [
    b"Calling EFI Application from Boot Option",
    b"Exit Boot Services Invocation",
    b"Exit Boot Services Returned with Success",
];

/// A part of what a guest starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// Firmware and initial memory: MRTD.
    Firmware,
    /// The machine that the firmware saw (processors, memory, devices, firmware settings): RTMR0 as a whole.
    Machine,
    /// The kernel image.
    Kernel,
    /// The kernel's command line.
    CommandLine,
    /// The initial root file system.
    Initrd,
    /// The tree of the static configuration.
    ConfigTree,
    /// The line that ends the start ("tdx_inited").
    TdxInited,
}

impl Component {
    /// All components, in the order in which they start.
    pub const ALL: [Self; 7] = [
        Self::Firmware,
        Self::Machine,
        Self::Kernel,
        Self::CommandLine,
        Self::Initrd,
        Self::ConfigTree,
        Self::TdxInited,
    ];
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firmware => "firmware",
            Self::Machine => "machine",
            Self::Kernel => "kernel",
            Self::CommandLine => "command line",
            Self::Initrd => "initrd",
            Self::ConfigTree => "configuration tree",
            Self::TdxInited => "end of start",
        })
    }
}

/// What components may be (SHA-384, as measured). A component without an entry may be anything, but never missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootPolicy {
    /// Accepted digests by component.
    pub accepted: BTreeMap<Component, BTreeSet<Register>>,
    /// Whether a guest that was started for debugging is accepted.
    pub allow_debug: bool,
}

impl BootPolicy {
    /// Only what this guest started with. The log must give the `measurements`, and every component must be in it: what
    /// is not pinned could be anything.
    pub fn exactly(log: &EventLog, measurements: &Measurements) -> Result<Self, AttestError> {
        let found = whole_start(log, measurements, false)?;
        let accepted = found
            .into_iter()
            .map(|(component, digest)| (component, BTreeSet::from([digest])));
        Ok(Self {
            accepted: accepted.collect(),
            allow_debug: false,
        })
    }

    /// Accepts a start whose log gives the verified `measurements` and whose components are all accepted; otherwise says
    /// which component is another one, is missing, or does not belong there.
    pub fn check(&self, log: &EventLog, measurements: &Measurements) -> Result<(), AttestError> {
        for (component, digest) in whole_start(log, measurements, self.allow_debug)? {
            let accepted = self.accepted.get(&component);
            if accepted.is_some_and(|accepted| !accepted.contains(&digest)) {
                return Err(AttestError::Component {
                    component,
                    found: Box::new(digest),
                });
            }
        }
        Ok(())
    }
}

/// Every component of a start whose log gives the measurements.
fn whole_start(
    log: &EventLog,
    measurements: &Measurements,
    allow_debug: bool,
) -> Result<BTreeMap<Component, Register>, AttestError> {
    log.check(measurements)?;
    let found = components(log, measurements, allow_debug)?;
    match Component::ALL.into_iter().find(|one| !found.contains_key(one)) {
        Some(component) => Err(AttestError::ComponentMissing { component }),
        None => Ok(found),
    }
}

fn components(
    log: &EventLog,
    measurements: &Measurements,
    allow_debug: bool,
) -> Result<BTreeMap<Component, Register>, AttestError> {
    let mut found = BTreeMap::from([
        (Component::Firmware, measurements.mrtd),
        (Component::Machine, measurements.rtmr[0]),
    ]);
    for event in log.events() {
        let unexpected = || AttestError::UnexpectedEvent {
            register: event.register,
            kind: event.kind,
        };
        match role(event) {
            Role::Component(component) => {
                if found.insert(component, event.digest).is_some() {
                    return Err(unexpected());
                }
            }
            Role::Routine => {}
            Role::Debug if allow_debug => {}
            Role::Debug | Role::Unknown => return Err(unexpected()),
        }
        // Nothing is extended behind the end of the start.
        if event.register == RTMR3 && found.contains_key(&Component::TdxInited) && role(event) != INITED {
            return Err(unexpected());
        }
    }
    Ok(found)
}

const INITED: Role = Role::Component(Component::TdxInited);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Component(Component),
    /// Belongs to every start and chooses nothing.
    Routine,
    Debug,
    Unknown,
}

/// What an event is. The log's words, its kinds among them, are its own: they count only where the digest is that of the
/// words, or where the component that they name is judged by the digest. So each is believed in its register only, and
/// what chooses nothing is one of a few known texts, never bytes of the log's choice, which might be a program.
fn role(event: &LoggedEvent) -> Role {
    match (event.register, event.kind) {
        // Judged as a whole by the register.
        (RTMR0, _) => Role::Routine,
        (RTMR3, _) => match RuntimeEvent::parse(&event.data).filter(|line| line.digest() == event.digest) {
            Some(RuntimeEvent::ConfigTree(_)) => Role::Component(Component::ConfigTree),
            Some(RuntimeEvent::Debug) => Role::Debug,
            Some(RuntimeEvent::Inited) => INITED,
            None => Role::Unknown,
        },
        (RTMR1, EV_EFI_BOOT_SERVICES_APPLICATION) => Role::Component(Component::Kernel),
        (RTMR2, EV_EVENT_TAG) => match event.data.first_chunk().map(|tag| u32::from_le_bytes(*tag)) {
            Some(TAG_INITRD) => Role::Component(Component::Initrd),
            Some(TAG_COMMAND_LINE) => Role::Component(Component::CommandLine),
            _ => Role::Unknown,
        },
        (RTMR1, EV_EFI_ACTION) if event.is_digest_of_data() && ACTIONS.contains(&event.data.as_slice()) => {
            Role::Routine
        }
        (_, EV_SEPARATOR) if event.digest == sha384(&[&[0; 4]]) => Role::Routine,
        _ => Role::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::log::tests::written;

    fn event(register: u8, kind: u32, hashed: &[u8], data: &[u8]) -> LoggedEvent {
        LoggedEvent {
            register,
            kind,
            digest: sha384(&[hashed]),
            data: data.to_vec(),
        }
    }

    fn tag(tag: u32, hashed: &[u8]) -> LoggedEvent {
        event(2, EV_EVENT_TAG, hashed, &tag.to_le_bytes())
    }

    /// The events of a start by firmware and Linux's EFI stub, with our two behind them.
    fn start() -> Vec<LoggedEvent> {
        vec![
            event(0, 0x8000_0001, b"variable", b"SecureBoot"),
            event(0, EV_SEPARATOR, &[0; 4], &[0; 4]),
            event(1, EV_EFI_ACTION, ACTIONS[0], ACTIONS[0]),
            event(1, EV_SEPARATOR, &[0; 4], &[0; 4]),
            event(1, EV_EFI_BOOT_SERVICES_APPLICATION, b"kernel", b"path"),
            event(1, EV_EFI_ACTION, ACTIONS[1], ACTIONS[1]),
            event(1, EV_EFI_ACTION, ACTIONS[2], ACTIONS[2]),
            tag(TAG_COMMAND_LINE, b"console=ttyS0"),
            tag(TAG_INITRD, b"initrd"),
            RuntimeEvent::ConfigTree([5; 32]).logged(),
            RuntimeEvent::Inited.logged(),
        ]
    }

    fn log(events: &[LoggedEvent]) -> (EventLog, Measurements) {
        let (firmware, runtime): (Vec<_>, Vec<_>) = events.iter().cloned().partition(|event| event.register < RTMR3);
        let log = EventLog::parse(&written(&firmware)).unwrap().with(runtime);
        let measurements = Measurements {
            rtmr: log.replay(),
            ..Measurements::ZERO
        };
        (log, measurements)
    }

    fn policy() -> BootPolicy {
        let (log, measurements) = log(&start());
        BootPolicy::exactly(&log, &measurements).unwrap()
    }

    fn check(events: &[LoggedEvent]) -> Result<(), AttestError> {
        let (log, measurements) = log(events);
        policy().check(&log, &measurements)
    }

    #[test]
    fn the_expected_start_is_accepted_and_its_log_must_be_that_of_the_quote() {
        assert_eq!(check(&start()), Ok(()));
        let (log, mut measurements) = log(&start());
        measurements.rtmr[1][0] ^= 1;
        let refusal = policy().check(&log, &measurements);
        assert_eq!(refusal, Err(AttestError::EventLogRegister { register: 1 }));
    }

    #[test]
    fn the_component_that_differs_is_named() {
        for (at, component) in [
            (0, Component::Machine),
            (4, Component::Kernel),
            (7, Component::CommandLine),
            (8, Component::Initrd),
        ] {
            let mut events = start();
            events[at].digest[0] ^= 1;
            let refusal = check(&events).unwrap_err();
            assert!(
                matches!(refusal, AttestError::Component { component: found, .. } if found == component),
                "{at}: {refusal}"
            );
        }
        let mut events = start();
        events[9] = RuntimeEvent::ConfigTree([6; 32]).logged();
        let refusal = check(&events).unwrap_err();
        assert!(refusal.to_string().contains("configuration tree"), "{refusal}");
        let (log, mut measurements) = log(&start());
        measurements.mrtd[0] ^= 1;
        let refusal = policy().check(&log, &measurements).unwrap_err();
        assert!(refusal.to_string().contains("firmware"), "{refusal}");
    }

    #[test]
    fn a_missing_component_is_named() {
        for (at, component) in [
            (4, Component::Kernel),
            (7, Component::CommandLine),
            (8, Component::Initrd),
            (9, Component::ConfigTree),
            (10, Component::TdxInited),
        ] {
            let mut events = start();
            events.remove(at);
            assert_eq!(check(&events), Err(AttestError::ComponentMissing { component }));
        }
    }

    #[test]
    fn what_does_not_belong_to_a_start_is_refused() {
        let strangers = [
            (5, event(1, EV_EFI_BOOT_SERVICES_APPLICATION, b"second kernel", b"")),
            (3, event(1, EV_EFI_ACTION, b"hidden", b"harmless")),
            (3, event(1, EV_SEPARATOR, b"hidden", &[0; 4])),
            (8, tag(7, b"unknown")),
            (10, RuntimeEvent::Debug.logged()),
            (10, event(3, 0, b"hidden", RuntimeEvent::Inited.line().as_bytes())),
            (11, RuntimeEvent::ConfigTree([5; 32]).logged()),
            (11, RuntimeEvent::Debug.logged()),
            (11, RuntimeEvent::Inited.logged()),
        ];
        for (at, stranger) in strangers {
            let mut events = start();
            let expected = AttestError::UnexpectedEvent {
                register: stranger.register,
                kind: stranger.kind,
            };
            events.insert(at, stranger);
            assert_eq!(check(&events), Err(expected), "{at}");
        }
    }

    fn refuses(events: &[LoggedEvent], stranger: &LoggedEvent) {
        let expected = AttestError::UnexpectedEvent {
            register: stranger.register,
            kind: stranger.kind,
        };
        assert_eq!(check(events), Err(expected), "{stranger:?}");
    }

    #[test]
    fn a_program_that_the_log_calls_an_action_is_refused() {
        // An Authenticode digest is one of bytes that anybody can put together from the program.
        let program = [b"MZ".as_slice(), &[0x90; 4096]].concat();
        let returning = b"Returning from EFI Application from Boot Option";
        let strangers = [
            event(1, EV_EFI_ACTION, &program, &program),
            event(2, EV_EFI_ACTION, &program, &program),
            event(1, EV_EFI_ACTION, returning, returning),
            event(2, EV_EFI_ACTION, ACTIONS[0], ACTIONS[0]),
        ];
        for stranger in strangers {
            let mut events = start();
            events.insert(4, stranger.clone());
            refuses(&events, &stranger);
        }
    }

    #[test]
    fn a_component_in_another_register_than_its_own_is_refused() {
        // A foreign kernel in RTMR1 that the log calls the command line, which the policy leaves open.
        let mut kernel_as_line = event(1, EV_EVENT_TAG, b"foreign kernel", &TAG_COMMAND_LINE.to_le_bytes());
        let mut events = start();
        events[7] = kernel_as_line.clone();
        let (log, measurements) = log(&events);
        let mut open = policy();
        open.accepted.remove(&Component::CommandLine);
        let refusal = open.check(&log, &measurements);
        assert!(
            matches!(
                refusal,
                Err(AttestError::UnexpectedEvent {
                    register: 1,
                    kind: EV_EVENT_TAG
                })
            ),
            "{refusal:?}"
        );
        // And others where they do not belong.
        kernel_as_line.data = TAG_INITRD.to_le_bytes().to_vec();
        let line_as_kernel = event(2, EV_EFI_BOOT_SERVICES_APPLICATION, b"kernel", b"path");
        for (at, stranger) in [(8, kernel_as_line), (4, line_as_kernel)] {
            let mut events = start();
            events[at] = stranger.clone();
            refuses(&events, &stranger);
        }
    }

    #[test]
    fn a_start_is_pinned_only_with_a_log_of_its_quote_and_with_every_component() {
        let (whole, mut measurements) = log(&start());
        measurements.rtmr[2][0] ^= 1;
        let refusal = BootPolicy::exactly(&whole, &measurements);
        assert_eq!(refusal, Err(AttestError::EventLogRegister { register: 2 }));
        for (at, component) in [
            (4, Component::Kernel),
            (8, Component::Initrd),
            (10, Component::TdxInited),
        ] {
            let mut events = start();
            events.remove(at);
            let (log, measurements) = log(&events);
            let refusal = BootPolicy::exactly(&log, &measurements);
            assert_eq!(refusal, Err(AttestError::ComponentMissing { component }));
        }
    }

    #[test]
    fn a_debug_start_is_accepted_only_where_the_policy_says_so() {
        let mut events = start();
        events.insert(10, RuntimeEvent::Debug.logged());
        let (log, measurements) = log(&events);
        let mut policy = policy();
        assert!(matches!(
            policy.check(&log, &measurements),
            Err(AttestError::UnexpectedEvent { .. })
        ));
        policy.allow_debug = true;
        assert_eq!(policy.check(&log, &measurements), Ok(()));
    }
}
