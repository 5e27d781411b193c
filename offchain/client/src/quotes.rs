//! Firm quotes of proxies: asked for, checked, and remembered for the request that is to use them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_openai::ApiError;
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::extension::{GetQuote, Quote, QuoteTerms};
use cocoon_protocol::limits::QUOTE_TIMEOUT;
use cocoon_protocol::{ErrorCode, quote, retry_after};
use cocoon_runner::link::LinkError;
use tokio::time::Instant;

use crate::connection::ProxyConnection;
use crate::limits::{MAX_KEPT_QUOTES, QUOTE_KEPT_AFTER};

/// A quote whose signature and terms were checked.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) terms: QuoteTerms,
    pub(crate) quote: Quote,
}

/// What is needed to use a quote.
#[derive(Debug, Clone)]
pub(crate) struct Usable {
    pub(crate) id: [u8; 32],
    /// Our contract at the proxy that gave it.
    pub(crate) contract: Address,
    pub(crate) coefficient: u32,
    /// Full name of the model that it is for.
    pub(crate) model: String,
    forgotten: Instant,
}

/// The quotes that this client was given.
#[derive(Debug, Default)]
pub(crate) struct KnownQuotes(Mutex<HashMap<[u8; 32], Usable>>);

impl KnownQuotes {
    /// Remembers a quote beyond its time: its proxy says best why it cannot be used any more.
    pub(crate) fn keep(&self, contract: Address, checked: &Checked) {
        let terms = &checked.terms;
        let life = u64::try_from(terms.expires_ms.saturating_sub(terms.issued_ms)).unwrap_or(0);
        let now = Instant::now();
        let usable = Usable {
            id: terms.quote_id,
            contract,
            coefficient: u32::try_from(terms.coefficient).unwrap_or(0),
            model: terms.model.clone(),
            forgotten: now + Duration::from_millis(life).min(QUOTE_KEPT_AFTER) + QUOTE_KEPT_AFTER,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, quote| quote.forgotten > now);
        if known.len() >= MAX_KEPT_QUOTES
            && let Some(oldest) = known.values().min_by_key(|quote| quote.forgotten).map(|quote| quote.id)
        {
            known.remove(&oldest);
        }
        known.insert(usable.id, usable);
    }

    /// Full names of models as the quotes in memory have them.
    pub(crate) fn models(&self) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|quote| quote.model.clone()).collect()
    }

    /// A quote by its name, 64 hex digits.
    pub(crate) fn find(&self, name: &str) -> Result<Usable, ApiError> {
        let mut id = [0; 32];
        if hex::decode_to_slice(name, &mut id).is_err() {
            return Err(ApiError::invalid_field("x-cocoon-quote", "must be 64 hex digits"));
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&id).cloned();
        found.ok_or_else(|| ApiError::quote_unknown("This client was not given such a quote, or it is long over."))
    }
}

/// Asks a proxy for a quote, and checks what it promises.
pub(crate) async fn ask(connection: &ProxyConnection, question: &GetQuote) -> Result<Checked, ApiError> {
    if !connection.version.has_extensions() {
        return Err(ApiError::bad_gateway("The connected proxy does not know quotes."));
    }
    let answer = connection
        .query(encode(question), QUOTE_TIMEOUT)
        .await
        .map_err(refused)?;
    check(&answer, connection, question)
        .map_err(|fault| ApiError::bad_gateway(format!("The proxy's quote is not acceptable: {fault}.")))
}

fn refused(error: LinkError) -> ApiError {
    match error {
        LinkError::Refused { code, message } => {
            let code = ErrorCode::from_wire(code).refine(&message).to_wire();
            let (text, seconds) = retry_after::split(&message);
            let mut error = ApiError::from_node(code, text);
            error.retry_after = seconds.or(error.retry_after);
            error
        }
        LinkError::Timeout => ApiError::timeout("The proxy gave no quote in time."),
        error => ApiError::connection_lost(format!("The proxy could not be asked: {error}.")),
    }
}

/// A quote is worth what its signature is: by the key of the proxy's contract, about our contract, for what was asked.
fn check(answer: &[u8], connection: &ProxyConnection, question: &GetQuote) -> Result<Checked, &'static str> {
    let quote: Quote = decode(answer).map_err(|_| "it cannot be read")?;
    let signature: &[u8; 64] = quote.signature[..].try_into().map_err(|_| "its signature is none")?;
    if !connection
        .proxy
        .public_key
        .verifies(&quote::signed_bytes(&quote.terms), signature)
    {
        return Err("its signature does not verify");
    }
    let terms: QuoteTerms = decode(&quote.terms).map_err(|_| "its terms cannot be read")?;
    let is = |text: &str, address: &Address| parse_address(text).is_ok_and(|named| named == *address);
    if !is(&terms.proxy_sc_address, &connection.proxy.contract) {
        return Err("it is of another proxy");
    }
    if !is(&terms.client_sc_address, &connection.client_contract) {
        return Err("it is for another client");
    }
    if base(&terms.model) != base(&question.model) {
        return Err("it is for another model");
    }
    if !(0..=question.max_coefficient).contains(&terms.coefficient) {
        return Err("its price is above what was asked for");
    }
    if terms.max_tokens < question.max_tokens {
        return Err("it is for fewer tokens");
    }
    Ok(Checked { terms, quote })
}

/// What requests call a model.
pub(crate) fn base(model: &str) -> &str {
    model.split('@').next().unwrap_or_default()
}

/// What is sent for a request under a quote.
pub(crate) fn run_quoted(quote_id: [u8; 32], run: Bytes) -> Bytes {
    encode(&cocoon_protocol::extension::RunQuoted { quote_id, run })
}
