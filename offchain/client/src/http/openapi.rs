//! `GET /v1/cocoon/openapi.json`: the whole interface as an OpenAPI document, made of one table.
//!
//! A test walks the sources' routes and this table and refuses a difference; another compares the document with the copy in
//! `docs/reference/openapi.json`.

mod operation;
mod operations;

use axum::Json;
use serde_json::{Map, Value, json};

use operation::{Answer, Operation};
use operations::ALL;

/// Schemas, parameters and headers that operations refer to.
const COMPONENTS: &str = include_str!("openapi/components.json");

/// Shows the document.
pub(super) async fn show() -> Json<Value> {
    Json(document())
}

/// The document.
fn document() -> Value {
    let mut paths = Map::new();
    for operation in ALL {
        let path = operation.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[operation.method] = describe(operation);
    }
    let components: Value = serde_json::from_str(COMPONENTS).unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cocoon client",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Confidential inference by OpenAI's and Anthropic's interfaces, with receipts.",
            "description": "The HTTP interface of a client runner, on its own machine. Members that are not listed are accepted in requests to \
                models and carried to the worker, which refuses by name those that it does not know.",
        },
        "servers": [{"url": "http://127.0.0.1:10000"}],
        "paths": paths,
        "components": components,
    })
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
    });
    let mut parameters: Vec<Value> = path_parameters(operation.path).collect();
    parameters.extend(
        operation
            .headers
            .iter()
            .map(|name| json!({"$ref": format!("#/components/parameters/{name}")})),
    );
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(schema) = operation.request {
        described["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": refer(schema)}}});
    }
    let mut responses = json!({});
    if let Some(answer) = answer(&operation.answer, operation.headers) {
        responses["200"] = answer;
    }
    for (status, meaning) in operation.refusals {
        let schema = refer(operation.error);
        responses[status.to_string()] =
            json!({"description": meaning, "content": {"application/json": {"schema": schema}}});
    }
    described["responses"] = responses;
    described
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let name = name.trim_start_matches('*');
        json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
    })
}

fn answer(answer: &Answer, headers: &[&str]) -> Option<Value> {
    let (description, content) = match answer {
        Answer::Json(schema) => ("The answer.", json!({"application/json": {"schema": refer(schema)}})),
        Answer::Model { whole, events } => {
            let whole = json!({"schema": refer(whole)});
            match events {
                None => ("The answer.", json!({"application/json": whole})),
                Some(event) => {
                    let events = json!({"schema": {"type": "string", "description": event}});
                    let description = "The answer, whole, or with `stream` as server-sent events.";
                    (
                        description,
                        json!({"application/json": whole, "text/event-stream": events}),
                    )
                }
            }
        }
        Answer::Text(kind) => ("The page.", json!({*kind: {"schema": {"type": "string"}}})),
        Answer::Nothing => return None,
    };
    let mut answer = json!({"description": description, "content": content});
    if !headers.is_empty() {
        answer["headers"] = json!({
            "x-cocoon-request-id": {"$ref": "#/components/headers/RequestId"},
            "x-cocoon-receipt-id": {"$ref": "#/components/headers/ReceiptId"},
            "idempotency-replayed": {"$ref": "#/components/headers/Replayed"},
        });
    }
    Some(answer)
}

fn refer(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

#[cfg(test)]
mod tests;
