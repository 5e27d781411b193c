//! The key manager: replicas that hold one secret in attested memory and give each image the keys of its policy.
//!
//! **Invariant:** the secret, and what is derived from it, leaves a replica only over an attested connection whose session
//! both ends have proven: keys to the images of the policy that is asked for, the secret to images of key managers, and
//! shares of it sealed to the owners of the configuration. It is written nowhere. A secret is made only by a start that
//! says so, never because peers are silent.
//!
//! The main types are [`KeyManagerConfig`] and [`RunningKeyManager`], which [`start`] gives; [`RootSecret`] derives and
//! [`Backup`] describes the shares.
//!
//! ```
//! use cocoon_keymanager::{KeyAsked, RootSecret};
//! use zeroize::Zeroizing;
//! let root = RootSecret::new(Zeroizing::new([7; 32]));
//! let asked = |policy| KeyAsked { policy, role: "proxy", node: "a", purpose: "contract", owner: &[0; 32] };
//! assert_ne!(root.key(&asked("proxies"))?.as_slice(), root.key(&asked("workers"))?.as_slice());
//! # Ok::<(), cocoon_keymanager::KeyManagerError>(())
//! ```
#![forbid(unsafe_code)]

mod backup;
mod config;
mod error;
mod field;
mod gather;
mod http;
mod join;
pub mod limits;
mod owner;
mod policy;
mod replica;
mod restore;
mod root;
mod serve;
mod shamir;
mod sharefile;
mod start;

pub use backup::{Backup, BackupProblem};
pub use config::{BackupConfig, KeyManagerConfig, Listed, PolicyConfig, Start};
pub use error::KeyManagerError;
pub use http::Status;
pub use owner::{OwnerKey, OwnerPublic};
pub use restore::{Given, OwnerConfig, give_shares};
pub use root::{KeyAsked, RootSecret};
pub use sharefile::ShareFile;
pub use start::{Parts, RunningKeyManager, start, start_with};
