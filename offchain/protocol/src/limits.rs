//! Every bound of the wire, each with its reason.

use std::time::Duration;

/// Largest TL object of one frame: the deployed limit, 16 MiB.
pub const MAX_FRAME_BYTES: usize = 1 << 24;
/// Smallest TL object: its constructor id.
pub const MIN_FRAME_BYTES: usize = 4;
/// Largest body part that we put into one message: far under a frame, so that wrapping never pushes it over.
pub const MAX_PART_BYTES: usize = 1 << 20;
/// Largest HTTP request or response, serialised, that fits a frame with everything that is wrapped around it.
pub const MAX_REQUEST_BYTES: usize = MAX_FRAME_BYTES - 4096;
/// Largest `bytes` or `string` of the TL codec: its three-byte length; a longer one cannot be in a frame.
pub const MAX_BYTES_FIELD: usize = (1 << 24) - 1;
/// Elements of one vector: headers and worker lists are short; keeps a hostile count from reserving memory.
pub const MAX_VECTOR_ITEMS: usize = 4096;
/// Largest AttestedPeerInfo frame, as deployed.
pub const MAX_PEER_INFO_BYTES: usize = 16536;
/// Longest text of an error that is kept; the rest is cut.
pub const MAX_ERROR_TEXT: usize = 1024;
/// The dialing side closes after this long without a frame.
pub const DIALER_SILENCE: Duration = Duration::from_secs(20);
/// The dialing side sends one ping after this long without a frame.
pub const DIALER_PING_AFTER: Duration = Duration::from_secs(10);
/// The accepting side closes after this long without a frame.
pub const ACCEPTOR_SILENCE: Duration = Duration::from_secs(60);
/// Time for one question of the handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest proof that a peer hands over: receipts take about 1.5 KiB, vouchers less.
pub const MAX_PROOF_BYTES: usize = 16 << 10;
/// Time for an authorisation that goes through the chain.
pub const AUTHORIZE_TIMEOUT: Duration = Duration::from_secs(300);
/// Time for a list of models.
pub const WORKER_TYPES_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for what the models of a proxy take: their list is there without it.
pub const CONTEXTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Most tokens that a model may be said to take: a prompt is inside one frame, and a token is at least a byte of it.
pub const MAX_CONTEXT_LENGTH: u32 = 1 << 24;
/// Time for a payment status.
pub const PAYMENT_STATUS_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for a worker's signature under a receipt: an answer must not wait longer for a slow or lost worker.
pub const SIGN_RECEIPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that a proxy asks one connection's worker to sign before it has signed those before them itself: enough that
/// nobody waits for a way there and back, and what a worker that loses its proxy then may have no claim for.
pub const MAX_SIGNING: usize = 64;
/// Time for a quote: a proxy gives it at once or not at all.
pub const QUOTE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a certificate by its hash.
pub const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(10);
