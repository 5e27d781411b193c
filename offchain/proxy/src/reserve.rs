//! First phase: may this client ask for this, and the tokens that it may cost at most.

use std::sync::Arc;

use cocoon_bindings::units::{Coefficient, TokenCount};
use cocoon_ledger::{LedgerError, ReservationId, reservation};
use cocoon_protocol::ErrorCode;

use crate::books::Books;
use crate::client::ClientPeer;
use crate::request::{Failure, Request, outdated};
use crate::state::Proxy;

/// An open reservation; given back when dropped, unless it was taken for a charge.
pub(crate) struct Reserved {
    books: Arc<Books>,
    id: Option<ReservationId>,
}

/// Tokens that one attempt at a request reserves.
pub(crate) fn tokens(client: &ClientPeer, request: &Request) -> Result<TokenCount, Failure> {
    let bytes = request.query.len() as u64;
    amount(client, request.max_tokens, bytes, request.max_coefficient)
}

/// The same for a request of which so much is known.
pub(crate) fn amount(
    client: &ClientPeer,
    max_tokens: u64,
    query_bytes: u64,
    max_coefficient: Coefficient,
) -> Result<TokenCount, Failure> {
    let multipliers = &client.instance.params.multipliers;
    reservation::amount(max_tokens, query_bytes, max_coefficient, multipliers).map_err(|error| failure(&error))
}

impl Reserved {
    /// Holds only what will be charged from now on: the rest is free for the client's next request before it hears that this one
    /// has ended.
    pub(crate) fn narrow(&self, used: TokenCount) {
        // Taken already: then there is nothing to give back.
        let Some(id) = self.id else { return };
        if let Err(error) = self.books.ledger().narrow(id, used) {
            tracing::error!(%error, "a reservation cannot be narrowed");
        }
    }

    /// For [`Books::charge`], which ends it. `None` when it was taken before.
    pub(crate) fn take(mut self) -> Option<ReservationId> {
        self.id.take()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(id) = self.id.take()
            && let Err(error) = self.books.ledger().release(id)
        {
            tracing::error!(%error, "a reservation cannot be given back");
        }
    }
}

/// Checks the request against the state of the proxy and of the client's contract and reserves for one attempt.
pub(crate) fn reserve(
    proxy: &Proxy,
    client: &ClientPeer,
    request: &Request,
    amount: TokenCount,
) -> Result<Reserved, Failure> {
    if i64::from(request.min_config_version) > i64::from(proxy.root.borrow().version) {
        is_open(proxy, client)?;
        return Err(Failure::new(ErrorCode::Error, "active config version is too low"));
    }
    hold(proxy, client, request.max_tokens, amount)
}

fn is_open(proxy: &Proxy, client: &ClientPeer) -> Result<(), Failure> {
    if let Some(reason) = proxy.closed_because() {
        return Err(Failure::new(ErrorCode::NotReady, reason));
    }
    if client.instance.is_retired() {
        return Err(outdated());
    }
    Ok(())
}

/// Reserves tokens of a client, if new work is taken at all.
pub(crate) fn hold(
    proxy: &Proxy,
    client: &ClientPeer,
    max_tokens: u64,
    amount: TokenCount,
) -> Result<Reserved, Failure> {
    is_open(proxy, client)?;
    let id = proxy.books.ledger().reserve(&client.contract, max_tokens, amount);
    match id {
        Ok(id) => Ok(Reserved {
            books: Arc::clone(&proxy.books),
            id: Some(id),
        }),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &LedgerError) -> Failure {
    let code = match error {
        LedgerError::BalanceTooLow { .. } | LedgerError::NotOnChain { .. } => ErrorCode::LowBalance,
        LedgerError::TooManyTokens { .. } => ErrorCode::TooLarge,
        LedgerError::TooManyReservations { .. } => ErrorCode::TooManyRequests,
        LedgerError::ClientClosing | LedgerError::OutageCredit { .. } | LedgerError::Retired { .. } => {
            ErrorCode::NotReady
        }
        _ => ErrorCode::Failure,
    };
    Failure::new(code, error.to_string())
}
