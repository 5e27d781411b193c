//! The border with the contracts: their messages, storage, get methods and exit codes as Rust types, and what is built
//! on them: addresses, initial states, vouchers, wallet messages.
//!
//! **Invariant:** bits are a matter of this crate alone. No crate above it lays out or takes apart a cell of the
//! contracts, and nothing here reads a clock, a file or randomness. Decoders are total: any cell gives a value or an
//! error.
//!
//! Main types: [`Params`], [`StateInit`], [`voucher::SignedVoucher`], [`message::InternalMessage`].
//!
//! ```
//! use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
//! use cocoon_bindings::{PublicKey, QueryId, TokenCount, ton::Address};
//! let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
//! let (contract, wallet) = (Address::new(0, [1; 32].into()), Address::new(0, [2; 32].into()));
//! let (query, tokens) = (QueryId::new(1), TokenCount::new(5000));
//! let voucher = SignedVoucher::sign(VoucherOp::ClientCharge, query, tokens, &contract, &wallet, &key)?;
//! voucher.verify(&PublicKey::from(&key), &contract)?;
//! # Ok::<(), cocoon_bindings::BindingsError>(())
//! ```

pub mod checkpoint;
mod codec;
mod contract;
mod descriptor;
mod error;
pub mod export;
#[expect(
    clippy::large_enum_variant,
    reason = "a message is decoded once and not kept in numbers"
)]
mod generated;
mod get_method;
pub mod governance;
mod hash_list;
pub mod message;
mod params;
mod plain;
pub mod rebuild;
mod root_data;
mod stack;
mod state_init;
pub mod tokens;
pub mod ton;
pub mod units;
pub mod voucher;
pub mod wallets;

pub use contract::ContractKind;
pub use descriptor::{HashDescriptor, Label, TrustTimes};
pub use error::BindingsError;
pub use export::ExportedMessage;
pub use generated::{client, governor, proxy, root, types, wallet, worker};
pub use get_method::{FromStack, GetMethod};
pub use governance::Governance;
pub use hash_list::{HashEntry, HashList};
pub use params::{MULTIPLIER_ONE, Multipliers, Params, STRUCT_VERSION};
pub use plain::plain;
pub use root_data::{ProxyEndpoints, RootData};
pub use stack::{StackReader, StackValue};
pub use state_init::{
    StateInit, client_state_init, governor_state_init, proxy_state_init, root_state_init, wallet_state_init,
    worker_state_init,
};
pub use units::{
    Coefficient, ImageHash, ManifestHash, ModelHash, Nanoton, ParamsVersion, PublicKey, QueryId, TokenCount,
};
