//! Checks of the hardware and what reaches it: kernel, TDX, quoting service, vsock, passthrough, GPUs.

use cocoon_guest::{Endpoint, GpuMode, GuestError, HOST_QGS};

use super::{Check, Machine, Outcome};

/// First kernel whose KVM starts TDX guests, and whose guests can extend registers.
const TDX_KERNEL: (u32, u32) = (6, 16);
/// First kernel whose guests get quotes from configfs.
const QUOTE_KERNEL: (u32, u32) = (6, 7);
/// Where the host's quoting service listens beside vsock.
const QGS_SOCKET: &str = "var/run/tdx-qgs/qgs.socket";
/// The quoting service as seen from its own host.
const OWN_QGS: Endpoint = Endpoint::Vsock { cid: 1, port: 4050 };

/// The kernel is new enough.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

impl Check for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        let Some(release) = machine.text("proc/sys/kernel/osrelease") else {
            return Outcome::broken("it does not say its version", "run this on Linux, with /proc mounted");
        };
        let Some(version) = version(&release) else {
            return Outcome::unknown(format!("version {release:?} is not understood"));
        };
        let (wanted, place) = if machine.is_guest() {
            (QUOTE_KERNEL, "in a TDX guest")
        } else {
            (TDX_KERNEL, "on a TDX host")
        };
        if version < wanted {
            let (major, minor) = wanted;
            return Outcome::broken(
                format!("Linux {release} is too old {place}"),
                format!("install Linux {major}.{minor} or later"),
            );
        }
        Outcome::fine(format!("Linux {release}"))
    }
}

/// Major and minor number of a release such as `6.16.3-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// TDX is on: this is a guest, or a host that can start some.
#[derive(Clone, Copy, Debug)]
pub struct Tdx;

impl Check for Tdx {
    fn name(&self) -> &'static str {
        "TDX"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        if machine.is_guest() {
            return if machine.exists("dev/tdx_guest") {
                Outcome::fine("this is a TDX guest")
            } else {
                Outcome::broken("a TDX guest without its device", "load the module tdx_guest")
            };
        }
        match machine.text("sys/module/kvm_intel/parameters/tdx").as_deref() {
            Some("Y" | "1") => return Outcome::fine("KVM starts TDX guests"),
            Some(_) if machine.has_cpu_flag("tdx_host_platform") => {
                return Outcome::broken(
                    "the platform has TDX, KVM does not use it",
                    "boot with kvm_intel.tdx=1 and look for \"virt/tdx\" in the kernel's log",
                );
            }
            _ => {}
        }
        if machine.has_cpu_flag("tdx_host_platform") {
            return Outcome::broken(
                "the platform has TDX, KVM is not loaded or does not know it",
                "load kvm_intel with tdx=1, of Linux 6.16 or later",
            );
        }
        Outcome::broken(
            "neither a TDX guest nor a TDX host",
            "on a Xeon of the 4th generation (Sapphire Rapids) with TDX or later: enable TME-MT, TDX, the SEAM loader and SGX in the firmware",
        )
    }
}

/// Quotes can be had: from the kernel of a guest, or of the host's quoting service.
#[derive(Clone, Debug, Default)]
pub struct QuotingService {
    /// Where to look, instead of the usual places.
    pub endpoint: Option<Endpoint>,
}

impl Check for QuotingService {
    fn name(&self) -> &'static str {
        "quoting service"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        let guest = machine.is_guest();
        if guest && self.endpoint.is_none() && machine.exists("sys/kernel/config/tsm/report") {
            return Outcome::fine("the kernel takes requests for quotes (configfs-tsm)");
        }
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None if guest => HOST_QGS,
            None if machine.exists(QGS_SOCKET) => Endpoint::Unix(format!("/{QGS_SOCKET}").into()),
            None => OWN_QGS,
        };
        match machine.probe().connect(&endpoint) {
            Ok(()) => Outcome::fine(format!("listens at {endpoint}")),
            Err(error) => Outcome::broken(
                format!("nobody answers at {endpoint}: {error}"),
                if guest {
                    "mount configfs (mount -t configfs none /sys/kernel/config), or let the host run qgsd on vsock port 4050"
                } else {
                    "install tdx-qgs and PCCS on the host, register the platform, then: systemctl start qgsd"
                },
            ),
        }
    }
}

/// Guest and host can talk.
#[derive(Clone, Copy, Debug)]
pub struct Vsock;

impl Check for Vsock {
    fn name(&self) -> &'static str {
        "vsock"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        let (device, module) = if machine.is_guest() {
            ("dev/vsock", "vmw_vsock_virtio_transport")
        } else {
            ("dev/vhost-vsock", "vhost_vsock")
        };
        if machine.exists(device) {
            return Outcome::fine(format!("/{device} is there"));
        }
        Outcome::broken(
            format!("there is no /{device}"),
            format!("load its module: modprobe {module}"),
        )
    }
}

/// A host can pass a device on to a guest.
#[derive(Clone, Copy, Debug)]
pub struct Passthrough;

