//! The columns of an export, and a receipt as one row of it. `docs/audit.md` has the same list with what each is.

use super::parquet::{Column, Kind, Value};
use crate::limits::{MAX_NUMBER, MAX_TIME_MS};
use cocoon_bindings::Params;
use cocoon_bindings::units::Nanoton;
use cocoon_receipt::SignedReceipt;

const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_optional: false,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_optional: true,
    }
}

/// The columns, in their order.
pub(super) const COLUMNS: [Column; 43] = [
    column("index", Kind::Number),
    column("receipt", Kind::Text),
    column("request", Kind::Text),
    column("work_request", Kind::Text),
    column("root", Kind::Text),
    column("proxy", Kind::Text),
    column("client", Kind::Text),
    column("worker", Kind::Text),
    column("payer", Kind::Text),
    column("model", Kind::Text),
    column("finish", Kind::Text),
    column("started", Kind::Time),
    column("first_token", Kind::Time),
    column("finished", Kind::Time),
    column("params_version", Kind::Number),
    column("price_per_token", Kind::Amount),
    column("worker_fee_per_token", Kind::Amount),
    column("coefficient", Kind::Number),
    column("prompt", Kind::Number),
    column("cached", Kind::Number),
    column("completion", Kind::Number),
    column("reasoning", Kind::Number),
    column("total", Kind::Number),
    optional("raw_prompt", Kind::Number),
    optional("raw_cached", Kind::Number),
    optional("raw_completion", Kind::Number),
    optional("raw_reasoning", Kind::Number),
    column("charged", Kind::Number),
    column("price", Kind::Amount),
    column("earned", Kind::Amount),
    column("client_seqno", Kind::Number),
    column("client_before", Kind::Number),
    column("client_after", Kind::Number),
    column("worker_seqno", Kind::Number),
    column("worker_before", Kind::Number),
    column("worker_after", Kind::Number),
    column("seed", Kind::Text),
    column("request_hash", Kind::Text),
    column("response_hash", Kind::Text),
    column("sampling_hash", Kind::Text),
    column("worker_evidence", Kind::Text),
    column("proxy_evidence", Kind::Text),
    column("worker_signed", Kind::Flag),
];

/// A receipt at its place in the log, priced by the terms of its contract.
pub(super) fn of(index: u64, signed: &SignedReceipt, params: &Params) -> Vec<Value> {
    let (receipt, statement) = (&signed.receipt, &signed.receipt.statement);
    let text = |value: &dyn ToString| Value::Text(value.to_string());
    let hash = |bytes: &[u8]| Value::Text(hex::encode(bytes));
    let amount = |price: Nanoton| {
        let amount = price.checked_mul(receipt.charged());
        Value::Amount(amount.unwrap_or(Nanoton::MAX).get())
    };
    let (used, timing) = (statement.used, statement.timing);
    let raw = |value: Option<u64>| value.map_or(Value::Null, Value::Number);
    let counts = statement.counts;
    let row = vec![
        Value::Number(index),
        text(&receipt.id()),
        hash(receipt.request_id.as_slice()),
        hash(statement.request_id.as_slice()),
        text(&statement.root),
        text(&statement.proxy),
        text(&receipt.client),
        text(&statement.worker),
        hash(statement.client.as_slice()),
        text(&statement.model),
        text(&statement.finish),
        Value::Time(timing.started_ms),
        Value::Time(timing.first_token_ms),
        Value::Time(timing.finished_ms),
        Value::Number(statement.params_version.get().into()),
        Value::Amount(params.price_per_token.get()),
        Value::Amount(params.worker_fee_per_token.get()),
        Value::Number(statement.coefficient.get().into()),
        Value::Number(used.prompt),
        Value::Number(used.cached),
        Value::Number(used.completion),
        Value::Number(used.reasoning),
        Value::Number(used.total),
        raw(counts.map(|counts| counts.prompt)),
        raw(counts.map(|counts| counts.cached)),
        raw(counts.map(|counts| counts.completion)),
        raw(counts.map(|counts| counts.reasoning)),
        Value::Number(receipt.charged()),
        amount(params.price_per_token),
        amount(params.worker_fee_per_token),
        Value::Number(receipt.channel.seqno),
        Value::Number(receipt.channel.before),
        Value::Number(receipt.channel.after),
        Value::Number(statement.channel.seqno),
        Value::Number(statement.channel.before),
        Value::Number(statement.channel.after),
        text(&statement.seed),
        hash(statement.request_hash.as_slice()),
        hash(statement.response_hash.as_slice()),
        hash(statement.sampling_hash.as_slice()),
        hash(statement.worker_evidence.as_slice()),
        hash(receipt.proxy_evidence.as_slice()),
        Value::Flag(signed.worker_signature.is_some()),
    ];
    row.into_iter().map(bounded).collect()
}

/// One receipt must not keep all others from being exported: what no reader holds is written as the largest that readers do.
fn bounded(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(number.min(MAX_NUMBER)),
        Value::Time(time) => Value::Time(time.min(MAX_TIME_MS)),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_reader_holds_is_written_as_the_largest() {
        assert_eq!(bounded(Value::Number(u64::MAX)), Value::Number(MAX_NUMBER));
        assert_eq!(bounded(Value::Time(u64::MAX)), Value::Time(MAX_TIME_MS));
        assert_eq!(bounded(Value::Number(7)), Value::Number(7));
        assert!(i64::try_from(MAX_NUMBER).is_ok());
    }

    #[test]
    fn every_column_has_a_name_of_its_own_that_the_page_explains() {
        let page = include_str!("../../../../docs/audit.md");
        for (at, column) in COLUMNS.iter().enumerate() {
            assert!(COLUMNS.iter().skip(at + 1).all(|other| other.name != column.name));
            assert!(page.contains(&format!("`{}`", column.name)), "{}", column.name);
        }
    }
}
