//! `/anchors`: checkpoints that proxy contracts recorded.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{Question, address, limit, place, question, write};
use super::{Explored, as_of, shown};
use crate::anchors::Anchor;
use crate::feed::Place;

#[derive(Deserialize)]
pub(super) struct Asked {
    proxy: Option<String>,
    limit: Option<usize>,
    before: Option<String>,
}

/// Newest first.
pub(super) async fn list(State(inner): Explored, asked: Question<Asked>) -> Response {
    shown(&inner, |view, _| {
        let asked = question(asked)?;
        let (limit, before) = (limit(asked.limit)?, place(asked.before.as_deref())?);
        let proxy = address("proxy", asked.proxy.as_deref())?;
        let fits = |(at, anchor): &(&Place, &Anchor)| {
            before.is_none_or(|before| **at < before) && proxy.as_ref().is_none_or(|proxy| anchor.proxy == *proxy)
        };
        let mut rows: Vec<_> = view.anchors.0.iter().rev().filter(fits).take(limit + 1).collect();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(at, _)| write(**at));
        let rows = rows.into_iter().map(|(at, anchor)| row(at, anchor));
        Ok(json!({ "as_of": as_of(&inner, view), "anchors": rows.collect::<Vec<_>>(), "next": next }))
    })
    .await
}

fn row(at: &Place, anchor: &Anchor) -> Value {
    json!({
        "proxy": anchor.proxy.to_string(),
        "seqno": anchor.seqno,
        "size": anchor.size,
        "root": anchor.root.to_string(),
        "time": anchor.time,
        "kept_at": anchor.kept_at,
        "transaction": at.1.to_string(),
        "in_log": anchor.in_log.word(),
    })
}
