//! What a request demands of whoever serves it, checked before anything of it leaves.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::ModelHash;
use cocoon_chain::RootView;
use cocoon_openai::ApiError;
use cocoon_openai::prices::{MaxPrices, Tariff};
use cocoon_openai::provider::{Attestation, Provider};
use cocoon_protocol::extension::GetQuote;
use sha2::{Digest, Sha256};

use super::App;
use crate::connection::ProxyConnection;
use crate::driver::Job;
use crate::quotes::{self, Usable};

/// Which proxies are admitted.
#[derive(Debug, Clone)]
pub(crate) struct Demands {
    only: Vec<Named>,
    ignore: Vec<Named>,
    attestation: Option<Attestation>,
    /// Whether another proxy is tried when one cannot be reached.
    pub(crate) allow_fallbacks: bool,
}

/// A proxy as a caller names it.
#[derive(Debug, Clone)]
enum Named {
    /// By its contract.
    Contract(Address),
    /// By where it listens, as the root contract lists it.
    Place(String),
}

impl Demands {
    /// Reads what the caller names. Names that no proxy could have are refused.
    pub(crate) fn read(provider: &Provider) -> Result<Self, ApiError> {
        let named = |list: &[String], name: &str| -> Result<Vec<Named>, ApiError> {
            let one = |(at, text): (usize, &String)| {
                let place = format!("provider.{name}[{at}]");
                let bad =
                    || ApiError::invalid_field(place, "must be the address of a proxy's contract, or its ip:port");
                Named::read(text).ok_or_else(bad)
            };
            list.iter().enumerate().map(one).collect()
        };
        Ok(Self {
            only: named(&provider.only, "only")?,
            ignore: named(&provider.ignore, "ignore")?,
            attestation: provider.attestation,
            allow_fallbacks: provider.allow_fallbacks,
        })
    }

    /// Whether a proxy may get the request.
    pub(crate) fn admit(&self, connection: &ProxyConnection) -> bool {
        self.objection(connection).is_none()
    }

    /// The demand that a proxy does not meet.
    fn objection(&self, connection: &ProxyConnection) -> Option<&'static str> {
        let is_named = |list: &[Named]| list.iter().any(|named| named.is(connection));
        let peer = &connection.peer;
        let is_proven = match self.attestation {
            None => true,
            // Behind a router this client has seen no evidence itself.
            Some(Attestation::Simulated) => peer.claims.is_some(),
            Some(Attestation::Real) => peer.claims.is_some() && !peer.simulated,
        };
        if !is_proven {
            Some("provider.attestation")
        } else if is_named(&self.ignore) {
            Some("provider.ignore")
        } else if !self.only.is_empty() && !is_named(&self.only) {
            Some("provider.only")
        } else {
            None
        }
    }

    /// Why none of these connections may get the request, if there is any.
    pub(crate) fn refusal(&self, connections: &[Arc<ProxyConnection>]) -> Option<ApiError> {
        let mut objections = connections.iter().filter(|connection| !connection.is_closed());
        let objection = objections.find_map(|connection| self.objection(connection))?;
        let message = "No connected proxy is admitted by what the request demands.";
        Some(ApiError::nobody_admitted(objection, message))
    }
}

impl Named {
    fn read(text: &str) -> Option<Self> {
        if let Ok(contract) = parse_address(text) {
            return Some(Self::Contract(contract));
        }
        let place: std::net::SocketAddr = text.parse().ok()?;
        Some(Self::Place(place.to_string()))
    }

    fn is(&self, connection: &ProxyConnection) -> bool {
        match self {
            Self::Contract(contract) => connection.proxy.contract == *contract,
            // The root contract may have brackets around the whole.
            Self::Place(place) => connection.address.trim_matches(['[', ']']) == place.trim_matches(['[', ']']),
        }
    }
}

/// What the proxy's network charges this client: by its contract, or by the root contract while that is not known.
pub(super) fn tariff(app: &App, connection: &ProxyConnection) -> Tariff {
    let accounts = app.accounts.borrow();
    let account = accounts.clients.get(&connection.client_contract);
    let root = app.context.root();
    let params = account.map_or(&root.params, |account| &account.params);
    Tariff {
        price_per_token: params.price_per_token.get(),
        prompt: params.multipliers.prompt,
        cached: params.multipliers.cached,
        completion: params.multipliers.completion,
        reasoning: params.multipliers.reasoning,
    }
}