impl Check for Passthrough {
    fn name(&self) -> &'static str {
        "passthrough"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        if machine.is_guest() {
            return Outcome::fine("a matter of the host");
        }
        let groups = machine.entries("sys/kernel/iommu_groups");
        if groups == 0 {
            return Outcome::broken(
                "the IOMMU is off",
                "enable VT-d in the firmware and boot with intel_iommu=on iommu=pt",
            );
        }
        if !machine.exists("dev/vfio/vfio") {
            return Outcome::broken("there is no /dev/vfio/vfio", "load its module: modprobe vfio-pci");
        }
        Outcome::fine(format!("VFIO is there, {groups} IOMMU groups"))
    }
}

/// GPUs of NVIDIA are in confidential mode: by their driver in a build that asks it (feature `nvml`), else by its command.
#[derive(Clone, Copy, Debug)]
pub struct Gpu;

impl Check for Gpu {
    fn name(&self) -> &'static str {
        "GPU"
    }

    fn look(&self, machine: &Machine) -> Outcome {
        match machine.probe().gpus() {
            Err(GuestError::NoGpuSupport) => {}
            Err(error) => return Outcome::unknown(error.to_string()),
            Ok((0, _)) => return Outcome::unknown("the driver knows no GPU"),
            Ok((count, mode)) => return judged(count, &mode),
        }
        let text = match machine.probe().run("nvidia-smi", &["conf-compute", "-f"]) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Outcome::unknown(
                    "nvidia-smi is not installed: whether there is a GPU in confidential mode cannot be told here",
                );
            }
            Err(error) => return Outcome::unknown(format!("nvidia-smi does not run: {error}")),
        };
        let status = text.lines().find_map(|line| line.trim().strip_prefix("CC status:"));
        match status.map(str::trim) {
            Some("ON") => Outcome::fine("confidential mode is on"),
            Some(other) => Outcome::broken(format!("confidential mode is {other}"), SET_MODE),
            None => Outcome::unknown("nvidia-smi does not know confidential mode"),
        }
    }
}

const SET_MODE: &str =
    "set it on the host with NVIDIA's gpu-admin-tools (--set-cc-mode=on --reset-after-cc-mode-switch)";

