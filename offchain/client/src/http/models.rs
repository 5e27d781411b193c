//! `GET /v1/models` and `GET /v1/models/{name}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use cocoon_openai::ApiError;
use cocoon_openai::models::{Model, ModelList, ModelWorker};

use super::App;
use super::reply::reply;

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
    let types = connection
        .worker_types()
        .await
        .map_err(|error| ApiError::bad_gateway(format!("The proxy did not list its models: {error}.")))?;
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    Ok(types
        .types
        .into_iter()
        .map(|model| {
            let workers = model.workers.iter().map(|worker| ModelWorker {
                coefficient: number(worker.coefficient),
                running_requests: number(worker.active_requests),
                max_running_requests: number(worker.max_active_requests),
            });
            Model::new(model.name, OWNER, workers.collect())
        })
        .collect())
}
