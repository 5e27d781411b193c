//! Checks of the machine's place in a network: ports, disk, the chain, its clock, and the list of images.

use std::net::SocketAddr;
use std::path::PathBuf;

use cocoon_bindings::units::ImageHash;

use super::{Check, Machine, Outcome, Role};
use crate::limits::{DOCTOR_CLOCK_SKEW_SECONDS, DOCTOR_FREE_BYTES, DOCTOR_SLOW_SYNC};

/// The ports of a role are free, or taken by it.
#[derive(Clone, Debug)]
pub struct Ports {
    /// What will be opened.
    pub addresses: Vec<SocketAddr>,
}

impl Check for Ports {
    fn name(&self) -> &'static str {
        "ports"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        for address in &self.addresses {
            if let Err(error) = machine.probe().bind(*address) {
                return Outcome::broken(
                    format!("{address} cannot be opened: {error}"),
                    "stop the program that has it (ss -ltnp), or name another port",
                );
            }
        }
        let names: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        Outcome::fine(format!("{} free", names.join(", ")))
    }
}

/// The data folder has room and makes durable what is written.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The folder.
    pub folder: PathBuf,
}

impl Check for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        const GIB: f64 = (1_u64 << 30) as f64;
        let folder = self.folder.display();
        let free = match machine.probe().free_bytes(&self.folder) {
            Ok(free) => free,
            Err(error) => {
                return Outcome::broken(
                    format!("{folder} cannot be looked at: {error}"),
                    "make the folder, or name another with --folder",
                );
            }
        };
        let gib = free as f64 / GIB;
        if free < DOCTOR_FREE_BYTES {
            return Outcome::broken(
                format!("{gib:.1} GiB are left in {folder}"),
                format!(
                    "free {:.0} GiB: receipts must never be lost for want of space",
                    DOCTOR_FREE_BYTES as f64 / GIB
                ),
            );
        }
        match machine.probe().sync(&self.folder) {
            Ok(took) => {
                let slow = if took > DOCTOR_SLOW_SYNC {
                    ", slow: receipts wait for it"
                } else {
                    ""
                };
                Outcome::fine(format!(
                    "{gib:.1} GiB are left in {folder}, a write is durable after {:.1} ms{slow}",
                    took.as_secs_f64() * 1e3
                ))
            }
            Err(error) => Outcome::broken(
                format!("{folder} cannot be written durably: {error}"),
                "give this user a folder on a local file system",
            ),
        }
    }
}

/// What was learnt of the root contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFacts {
    /// The chain's time, Unix seconds.
    pub time: u64,
    /// Whether the network is a test.
    pub is_test: bool,
    /// Whether the image in question is listed for the role at that time; `None` if none was named.
    pub listed: Option<bool>,
}

/// The chain answers.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What it said, or why not.
    pub root: Result<RootFacts, String>,
}

impl Check for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn look(&self, _: &Machine) -> Outcome {
        match &self.root {
            Ok(facts) if facts.is_test => {
                Outcome::fine("the root contract answers; a test network, SIMULATED platforms count")
            }
            Ok(_) => Outcome::fine("the root contract answers; a production network"),
            Err(error) => Outcome::broken(
                format!("the root contract cannot be read: {error}"),
                "check the URL, the address and the network of this machine",
            ),
        }
    }
}

/// The clock agrees with the chain's.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The chain's time, Unix seconds; `None` if it is not known.
    pub chain_time: Option<u64>,
}

impl Check for Clock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        let Some(chain) = self.chain_time else {
            return Outcome::unknown("the chain's time is not known");
        };
        let now = machine.probe().now();
        let apart = now.abs_diff(chain);
        let side = if now > chain { "ahead of" } else { "behind" };
        if apart > DOCTOR_CLOCK_SKEW_SECONDS {
            return Outcome::broken(
                format!("the clock is {apart} s {side} the chain"),
                "set it by NTP (timedatectl set-ntp true): certificates and collateral have dates",
            );
        }
        Outcome::fine(format!("{apart} s {side} the chain"))
    }
}

/// The image of this runner is in the root contract.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The role that it should be listed for.
    pub role: Role,
    /// The image.
    pub image: Option<ImageHash>,
    /// Whether it is listed; `None` if that is not known.
    pub listed: Option<bool>,
}

