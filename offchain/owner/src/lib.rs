//! What owners of contracts do: wallets whose keys are sealed on disk, and operations on contracts that are tried out on
//! the live state, sent once, and driven to their end.
//!
//! **Invariant:** no message is sent a second time, whenever the process is killed: what may be under way is on disk before
//! it is sent, and nothing new is sent until the chain says what became of it. Keys and passphrases show themselves nowhere.
//!
//! Main types: [`Keystore`], [`Sender`], [`Operation`] and [`drive`].
//!
//! ```
//! use cocoon_owner::{Keystore, Mnemonic, Passphrase, Secret};
//! use cocoon_bindings::{PublicKey, wallets::{WALLET_ID_MAINNET, WalletContract}};
//! let folder = tempfile::tempdir()?;
//! let secret = Secret::Mnemonic(Mnemonic::generate(rand::random)?);
//! let wallet = WalletContract::v5r1(PublicKey::from(&secret.key()?), WALLET_ID_MAINNET);
//! let passphrase = Passphrase::new("four words or more".to_owned());
//! let stored = Keystore::new(folder.path()).add("alice", wallet, &secret, &passphrase)?;
//! assert_eq!(stored.unlock(&passphrase)?.key()?, secret.key()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod date;
mod drive;
mod earnings;
mod error;
mod facts;
mod files;
pub mod governance;
mod journal;
mod keystore;
pub mod limits;
mod mnemonic;
pub mod operation;
mod preview;
mod seal;
mod secret;
mod sender;
#[cfg(test)]
mod tests;
mod trace;

pub use date::{date, day_after, end_of_day};
pub use drive::{Manner, Outcome, Sent, Watch, drive, look_ahead, operation_id};
pub use earnings::{Payout, earnings};
pub use error::{OwnerError, Retry, Who};
pub use facts::{Change, Fact, Role, facts, lifecycle};
pub use files::check_private;
pub use journal::{Journal, JournalView, Step};
pub use keystore::{Keystore, Listed, StoredWallet};
pub use mnemonic::Mnemonic;
pub use operation::{Awaited, Next, Operation, Order, Unseen};
pub use preview::{AccountPreview, Origin, Preview, preview};
pub use secret::{Passphrase, Secret};
pub use sender::Sender;
pub use trace::{refusal, settle};
