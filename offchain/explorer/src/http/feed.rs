//! `/feed`: transactions of the contracts, in words.

use axum::extract::State;
use axum::response::Response;
use cocoon_openai::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{Question, address, limit, place, question, write};
use super::{Explored, account, as_of, shown};
use crate::feed::{Item, Sent};
use crate::view::View;
use crate::words::{Kind, Said};

#[derive(Deserialize)]
pub(super) struct Asked {
    contract: Option<String>,
    kind: Option<String>,
    limit: Option<usize>,
    before: Option<String>,
}

/// Newest first.
pub(super) async fn list(State(inner): Explored, asked: Question<Asked>) -> Response {
    shown(&inner, |view, _| {
        let asked = question(asked)?;
        let (limit, before) = (limit(asked.limit)?, place(asked.before.as_deref())?);
        let contract = address("contract", asked.contract.as_deref())?;
        let kind = kind(asked.kind.as_deref())?;
        let fits = |item: &&Item| {
            contract.as_ref().is_none_or(|contract| item.concerns(contract))
                && kind.is_none_or(|kind| view.contracts.kind(&item.account) == kind)
        };
        let mut rows: Vec<_> = view.feed.before(before).filter(fits).take(limit + 1).collect();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|item| write(item.place));
        let rows = rows.into_iter().map(|item| row(view, item));
        Ok(json!({ "as_of": as_of(&inner, view), "feed": rows.collect::<Vec<_>>(), "next": next }))
    })
    .await
}

fn kind(asked: Option<&str>) -> Result<Option<Kind>, ApiError> {
    let Some(text) = asked.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let known = Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == text && *kind != Kind::Somebody);
    let wrong = || ApiError::invalid_field("kind", "must be root, governor, proxy, client or worker");
    known.map(Some).ok_or_else(wrong)
}

fn row(view: &View, item: &Item) -> Value {
    let mut row = json!({
        "transaction": item.place.1.to_string(),
        "lt": item.place.0.to_string(),
        "time": item.time,
        "account": account(view, &item.account),
        "from": item.from.as_ref().map(|from| account(view, from)),
    });
    add(&mut row, item.said.as_ref());
    let more = json!({
        "value": item.value,
        "fees": item.fees,
        "success": item.success,
        "exit_code": item.exit_code,
        "bounced": item.bounced,
        "sent": item.sent.iter().map(|sent| self::sent(view, sent)).collect::<Vec<_>>(),
    });
    extend(&mut row, more);
    row
}

fn sent(view: &View, sent: &Sent) -> Value {
    let mut row = json!({ "to": sent.to.as_ref().map(|to| account(view, to)) });
    add(&mut row, Some(&sent.said));
    extend(&mut row, json!({ "value": sent.value }));
    row
}

fn add(row: &mut Value, said: Option<&Said>) {
    let words = json!({
        "message": said.and_then(|said| said.name),
        "opcode": said.and_then(|said| said.opcode).map(|opcode| format!("{opcode:#010x}")),
        "says": said.map_or("nothing set it off", |said| said.says.as_str()),
        "amount": said.and_then(|said| said.amount),
        "tokens": said.and_then(|said| said.tokens),
    });
    extend(row, words);
}

fn extend(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}
