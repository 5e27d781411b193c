//! `GET /v1/models` and `GET /v1/models/{name}`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use cocoon_bindings::units::ModelHash;
use cocoon_chain::RootView;
use cocoon_openai::ApiError;
use cocoon_openai::models::{ContextRange, Model, ModelList, ModelWorker};
use cocoon_protocol::client::WorkerTypeV2;
use cocoon_protocol::context::ContextLength;
use futures_util::future::join_all;

use super::App;
use super::provider::{model_hash, tariff};
use super::reply::reply;
use crate::quotes::base;

/// Who is said to own a model: nobody that a proxy could name.
const OWNER: &str = "cocoon";

/// All models of the connected proxy.
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    match fetch(&app).await {
        Ok(models) => Json(ModelList::new(models)).into_response(),
        Err(error) => reply(&error),
    }
}

/// One of them.
pub(super) async fn one(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    let found = fetch(&app).await.and_then(|models| {
        let missing = || ApiError::unknown_model("The connected proxy has no worker for this model.");
        models.into_iter().find(|model| model.id == name).ok_or_else(missing)
    });
    match found {
        Ok(model) => Json(model).into_response(),
        Err(error) => reply(&error),
    }
}

async fn fetch(app: &App) -> Result<Vec<Model>, ApiError> {
    let connection = app.connection()?;
    let (types, contexts) = tokio::join!(connection.worker_types(), contexts(app));
    let types = types.map_err(|error| ApiError::bad_gateway(format!("The proxy did not list its models: {error}.")))?;
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    let (tariff, root, names) = (tariff(app, &connection), app.context.root(), app.quotes.models());
    let row = |model: WorkerTypeV2| {
        let workers = model.workers.iter().map(|worker| ModelWorker {
            coefficient: number(worker.coefficient),
            running_requests: number(worker.active_requests),
            max_running_requests: number(worker.max_active_requests),
        });
        let mut row = Model::new(model.name, OWNER, workers.collect());
        row.pricing = row.coefficient.map(|range| tariff.at(range.min));
        row.attested = connection.peer.claims.is_some();
        row.simulated = connection.peer.simulated;
        if let Some(range) = contexts.get(&row.id) {
            row.set_context(*range);
        }
        describe(&mut row, &root, &names);
        row
    };
    Ok(types.types.into_iter().map(row).collect())
}

/// What the models take at all proxies that a request may go to.
async fn contexts(app: &App) -> BTreeMap<String, ContextRange> {
    let connections = app.upstream.borrow().connections.clone();
    let living = connections.iter().filter(|connection| !connection.is_closed());
    let told = join_all(living.map(|connection| connection.contexts())).await;
    let mut ranges: BTreeMap<String, ContextRange> = BTreeMap::new();
    for model in told.into_iter().flatten().flat_map(|contexts| contexts.models) {
        let [shortest, longest] = [model.shortest, model.longest].map(ContextLength::tokens);
        let range = ContextRange {
            min: shortest.min(longest),
            max: longest.max(shortest),
        };
        let known = ranges.entry(model.name).or_insert(range);
        *known = known.and(range);
    }
    ranges
}

/// Adds what the root contract says of the model. It lists full names by their hashes, and proxies list short names: of models whose
/// full name is not the short one it is known only once a quote has told it. `names` are those; where several fit, none is told.
fn describe(row: &mut Model, root: &RootView, names: &[String]) {
    let quoted = names.iter().filter(|name| base(name) == row.id).map(String::as_str);
    let listed: BTreeSet<ModelHash> = std::iter::once(row.id.as_str())
        .chain(quoted)
        .map(model_hash)
        .filter(|hash| root.data.model_hashes.contains(hash))
        .collect();
    let mut listed = listed.into_iter();
    let (Some(hash), None) = (listed.next(), listed.next()) else {
        return;
    };
    let entry = root.data.model_hashes.get(&hash);
    let manifest = entry.and_then(|entry| entry.descriptor()?.manifest_hash);
    let retires = entry.map_or(0, |entry| entry.times().retire_after);
    row.model_hash = Some(hash.to_string());
    row.manifest_hash = manifest.map(|manifest| manifest.to_string());
    row.retires_at = Some(u64::from(retires)).filter(|seconds| *seconds != 0);
}
