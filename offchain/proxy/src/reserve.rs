//! First phase: may this client ask for this, and the tokens that it may cost at most.

use std::sync::Arc;

use cocoon_bindings::units::TokenCount;
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
    let multipliers = &client.instance.params.multipliers;
    reservation::amount(request.max_tokens, bytes, request.max_coefficient, multipliers)
        .map_err(|error| failure(&error))
}

impl Reserved {
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
    if let Some(reason) = proxy.closed_because() {
        return Err(Failure::new(ErrorCode::NotReady, reason));
    }
    if client.instance.is_retired() {
        return Err(outdated());
    }
    if i64::from(request.min_config_version) > i64::from(proxy.root.borrow().version) {
        return Err(Failure::new(ErrorCode::Error, "active config version is too low"));
    }
    let id = proxy
        .books
        .ledger()
        .reserve(&client.contract, request.max_tokens, amount);
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
