//! What a worker and a proxy say to each other before and beside the work itself.

use bytes::Bytes;
use tl_proto::{TlRead, TlWrite};

use crate::codec::{blob, text};
use crate::proxy::{Params as ProxyParams, SignedPayment};
use crate::version::VersionRange;

/// Who a worker is and what it serves.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct Params {
    #[tl(flags)]
    pub flags: (),
    /// Address of the worker's owner, user-friendly.
    #[tl(with = "text")]
    pub worker_owner_address: String,
    /// `name@commit:verityhash`
    #[tl(with = "text")]
    pub model: String,
    /// Thousandths.
    pub coefficient: i32,
    #[tl(flags_bit = 0)]
    pub capacity: Option<Capacity>,
    #[tl(flags_bit = 1)]
    pub versions: Option<VersionRange>,
}

/// The part of [`Params`] that came with the second deployed release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
pub struct Capacity {
    pub is_test: bool,
    /// Over how many proxies the worker divides its slots.
    pub proxy_cnt: i32,
    pub max_active_requests: i32,
}

/// First question of a worker.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.connectToProxy", scheme = "../schema/cocoon.tl")]
pub struct ConnectToProxy {
    pub params: Params,
}

/// The proxy's answer to [`ConnectToProxy`].
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.connectedToProxy", scheme = "../schema/cocoon.tl")]
pub struct ConnectedToProxy {
    pub params: ProxyParams,
    #[tl(with = "text")]
    pub worker_sc_address: String,
}

/// The highest totals that the worker remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.compareBalanceWithProxy", scheme = "../schema/cocoon.tl")]
pub struct CompareBalanceWithProxy {
    pub tokens_committed_to_blockchain: i64,
    pub tokens_committed_to_db: i64,
    pub max_tokens: i64,
}

/// The proxy's totals; `error_code` 1 when the worker remembers more than the proxy.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.compareBalanceWithProxyResult", scheme = "../schema/cocoon.tl")]
pub struct CompareBalanceWithProxyResult {
    pub signed_payment: SignedPayment,
    pub tokens_committed_to_db: i64,
    pub max_tokens: i64,
    pub error_code: i32,
}

/// Sent after `error_code` 1.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.extendedCompareBalanceWithProxy", scheme = "../schema/cocoon.tl")]
pub struct ExtendedCompareBalanceWithProxy {
    pub tokens_committed_to_db: i64,
    #[tl(with = "blob")]
    pub other: Bytes,
}

/// Whether the proxy can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(
    boxed,
    id = "worker.extendedCompareBalanceWithProxyResult",
    scheme = "../schema/cocoon.tl"
)]
pub struct ExtendedCompareBalanceWithProxyResult {
    pub error_code: i32,
}

/// Last question of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.proxyHandshakeComplete", scheme = "../schema/cocoon.tl")]
pub struct ProxyHandshakeComplete {
    pub is_disabled: bool,
}

/// Its answer: the connection serves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.proxyHandshakeCompleted", scheme = "../schema/cocoon.tl")]
pub struct ProxyHandshakeCompleted;

/// Asks for the latest voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.updatePaymentStatus", scheme = "../schema/cocoon.tl")]
pub struct UpdatePaymentStatus;

/// The latest voucher and totals.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.paymentStatus", scheme = "../schema/cocoon.tl")]
pub struct PaymentStatus {
    pub signed_payment: SignedPayment,
    pub db_tokens: i64,
    pub max_tokens: i64,
}

/// The worker takes work (0) or not (anything else).
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.enabledDisabled", scheme = "../schema/cocoon.tl")]
pub struct EnabledDisabled {
    pub disabled: i32,
}

/// The worker's new price, thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "worker.newCoefficient", scheme = "../schema/cocoon.tl")]
pub struct NewCoefficient {
    pub new_coefficient: i32,
}
