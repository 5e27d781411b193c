//! What the guest image is, as far as it can be said without running it: what the boot line means, what the measured
//! configuration holds, what a host may add, and which registers a TDX machine shows when it runs the image.
//!
//! **Invariant:** no files, devices or clock here: bytes come in, values go out. Every reader is total, and whatever a
//! host may choose without changing a register is named in the measured configuration.
//!
//! Main types: [`BootLine`], [`Spec`], [`GuestConfig`], [`HostFiles`], [`machine::Measurement`].
//!
//! ```
//! use cocoon_image::{Node, Register, Spec, events};
//!
//! let mut spec = Spec::default();
//! spec.insert("guest.toml", Node::File(b"".to_vec()))?;
//! let rtmr3 = events::configuration(&spec.tree_id(), false)
//!     .iter()
//!     .fold(Register::ZERO, |register, event| register.extended(&event.digest()));
//! assert_ne!(rtmr3, Register::ZERO);
//! # Ok::<(), cocoon_image::ImageError>(())
//! ```

mod boot;
mod error;
pub mod events;
mod guest;
mod host;
pub mod limits;
pub mod machine;
mod register;
mod spec;

pub use boot::{BootLine, ROOT_SALT};
pub use error::ImageError;
pub use guest::{GuestConfig, HostConfig, NetworkConfig, RunnerConfig};
pub use host::HostFiles;
pub use register::{Digest384, Register};
pub use spec::{Node, Spec, TreeId};
