//! Amounts, counters and hashes as types of their own, so that no token count is taken for nanoton.

mod hash;
mod nanoton;
mod number;

pub use hash::{ImageHash, ManifestHash, ModelHash, PublicKey};
pub use nanoton::Nanoton;
pub use number::{Coefficient, ParamsVersion, QueryId, TokenCount};
