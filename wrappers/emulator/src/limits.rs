//! Bounds of the emulator, each with its reason.

/// Transactions that one [`Emulator::run`](crate::Emulator::run) may execute before it gives up.
///
/// The longest honest chain of messages in this project is below 20; two contracts that bounce a message
/// between themselves for ever must not hang a test or the local chain.
pub const MAX_TRANSACTIONS_PER_RUN: usize = 10_000;

/// Bytes of an external message, as on the real chain (`max_ext_msg_size`).
pub const MAX_EXTERNAL_MESSAGE_BYTES: usize = 65_535;

/// Depth of an external message, as on the real chain (`max_ext_msg_depth`).
pub const MAX_EXTERNAL_MESSAGE_DEPTH: u16 = 512;

/// Gas of one get method: what public API servers of the real chain allow.
pub const GETTER_GAS_LIMIT: u64 = 1_000_000;

/// Nesting of tuples in the arguments and results of a get method.
pub const MAX_STACK_DEPTH: usize = 64;

/// Logical time of one block: transactions of block `n` have `n * BLOCK_LT <= lt < (n + 1) * BLOCK_LT`.
///
/// The real chain advances logical time by a million per block too.
pub const BLOCK_LT: u64 = 1_000_000;

/// Cells from which an account's storage dictionary hash is kept in its state (`acc_state_cells_for_storage_dict`).
pub const CELLS_FOR_STORAGE_DICT: u64 = 26;

/// Cells of an account that is taken over from another chain: what the public chain allows an account to have.
pub const MAX_ACCOUNT_CELLS: usize = 65_536;
