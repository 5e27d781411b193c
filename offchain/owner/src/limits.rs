//! Bounds of this crate, each with its reason.

use std::time::Duration;

use cocoon_bindings::units::Nanoton;

/// Bytes of a file of the keystore. A sealed mnemonic with everything around it has less than 2 KiB.
pub const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

/// Bytes of a journal. A signed message with the code of a contract has some KiB, and there is at most one.
pub const MAX_JOURNAL_BYTES: u64 = 1024 * 1024;

/// Bytes of a passphrase, and of the file that holds one.
pub const MAX_PASSPHRASE_BYTES: u64 = 1024;

/// Characters of a passphrase for a new key. The scrambling makes a guess cost a tenth of a second; length does the rest.
pub const MIN_PASSPHRASE_CHARS: usize = 8;

/// Characters of a wallet's name, which is a file name.
pub const MAX_NAME_CHARS: usize = 64;

/// Wallets of one keystore that are listed.
pub const MAX_WALLETS: usize = 1000;

/// Memory that one guess of a passphrase takes, in KiB: 64 MiB, more than a graphics card has for each of its cores.
pub const KDF_MEMORY_KIB: u32 = 64 * 1024;

/// Passes over that memory.
pub const KDF_PASSES: u32 = 3;

/// What a file may ask for at most, in KiB: 1 GiB. A file must not be able to stop this machine.
pub const MAX_KDF_MEMORY_KIB: u32 = 1024 * 1024;

/// Passes that a file may ask for at most.
pub const MAX_KDF_PASSES: u32 = 64;

/// Words of a mnemonic.
pub const MNEMONIC_WORDS: usize = 24;

/// How long an owner's message stays valid. Longer than a runner's: a person may be asked for a passphrase meanwhile.
pub const MESSAGE_LIFETIME: Duration = Duration::from_secs(180);

/// How long the messages that follow from ours may take to arrive.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// How often the chain is asked for them.
pub const SETTLE_POLL: Duration = Duration::from_millis(500);

/// How often the chain is asked while a delay of a contract runs.
pub const AWAIT_POLL: Duration = Duration::from_secs(5);

/// Transactions that follow from one message at most. The longest way of our contracts has five.
pub const MAX_TRACE: usize = 64;

/// Attached to a message for gas and forwarding; what is left comes back. The contracts ask for 0.1, and a contract that
/// has less than its reserve of 0.11 fills it from here.
pub const FEES: Nanoton = Nanoton::new(300_000_000);

/// Attached to a claim and to its settlement, as the worker's own messages have it; what is left comes back.
pub const CLAIM_VALUE: Nanoton = Nanoton::new(500_000_000);

/// After so many seconds the end of a payment that was not told counts as one of an earlier command, which somebody who
/// gives the same command again need not mean.
pub const UNTOLD_FOR: u32 = 3_600;

/// What a wallet must keep above what it sends, for its own gas.
pub const WALLET_MARGIN: Nanoton = Nanoton::new(50_000_000);

/// What a runner's wallet must hold: its contract refuses to send below 2 TON.
pub const NODE_WALLET_RESERVE: Nanoton = Nanoton::new(2_100_000_000);

/// Notices of the contracts carry less than this; their receivers are not run for lack of gas, which is no failure.
pub const NOTICE_VALUE: Nanoton = Nanoton::new(1_000);

/// Transactions of a contract that a statement of earnings reads.
pub const MAX_EARNINGS_HISTORY: usize = 100_000;

/// Attached to a proposal for the rent of its storage, and to an execution for the way through the root contract; what is left
/// comes back. The largest upgrade of codes takes a fifth of it.
pub const GOVERNOR_VALUE: Nanoton = Nanoton::from_ton(1);

/// Attached to the deployment of a governor. Nothing of it comes back: it is the 0.1 TON that the contract keeps for its
/// storage, and as much again for the first fees.
pub const GOVERNOR_DEPLOY_VALUE: Nanoton = Nanoton::new(200_000_000);

/// What a governor keeps for its own storage, as its contract has it.
pub const GOVERNOR_RESERVE: Nanoton = Nanoton::new(100_000_000);

/// After so many seconds a governor takes the root contract's answer not to come: a proposal that is over can be removed.
pub const ANSWER_TIMEOUT: u32 = 86_400;

/// How long an execution waits for the root contract's answer, in seconds: messages take some seconds each.
pub const ANSWER_PATIENCE: u32 = 300;

/// How far one server's view of the chain may be behind another's, in seconds.
pub const MAX_CLOCK_LAG: u32 = 180;

/// Attached where a message to the root contract is only tried out: more than any of them needs.
pub const TRIAL_VALUE: Nanoton = Nanoton::from_ton(2);

/// Bytes of the file of a proposal. The governor stores at most 1024 cells of 128 bytes, in base64 some 180 KiB; the words
/// around them have some KiB.
pub const MAX_BUNDLE_BYTES: usize = 512 * 1024;

/// Proposals that the governor lets a signer have open.
pub const MAX_OPEN_PER_SIGNER: u8 = 3;

/// Seconds of a day.
pub const DAY: u32 = 86_400;

/// Longest pause of the governor's council, in seconds.
pub const MAX_PAUSE: u32 = 3 * 86_400;

/// What the governor wants left of a proposal's life after delay and pause, in seconds.
pub const EXECUTION_WINDOW: u32 = 86_400;

/// Longest life of a proposal, in seconds.
pub const MAX_LIFETIME: u32 = 90 * 86_400;

/// A price of a token above this is taken for a mistake in writing: a short answer would cost a TON.
pub const MAX_SANE_PRICE: Nanoton = Nanoton::new(10_000_000);

/// A weight of a token class above this, a hundredfold, is taken for a mistake in writing.
pub const MAX_SANE_MULTIPLIER: u32 = 1_000_000;

/// A delay before a contract closes above this, in seconds, keeps money longer than anybody expects.
pub const MAX_SANE_CLOSE_DELAY: u32 = 90 * 86_400;

/// An end of a hash that is nearer than this, in seconds, is told: operators need the time to move.
pub const RETIREMENT_NOTICE: u32 = 7 * 86_400;
