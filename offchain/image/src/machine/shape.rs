//! The shape of a machine: what of it shows in its registers besides firmware, kernel and image.

use serde::{Deserialize, Serialize};

use super::tdvf::Firmware;
use super::{memory, variables};
use crate::error::ImageError;
use crate::limits::{MAX_MEMORY_MIB, MAX_RTMR0_EVENTS};
use crate::register::Digest384;

/// In which order a machine monitor adds the firmware's pages and measures them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageOrder {
    /// Each page is added and measured before the next: Linux' own KVM, QEMU 9 and later.
    EachPage,
    /// All pages of a section are added, then all are measured: QEMU 8 on vendors' kernels.
    SectionFirst,
}

/// A machine. RTMR0 depends on processors, memory, devices and QEMU's version, so each shape is a line of its own in the
/// root contract's list of images: keep few.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// For people.
    pub name: String,
    /// Virtual processors. They show in the ACPI tables only, whose digests are below.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// How QEMU and KVM build the machine.
    pub page_order: PageOrder,
    /// What QEMU keeps free for ACPI tables below the initial RAM disk, in bytes.
    #[serde(default = "default_acpi_data")]
    pub acpi_data_bytes: u64,
    /// What the firmware measures into RTMR0, in its order.
    pub rtmr0: Vec<FirmwareEvent>,
}

/// `acpi_data_size` of QEMU's machines `pc` and `q35`.
const fn default_acpi_data() -> u64 {
    0x2_8000
}

/// A measurement that the firmware makes before it starts the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FirmwareEvent {
    /// The list of resources that QEMU writes for this memory.
    ResourceList,
    /// The firmware's own section of variables.
    Variables,
    /// A variable without content.
    EmptyVariable {
        /// Its vendor's GUID.
        guid: String,
        /// Its name.
        name: String,
    },
    /// Four zero bytes: the end of a phase.
    Separator,
    /// The order of boot options, as numbers.
    BootOrder {
        /// The numbers.
        options: Vec<u16>,
    },
    /// A boot option for a program inside the firmware.
    BootOption {
        /// Its name in menus.
        description: String,
        /// GUID of the firmware volume.
        volume: String,
        /// GUID of the file in it.
        file: String,
        /// Its attributes.
        attributes: u32,
    },
    /// Something that is computed nowhere here, such as the ACPI tables of this QEMU for these devices: SHA-384, from
    /// the event log of a machine of this shape.
    Digest {
        /// What it is.
        name: String,
        /// 96 hexadecimal digits.
        sha384: String,
    },
}

impl Shape {
    /// Reads a shape from TOML.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let refused = |message: &str| ImageError::Config {
            file: "shape".to_owned(),
            message: message.to_owned(),
        };
        let shape: Self = toml::from_str(text).map_err(|error| refused(error.to_string().trim_end()))?;
        if shape.rtmr0.len() > MAX_RTMR0_EVENTS {
            return Err(refused("too many events in rtmr0"));
        }
        if shape.memory_mib == 0 || shape.memory_mib > MAX_MEMORY_MIB {
            return Err(refused("memory_mib is out of range"));
        }
        Ok(shape)
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> u64 {
        // At most 2^24 MiB.
        self.memory_mib.saturating_mul(1 << 20)
    }
}

impl FirmwareEvent {
    /// What people call it, and its digest.
    pub(super) fn measure(&self, shape: &Shape, firmware: &Firmware<'_>) -> Result<(String, Digest384), ImageError> {
        Ok(match self {
            Self::ResourceList => (
                "list of memory".into(),
                memory::resource_list(firmware, shape.memory_bytes())?,
            ),
            Self::Variables => ("firmware variables".into(), Digest384::of(firmware.variables()?)),
            Self::EmptyVariable { guid, name } => (format!("variable {name}"), variables::empty(guid, name)?),
            Self::Separator => ("separator".into(), Digest384::of(&[0; 4])),
            Self::BootOrder { options } => {
                let bytes: Vec<u8> = options.iter().flat_map(|option| option.to_le_bytes()).collect();
                ("boot order".into(), Digest384::of(&bytes))
            }
            Self::BootOption {
                description,
                volume,
                file,
                attributes,
            } => (
                format!("boot option {description}"),
                variables::boot_option(description, volume, file, *attributes)?,
            ),
            Self::Digest { name, sha384 } => {
                let mut digest = [0; 48];
                hex::decode_to_slice(sha384, &mut digest).map_err(|_| ImageError::Config {
                    file: "shape".to_owned(),
                    message: format!("sha384 of `{name}` is not 96 hexadecimal digits"),
                })?;
                (name.clone(), Digest384(digest))
            }
        })
    }
}