/// Holds a job to the price and to the models that the caller allows, at the proxy that shall get it.
pub(super) async fn restrict(
    app: &App,
    connection: &Arc<ProxyConnection>,
    provider: &Provider,
    quoted: Option<&Usable>,
    job: &mut Job,
) -> Result<(), ApiError> {
    if provider.max_price != MaxPrices::default() {
        // Another proxy's contract may have another price.
        job.demands.allow_fallbacks = false;
    }
    if let Some(highest) = tariff(app, connection).max_coefficient(&provider.max_price) {
        if quoted.is_some_and(|quote| quote.coefficient > highest) {
            return Err(ApiError::invalid_field(
                "provider.max_price",
                "is below the price of the quote",
            ));
        }
        if quoted.is_none() && highest < job.max_coefficient {
            job.max_coefficient = highest;
            refuse_dear(connection, job).await?;
        }
    }
    if provider.manifests.is_empty() {
        return Ok(());
    }
    let root = app.context.root();
    let model = match quoted {
        Some(quote) => quote.model.clone(),
        // Only a quote says before the prompt leaves which model will answer.
        None => take_quote(app, connection, job).await?,
    };
    if is_allowed(&root, &model, &provider.manifests) {
        return Ok(());
    }
    let message = "The model that would answer is none of those that the request allows.";
    Err(ApiError::nobody_admitted("provider.manifests", message))
}

/// Refuses a job for which every worker is too dear, while its prompt is still here.
async fn refuse_dear(connection: &ProxyConnection, job: &Job) -> Result<(), ApiError> {
    let types = connection
        .worker_types()
        .await
        .map_err(|error| ApiError::bad_gateway(format!("The proxy did not list its models: {error}.")))?;
    // What is not listed, or without workers by an old proxy, is for the proxy to refuse.
    let listed = types.types.iter().find(|model| model.name == job.model);
    let workers = listed.map(|model| model.workers.as_slice()).unwrap_or_default();
    let affordable = |coefficient: i32| u32::try_from(coefficient).is_ok_and(|price| price <= job.max_coefficient);
    if workers.is_empty() || workers.iter().any(|worker| affordable(worker.coefficient)) {
        return Ok(());
    }
    Err(ApiError {
        param: Some("provider.max_price".to_owned()),
        ..ApiError::no_worker("No worker serves this model at the price that the request allows.")
    })
}

/// Has a slot kept for the job, and tells the full name of the model that is in it.
async fn take_quote(app: &App, connection: &Arc<ProxyConnection>, job: &mut Job) -> Result<String, ApiError> {
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let question = GetQuote {
        model: job.model.clone(),
        max_coefficient: i32::try_from(job.max_coefficient).unwrap_or(i32::MAX),
        max_tokens: i32::try_from(job.max_tokens).unwrap_or(i32::MAX),
        query_bytes: number(job.body.len().saturating_add(super::quote::HEAD_BYTES as usize)),
    };
    let checked = quotes::ask(connection, &question).await?;
    app.quotes.keep(connection.client_contract.clone(), &checked);
    job.quote = Some(checked.terms.quote_id);
    job.max_coefficient = u32::try_from(checked.terms.coefficient).unwrap_or(0);
    Ok(checked.terms.model)
}

/// The hash by which the root contract lists a model.
pub(super) fn model_hash(full_name: &str) -> ModelHash {
    ModelHash::new(Sha256::digest(full_name.as_bytes()).into())
}

fn is_allowed(root: &RootView, full_name: &str, allowed: &[[u8; 32]]) -> bool {
    let model = model_hash(full_name);
    let entry = root.data.model_hashes.get(&model);
    let manifest = entry.and_then(|entry| entry.descriptor()?.manifest_hash);
    let is = |hash: &[u8; 32]| hash == model.as_bytes() || manifest.is_some_and(|manifest| hash == manifest.as_bytes());
    allowed.iter().any(is)
}
