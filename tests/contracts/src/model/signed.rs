//! Messages that the proxy signs.

use crate::model::body::{Signed, Signer};
use crate::model::effect::{Env, Exit, require};

pub(crate) const CHARGE: u32 = 0xbb63_ff93;
pub(crate) const GRANT: u32 = 0xefd7_11e1;
pub(crate) const PAYOUT: u32 = 0xa040_ad28;
pub(crate) const LAST_PAYOUT: u32 = 0xf5f2_6a36;
pub(crate) const CLOSE_PROXY: u32 = 0x636a_4391;
pub(crate) const COMPLETE_CLOSE: u32 = 0xe511_abc7;

/// Checks what all signed messages have in common and gives the count of tokens.
pub(crate) fn check_signed(signed: &Signed, longer: bool, env: &Env) -> Result<u64, Exit> {
    let inner = &signed.inner;
    require(inner.op == signed.op, 1005)?;
    require(inner.query == signed.query, 1005)?;
    require(inner.expected == env.me, 1015)?;
    require(signed.signer == Signer::Proxy, 1007)?;
    require(!inner.longer && !longer, 1005)?;
    Ok(inner.tokens.unwrap_or(0))
}
