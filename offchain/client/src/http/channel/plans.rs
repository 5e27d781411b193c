//! The two steps by which money moves: a plan, and its confirmation.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::Nanoton;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{App, answer, may_move_money, refused, show, view};
use crate::channel::{self, Plan, Refusal, Wish};
use crate::limits::PLAN_LIFETIME;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopUp {
    amount: Nanoton,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stake {
    stake: Nanoton,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    #[serde(default)]
    accept_less: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    id: String,
}

/// Makes a plan and sends nothing.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Path((contract, operation)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(make(&app, &contract, &operation, &headers, &body).await)
}

async fn make(app: &App, contract: &str, operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    may_move_money(app, headers)?;
    let wish = wish(operation, body)?;
    let contract = own(app, contract)?;
    let plan = channel::make(&app.context, wish, &contract).await?;
    let shown = describe(app, &plan);
    let id = app.book.keep(plan);
    Ok(with_id(shown, &id))
}

/// Carries a plan out, once.
pub(super) async fn confirm(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let confirmed = async {
        may_move_money(&app, &headers)?;
        let Confirmed { id } = read(&body)?;
        channel::confirm(&app.context, &app.book, &app.requests, &id).await
    };
    match confirmed.await {
        Ok(run) => (StatusCode::ACCEPTED, Json(show(&run))).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn wish(operation: &str, body: &[u8]) -> Result<Wish, Refusal> {
    let positive = |param, amount: Nanoton| match amount {
        Nanoton::ZERO => Err(Refusal::field(param, "must be more than zero")),
        amount => Ok(amount),
    };
    match operation {
        "topup" => Ok(Wish::TopUp(positive("amount", read::<TopUp>(body)?.amount)?)),
        "stake" => Ok(Wish::Stake(positive("stake", read::<Stake>(body)?.stake)?)),
        "withdraw" => read::<Nothing>(body).map(|Nothing {}| Wish::Withdraw),
        "close" => Ok(Wish::Close {
            accepts_less: read::<Close>(body)?.accept_less,
        }),
        _ => Err(Refusal::new(
            404,
            "unknown_operation",
            format!("the operations of a channel are {}", Wish::NAMES.join(", ")),
        )),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new(400, "invalid_field", format!("the body is refused: {error}")))
}

/// A contract of this client, as its channels list it: nobody else's is paid into from here.
fn own(app: &App, text: &str) -> Result<Address, Refusal> {
    let contract = parse_address(text)
        .ok()
        .filter(|contract| view::contracts(app).contains(contract));
    contract.ok_or_else(|| {
        let refusal = Refusal::new(404, "unknown_contract", "this client has no channel with that contract");
        refusal.hinting("GET /v1/cocoon/channel lists them")
    })
}

fn describe(app: &App, plan: &Plan) -> Value {
    let accounts = plan.preview.accounts.iter().map(|account| {
        json!({
            "role": account.role,
            "name": account.role.name(),
            "address": account.address,
            "changes": account.changes,
        })
    });
    let seconds = PLAN_LIFETIME.as_secs();
    json!({
        "id": null,
        "operation": plan.wish.name(),
        "contract": plan.contract.to_string(),
        "says": plan.order.says,
        "value": plan.order.message.value,
        "fees": plan.preview.fees,
        "transactions": plan.preview.transactions,
        "accounts": accounts.collect::<Vec<_>>(),
        "expires_at": app.context.clock.now().saturating_add(seconds),
        "expires_in_seconds": seconds,
        "simulated": app.context.trust.is_simulated(),
    })
}

fn with_id(mut shown: Value, id: &str) -> Value {
    if let Some(place) = shown.get_mut("id") {
        *place = id.into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(asked: Result<Wish, Refusal>) -> (u16, &'static str) {
        asked.map_or_else(|refusal| (refusal.status, refusal.code), |_| (200, ""))
    }

    #[test]
    fn an_amount_is_a_text_of_nanoton_above_zero() {
        assert_eq!(
            wish("topup", br#"{"amount":"5000000000"}"#),
            Ok(Wish::TopUp(Nanoton::from_ton(5)))
        );
        assert_eq!(wish("stake", br#"{"stake":"1"}"#), Ok(Wish::Stake(Nanoton::new(1))));
        for body in [
            "",
            "{}",
            r#"{"amount":"0"}"#,
            r#"{"amount":5}"#,
            r#"{"amount":"-1"}"#,
            r#"{"amount":"1.5"}"#,
            r#"{"amount":"999999999999999999999999999999999999999999"}"#,
            r#"{"amount":"1","to":"0:00"}"#,
        ] {
            assert_eq!(code(wish("topup", body.as_bytes())), (400, "invalid_field"), "{body}");
        }
    }

    #[test]
    fn what_no_contract_offers_is_refused() {
        assert_eq!(wish("withdraw", b"{}"), Ok(Wish::Withdraw));
        assert_eq!(
            wish("close", br#"{"accept_less":true}"#),
            Ok(Wish::Close { accepts_less: true })
        );
        assert_eq!(code(wish("withdraw", br#"{"amount":"1"}"#)), (400, "invalid_field"));
        assert_eq!(code(wish("empty", b"{}")), (404, "unknown_operation"));
    }
}
