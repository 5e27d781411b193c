//! Names a model or a guest image so that two parties mean the same bytes by it. A [`ModelManifest`] lists what decides a
//! model's answers (files, tokenizer, template, parsers, precision, sampling, engine) and an [`ImageManifest`] what decides
//! a guest's registers, each in one canonical text whose SHA-256 is the manifest hash. A [`ModelName`] is the name by which
//! the network routes and which the root contract lists by hash; [`archive`] lays a model's files out as one file system,
//! and [`verity`] makes the hash tree over it, whose root a name ends with and by which a guest's kernel checks what it
//! reads.
//!
//! **Invariant:** no file, clock or network here: contents come in as hashes. One manifest has exactly one byte form;
//! [`ModelManifest::parse`] and [`ImageManifest::parse`] accept no other.
//!
//! Main types: [`ModelManifest`], [`ImageManifest`], [`ModelName`], [`archive::Layout`], [`verity::TreeWriter`].
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
mod difference;
mod error;
mod file;
mod image;
pub mod limits;
mod lines;
mod model;
mod name;
pub mod verity;

pub use difference::Difference;
pub use error::ManifestError;
pub use file::{FileEntry, FileHash};
pub use image::{ImageManifest, ImageParts, ImageRegisters, Register};
pub use model::{ModelFacts, ModelManifest, SamplingDefaults};
pub use name::ModelName;
