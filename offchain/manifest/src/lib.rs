//! Names a model so that two parties mean the same bytes by it. A [`ModelManifest`] lists what decides a model's
//! answers (files, template, precision, engine) in one canonical text whose SHA-256 is the manifest hash; a
//! [`ModelName`] is the name by which the network routes and which the root contract lists by hash; [`archive`] lays
//! a model's files out as one file system, and [`verity`] makes the hash tree over it, whose root a name ends with and by
//! which a guest's kernel checks what it reads.
//!
//! **Invariant:** no file, clock or network here: contents come in as hashes. One manifest has exactly one byte form;
//! [`ModelManifest::parse`] accepts no other.
//!
//! Main types: [`ModelManifest`], [`ModelName`].
//!
//! ```
//! use cocoon_manifest::ModelName;
//!
//! let name: ModelName = "Qwen/Qwen3-0.6B@c1899de:5f3a".parse()?;
//! assert_eq!(name.base(), "Qwen/Qwen3-0.6B");
//! assert_eq!(name.commit(), Some("c1899de"));
//! # Ok::<(), cocoon_manifest::ManifestError>(())
//! ```

pub mod archive;
mod error;
mod file;
pub mod limits;
mod manifest;
mod name;
pub mod verity;

pub use error::ManifestError;
pub use file::{FileEntry, FileHash};
pub use manifest::ModelManifest;
pub use name::ModelName;
