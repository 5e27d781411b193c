//! Messages that the proxy signs.

use cocoon_bindings::ton::Address;

use crate::model::body::{Claim, Signed, Signer};
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
    let scored = inner.score.is_some() && ![PAYOUT, LAST_PAYOUT].contains(&signed.op);
    require(!inner.longer && !scored && !longer, 1005)?;
    Ok(inner.tokens.unwrap_or(0))
}

/// The count that a receipt or statement signed by the proxy gives this contract.
pub(crate) fn check_claim(claim: &Claim, proxy: &Address, env: &Env) -> Result<u64, Exit> {
    let statement = &claim.statement;
    if let Some(receipt) = &claim.receipt {
        require(receipt.known && receipt.version == 1, 1005)?;
        require(statement.known && statement.version == 1, 1005)?;
        require(receipt.client == env.me && statement.proxy == *proxy, 1104)?;
    } else {
        require(statement.known && statement.version == 1, 1005)?;
        require(statement.worker == env.me && statement.proxy == *proxy, 1104)?;
    }
    require(claim.signer == Signer::Proxy, 1007)?;
    Ok(claim.receipt.as_ref().map_or(statement.after, |receipt| receipt.after))
}