/// What the driver says of its GPUs.
fn judged(count: u32, mode: &GpuMode) -> Outcome {
    match (mode.confidential, mode.developer_tools) {
        (Some(true), Some(true)) => Outcome::broken("confidential mode is on, with tools of developers", SET_MODE),
        (Some(true), Some(false)) => {
            let ready = match mode.ready {
                Some(true) => "taking work",
                Some(false) => "not taking work yet",
                None => "whether they take work is not told",
            };
            Outcome::fine(format!("{count} in confidential mode, {ready}"))
        }
        (Some(false), _) => Outcome::broken(format!("{count} with confidential mode off"), SET_MODE),
        (None, _) | (_, None) => Outcome::unknown(format!("{count}, whose driver does not know confidential mode")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::{Played, machine, seen};
    use super::*;

    const HOST_FLAGS: &str = "processor : 0\nflags\t\t: fpu tdx_host_platform sse\n";
    const GUEST_FLAGS: &str = "processor : 0\nflags\t\t: fpu tdx_guest sse\n";

    fn looked(check: &dyn Check, files: &[(&str, &str)], played: Played) -> (Outcome, tempfile::TempDir) {
        let (machine, folder) = machine(files, played);
        (check.look(&machine), folder)
    }

    fn holds(check: &dyn Check, files: &[(&str, &str)]) -> bool {
        matches!(looked(check, files, Played::default()).0, Outcome::Fine { .. })
    }

    fn breaks(check: &dyn Check, files: &[(&str, &str)], what: &str, hint: &str) {
        let (outcome, _folder) = looked(check, files, Played::default());
        let Outcome::Broken { seen, hint: found } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(seen.contains(what), "{seen}");
        assert!(found.contains(hint), "{found}");
    }

    #[test]
    fn an_old_kernel_is_broken_where_it_is_too_old() {
        const RELEASE: &str = "proc/sys/kernel/osrelease";
        assert!(holds(&Kernel, &[(RELEASE, "6.16.0-1-amd64\n")]));
        assert!(holds(&Kernel, &[(RELEASE, "7.2.1"), ("dev/tdx_guest", "")]));
        breaks(&Kernel, &[(RELEASE, "6.12.9-amd64")], "6.12.9", "6.16");
        breaks(&Kernel, &[(RELEASE, "6.6.1"), ("dev/tdx_guest", "")], "guest", "6.7");
        assert!(holds(&Kernel, &[(RELEASE, "6.7.0"), ("dev/tdx_guest", "")]));
        breaks(&Kernel, &[], "version", "Linux");
        let (outcome, _folder) = looked(&Kernel, &[(RELEASE, "plan 9")], Played::default());
        assert!(matches!(outcome, Outcome::Unknown { .. }));
    }

    #[test]
    fn tdx_is_a_guests_device_or_a_hosts_parameter() {
        const PARAMETER: &str = "sys/module/kvm_intel/parameters/tdx";
        assert!(holds(&Tdx, &[("dev/tdx_guest", "")]));
        assert!(holds(&Tdx, &[(PARAMETER, "Y\n")]));
        breaks(&Tdx, &[("proc/cpuinfo", GUEST_FLAGS)], "device", "tdx_guest");
        breaks(
            &Tdx,
            &[("proc/cpuinfo", HOST_FLAGS), (PARAMETER, "N")],
            "KVM",
            "kvm_intel.tdx=1",
        );
        breaks(&Tdx, &[("proc/cpuinfo", HOST_FLAGS)], "not loaded", "6.16");
        breaks(&Tdx, &[(PARAMETER, "N")], "neither", "firmware");
        breaks(&Tdx, &[], "neither", "firmware");
    }

    #[test]
    fn quotes_come_from_configfs_or_from_a_service_that_answers() {
        let guest = [("dev/tdx_guest", ""), ("sys/kernel/config/tsm/report/x", "")];
        assert!(holds(&QuotingService::default(), &guest));
        breaks(&QuotingService::default(), &guest[..1], "vsock:host:4050", "configfs");
        breaks(&QuotingService::default(), &[], "vsock:1:4050", "qgsd");
        breaks(&QuotingService::default(), &[(QGS_SOCKET, "")], "qgs.socket", "qgsd");
        let answers = Played {
            listening: vec![OWN_QGS, "tcp:127.0.0.1:9".parse().unwrap()],
            ..Played::default()
        };
        let (outcome, _folder) = looked(&QuotingService::default(), &[], answers.clone());
        assert!(seen(&outcome).contains("vsock:1:4050"));
        let named = QuotingService {
            endpoint: Some("tcp:127.0.0.1:9".parse().unwrap()),
        };
        let (outcome, _folder) = looked(&named, &guest, answers);
        assert!(seen(&outcome).contains("tcp:127.0.0.1:9"), "what is named comes first");
    }

    #[test]
    fn vsock_is_another_device_on_each_side() {
        assert!(holds(&Vsock, &[("dev/vhost-vsock", "")]));
        assert!(holds(&Vsock, &[("dev/vsock", ""), ("dev/tdx_guest", "")]));
        breaks(&Vsock, &[("dev/vsock", "")], "vhost-vsock", "vhost_vsock");
        breaks(&Vsock, &[("dev/tdx_guest", "")], "/dev/vsock", "virtio");
    }

    #[test]
    fn passthrough_needs_an_iommu_and_vfio() {
        let groups = ("sys/kernel/iommu_groups/0/type", "DMA");
        assert!(holds(&Passthrough, &[groups, ("dev/vfio/vfio", "")]));
        assert!(holds(&Passthrough, &[("dev/tdx_guest", "")]));
        breaks(&Passthrough, &[("dev/vfio/vfio", "")], "IOMMU", "VT-d");
        breaks(&Passthrough, &[groups], "/dev/vfio/vfio", "vfio-pci");
    }

    #[test]
    fn what_the_driver_says_comes_before_its_command() {
        let says = |confidential, developer_tools| {
            let ready = Some(false);
            let played = Played {
                nvidia_smi: Some("CC status: ON\n".to_owned()),
                gpus: Some((
                    2,
                    GpuMode {
                        confidential,
                        developer_tools,
                        ready,
                    },
                )),
                ..Played::default()
            };
            looked(&Gpu, &[], played).0
        };
        let fine = says(Some(true), Some(false));
        assert!(matches!(&fine, Outcome::Fine { seen } if seen == "2 in confidential mode, not taking work yet"));
        assert!(matches!(says(Some(false), Some(false)), Outcome::Broken { .. }));
        assert!(matches!(says(Some(true), Some(true)), Outcome::Broken { .. }));
        assert!(matches!(says(None, Some(false)), Outcome::Unknown { .. }));
        assert!(matches!(says(Some(true), None), Outcome::Unknown { .. }));
    }

    #[test]
    fn a_gpu_out_of_confidential_mode_is_broken_and_none_is_unknown() {
        let says = |text: &str| Played {
            nvidia_smi: Some(text.to_owned()),
            ..Played::default()
        };
        let (on, _a) = looked(&Gpu, &[], says("CC status: ON\n"));
        assert!(matches!(on, Outcome::Fine { .. }));
        let (off, _b) = looked(&Gpu, &[], says("CC status: OFF\n"));
        assert!(matches!(&off, Outcome::Broken { hint, .. } if hint.contains("--set-cc-mode=on")));
        let (old, _c) = looked(&Gpu, &[], says("Unknown command\n"));
        assert!(matches!(old, Outcome::Unknown { .. }));
        let (absent, _d) = looked(&Gpu, &[], Played::default());
        assert!(matches!(&absent, Outcome::Unknown { seen } if seen.contains("nvidia-smi is not installed")));
    }
}
