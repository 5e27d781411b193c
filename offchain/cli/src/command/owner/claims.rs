//! What a running worker can claim against a proxy.

use cocoon_bindings::ton::{Address, from_cell, parse_address};
use cocoon_bindings::worker::ClaimByStatement;
use cocoon_owner::operation::worker;

use crate::args::Global;
use crate::command::claims::{self, Claim};
use crate::failure::{Exit, Failure};

/// The claim against a proxy, or the only one.
pub(super) async fn fetch(
    global: &Global,
    url: Option<String>,
    proxy: Option<&Address>,
) -> Result<worker::Claim, Failure> {
    let claims = claims::of_worker(global, url).await?;
    let against = |claim: &Claim| proxy.is_none_or(|proxy| parse_address(&claim.proxy).is_ok_and(|of| of == *proxy));
    let mut found: Vec<Claim> = claims.into_iter().filter(against).collect();
    if found.len() > 1 {
        let error = anyhow::anyhow!("the worker has claims against {} proxies", found.len());
        return Err(Failure::new(
            Exit::Usage,
            error,
            "choose one with --proxy; `cocoon worker claims` lists them",
        ));
    }
    let Some(found) = found.pop() else {
        let error = anyhow::anyhow!("no proxy has signed anything that could be claimed");
        return Err(Failure::new(
            Exit::Usage,
            error,
            "`cocoon worker claims` shows what there is",
        ));
    };
    // Only what the proxy has signed is taken from the worker; receiver, value and code of the messages are made here.
    let claim = found.claim.to_message().map_err(anyhow::Error::from)?;
    let signed: ClaimByStatement = from_cell(&claim.body).map_err(anyhow::Error::from)?;
    let proxy = parse_address(&found.proxy).map_err(anyhow::Error::from)?;
    Ok(worker::Claim {
        proxy,
        contract: claim.to,
        signature: signed.signature,
        statement: signed.statement,
    })
}