impl Check for Listed {
    fn name(&self) -> &'static str {
        "image"
    }

    fn look(&self, _: &Machine) -> Outcome {
        let role = match self.role {
            Role::Worker => "workers",
            Role::Proxy => "proxies",
            Role::Client => return Outcome::fine("clients are not listed"),
        };
        match (self.image, self.listed) {
            (None, _) => Outcome::unknown("no image hash was named with --image"),
            (Some(_), None) => Outcome::unknown("the root contract is not known"),
            (Some(image), Some(true)) => Outcome::fine(format!("{image} is listed for {role}")),
            (Some(image), Some(false)) => Outcome::broken(
                format!("{image} is not listed for {role}"),
                "run a listed image (`cocoon root show`), or let the owner of the root contract add this one",
            ),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use cocoon_guest::{Endpoint, GpuMode, GuestError};

    use super::super::Probe;
    use super::*;

    /// A machine's answers as a test wants them.
    #[derive(Clone)]
    pub(crate) struct Played {
        pub(crate) listening: Vec<Endpoint>,
        pub(crate) nvidia_smi: Option<String>,
        /// What the driver says, in a build that asks it.
        pub(crate) gpus: Option<(u32, GpuMode)>,
        pub(crate) taken: Vec<SocketAddr>,
        pub(crate) free: Option<u64>,
        pub(crate) sync: Option<Duration>,
        pub(crate) now: u64,
    }

    impl Default for Played {
        fn default() -> Self {
            Self {
                listening: Vec::new(),
                nvidia_smi: None,
                gpus: None,
                taken: Vec::new(),
                free: Some(1 << 40),
                sync: Some(Duration::from_millis(1)),
                now: 1_000_000,
            }
        }
    }

    impl Probe for Played {
        fn connect(&self, endpoint: &Endpoint) -> io::Result<()> {
            let there = self.listening.contains(endpoint);
            there.then_some(()).ok_or(io::ErrorKind::ConnectionRefused.into())
        }

        fn bind(&self, address: SocketAddr) -> io::Result<()> {
            let free = !self.taken.contains(&address);
            free.then_some(()).ok_or(io::ErrorKind::AddrInUse.into())
        }

        fn run(&self, program: &str, _: &[&str]) -> io::Result<String> {
            assert_eq!(program, "nvidia-smi");
            self.nvidia_smi.clone().ok_or(io::ErrorKind::NotFound.into())
        }

        fn gpus(&self) -> Result<(u32, GpuMode), GuestError> {
            self.gpus.ok_or(GuestError::NoGpuSupport)
        }

        fn free_bytes(&self, _: &Path) -> io::Result<u64> {
            self.free.ok_or(io::ErrorKind::NotFound.into())
        }

        fn sync(&self, _: &Path) -> io::Result<Duration> {
            self.sync.ok_or(io::ErrorKind::ReadOnlyFilesystem.into())
        }

        fn now(&self) -> u64 {
            self.now
        }
    }

    /// A machine with these files; they live as long as the folder.
    pub(crate) fn machine(files: &[(&str, &str)], played: Played) -> (Machine, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        (Machine::new(folder.path(), Box::new(played)), folder)
    }

    pub(crate) fn seen(outcome: &Outcome) -> &str {
        match outcome {
            Outcome::Fine { seen } | Outcome::Unknown { seen } | Outcome::Broken { seen, .. } => seen,
        }
    }

    fn looked(check: &dyn Check, played: Played) -> Outcome {
        check.look(&machine(&[], played).0)
    }

    fn is_broken(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Broken { .. })
    }

    #[test]
    fn a_taken_port_is_named() {
        let (free, taken) = ("0.0.0.0:11001".parse().unwrap(), "0.0.0.0:11002".parse().unwrap());
        let check = Ports {
            addresses: vec![free, taken],
        };
        assert!(!is_broken(&looked(&check, Played::default())));
        let busy = Played {
            taken: vec![taken],
            ..Played::default()
        };
        let outcome = looked(&check, busy);
        assert!(
            is_broken(&outcome) && seen(&outcome).starts_with("0.0.0.0:11002"),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_full_missing_or_read_only_disk_is_broken() {
        let check = Disk {
            folder: "/srv/cocoon".into(),
        };
        assert!(!is_broken(&looked(&check, Played::default())));
        let full = Played {
            free: Some(DOCTOR_FREE_BYTES - 1),
            ..Played::default()
        };
        let missing = Played {
            free: None,
            ..Played::default()
        };
        let read_only = Played {
            sync: None,
            ..Played::default()
        };
        for (played, what) in [(full, "left"), (missing, "looked at"), (read_only, "durably")] {
            let outcome = looked(&check, played);
            assert!(is_broken(&outcome) && seen(&outcome).contains(what), "{outcome:?}");
        }
        let slow = Played {
            sync: Some(DOCTOR_SLOW_SYNC * 2),
            ..Played::default()
        };
        assert!(seen(&looked(&check, slow)).contains("slow"));
    }

    #[test]
    fn the_real_disk_of_this_machine_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let system = super::super::System;
        assert!(system.free_bytes(folder.path()).unwrap() > 0);
        system.sync(folder.path()).unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
        assert!(system.free_bytes(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_chain_that_does_not_answer_is_broken_and_a_test_network_says_simulated() {
        let facts = RootFacts {
            time: 1,
            is_test: true,
            listed: None,
        };
        let fine = looked(&Chain { root: Ok(facts) }, Played::default());
        assert!(seen(&fine).contains("SIMULATED"));
        let down = Chain {
            root: Err("connection refused".into()),
        };
        assert!(is_broken(&looked(&down, Played::default())));
    }

    #[test]
    fn a_clock_apart_from_the_chain_is_broken_on_both_sides() {
        for (chain, broken) in [
            (1_000_000, false),
            (1_000_000 - DOCTOR_CLOCK_SKEW_SECONDS, false),
            (1_000_000 - DOCTOR_CLOCK_SKEW_SECONDS - 1, true),
            (1_000_000 + DOCTOR_CLOCK_SKEW_SECONDS + 1, true),
        ] {
            let outcome = looked(
                &Clock {
                    chain_time: Some(chain),
                },
                Played::default(),
            );
            assert_eq!(is_broken(&outcome), broken, "{chain}: {outcome:?}");
        }
        let unknown = looked(&Clock { chain_time: None }, Played::default());
        assert!(matches!(unknown, Outcome::Unknown { .. }));
    }

    #[test]
    fn an_image_must_be_listed_for_the_role() {
        let image = Some(ImageHash::new([7; 32]));
        let check = |role, image, listed| looked(&Listed { role, image, listed }, Played::default());
        assert!(!is_broken(&check(Role::Worker, image, Some(true))));
        assert!(is_broken(&check(Role::Proxy, image, Some(false))));
        assert!(matches!(check(Role::Worker, None, None), Outcome::Unknown { .. }));
        assert!(matches!(check(Role::Worker, image, None), Outcome::Unknown { .. }));
        assert!(matches!(check(Role::Client, image, Some(false)), Outcome::Fine { .. }));
    }
}
