//! Money moved over HTTP: a plan, then once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails, fails loudly"
)]

use std::time::Duration;

use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::ClientAccount;
use serde_json::{Value, json};

use crate::common::World;
use crate::contract::{Chain, connected};

/// Status and body of a POST as the page sends it.
async fn post(world: &World, path: &str, body: Value) -> (u16, Value) {
    let asked = world
        .http
        .post(world.url(path))
        .header("x-cocoon-confirm", "1")
        .json(&body);
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(world: &World, path: &str) -> Value {
    world.get(path).await.json().await.unwrap()
}

/// The operation once it is over.
async fn over(world: &World, id: &str) -> Value {
    for _ in 0..200 {
        let operation = get(world, &format!("/v1/cocoon/channel/operations/{id}")).await;
        if !["sending", "following"].contains(&operation["status"].as_str().unwrap()) {
            return operation;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} does not end");
}

/// Makes a plan, confirms it and waits.
async fn carry_out(world: &World, path: &str, body: Value) -> Value {
    let (status, plan) = post(world, path, body).await;
    assert_eq!(status, 200, "{plan:#}");
    let id = plan["id"].as_str().unwrap().to_owned();
    let (status, begun) = post(world, "/v1/cocoon/channel/confirm", json!({ "id": id })).await;
    assert_eq!((status, &begun["id"]), (202, &json!(id)), "{begun:#}");
    over(world, &id).await
}

async fn account(chain: &Chain, contract: &str) -> ClientAccount {
    let contract = cocoon_bindings::ton::parse_address(contract).unwrap();
    ClientAccount::fetch(chain.shared.as_ref(), &contract).await.unwrap()
}

/// The contract, as the page learns it.
async fn listed(world: &World) -> String {
    let channels = get(world, "/v1/cocoon/channel").await;
    channels["channels"][0]["contract"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_plan_says_what_it_would_do_and_is_paid_once_however_often_it_is_confirmed() {
    let (chain, world, _) = connected().await;
    let contract = listed(&world).await;
    let before = account(&chain, &contract).await.balance;
    let path = format!("/v1/cocoon/channel/{contract}/topup");
    let (status, plan) = post(&world, &path, json!({ "amount": "3000000000" })).await;
    assert_eq!(status, 200, "{plan:#}");
    let accounts = plan["accounts"].as_array().unwrap();
    let ours = accounts
        .iter()
        .find(|account| account["address"] == json!(contract))
        .unwrap();
    let changes = ours["changes"].as_array().unwrap();
    let paid_in = changes.iter().find(|change| change["name"] == "paid in").unwrap();
    assert_eq!((&paid_in["old"], &paid_in["new"]), (&json!("5 TON"), &json!("8 TON")));
    assert!(plan["says"].as_str().unwrap().starts_with("pay 3 TON into"), "{plan:#}");
    assert_eq!(account(&chain, &contract).await.balance, before, "a plan sends nothing");

    let confirm = || post(&world, "/v1/cocoon/channel/confirm", json!({ "id": plan["id"] }));
    let answers = futures_util::future::join_all((0..4).map(|_| confirm())).await;
    let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409, 409, 409], "{answers:#?}");
    let refused = answers.iter().find(|(status, _)| *status == 409).unwrap();
    assert_eq!(refused.1["error"]["code"], "plan_used");
    let operation = over(&world, plan["id"].as_str().unwrap()).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    assert!(
        operation["transaction"].is_string() && operation["fees"].is_string(),
        "{operation:#}"
    );
    assert_eq!(confirm().await.0, 409);
    assert_eq!(account(&chain, &contract).await.balance, Nanoton::from_ton(8));
    let seen = async {
        while get(&world, "/v1/cocoon/balance").await["balance"] != "8000000000" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(5), seen).await;
    seen.expect("the balance is looked at again at once");
    let all = get(&world, "/v1/cocoon/channel/operations").await;
    assert_eq!(all["operations"].as_array().unwrap().len(), 1, "{all:#}");
}

#[tokio::test]
async fn stake_withdrawal_and_close_go_the_same_way() {
    let (chain, world, _) = connected().await;
    let contract = listed(&world).await;
    let of = |operation: &str| format!("/v1/cocoon/channel/{contract}/{operation}");
    let stake = account(&chain, &contract)
        .await
        .stake
        .checked_add(Nanoton::from_ton(1))
        .unwrap();
    let raised = carry_out(&world, &of("stake"), json!({ "stake": stake })).await;
    assert_eq!(raised["status"], "done", "{raised:#}");
    assert_eq!(account(&chain, &contract).await.stake, stake);
    let (status, again) = post(&world, &of("stake"), json!({ "stake": stake })).await;
    assert_eq!(
        (status, &again["error"]["code"]),
        (409, &json!("nothing_to_do")),
        "{again:#}"
    );
    let (status, less) = post(&world, &of("stake"), json!({ "stake": "1" })).await;
    assert_eq!((status, &less["error"]["code"]), (409, &json!("refused")), "{less:#}");

    // What a plan of a withdrawal said is not so any more when somebody pays in.
    let (_, stale) = post(&world, &of("withdraw"), json!({})).await;
    assert_eq!(
        carry_out(&world, &of("topup"), json!({ "amount": "1000000000" })).await["status"],
        "done"
    );
    let sent = chain
        .emulated
        .with(|chain| chain.transactions(&account_address(&contract)).len());
    let (status, moved) = post(&world, "/v1/cocoon/channel/confirm", json!({ "id": stale["id"] })).await;
    assert_eq!(
        (status, &moved["error"]["code"]),
        (409, &json!("state_moved")),
        "{moved:#}"
    );
    assert_eq!(
        chain
            .emulated
            .with(|chain| chain.transactions(&account_address(&contract)).len()),
        sent
    );

    assert_eq!(carry_out(&world, &of("withdraw"), json!({})).await["status"], "done");
    let left = account(&chain, &contract).await;
    assert_eq!(left.balance, left.stake);
    assert_eq!(carry_out(&world, &of("close"), json!({})).await["status"], "done");
    assert_eq!(account(&chain, &contract).await.state, Lifecycle::Closing);
    let (status, wait) = post(&world, &of("close"), json!({})).await;
    assert_eq!((status, &wait["error"]["code"]), (409, &json!("wait")), "{wait:#}");
    assert!(wait["error"]["until"].is_u64(), "{wait:#}");
}

fn account_address(contract: &str) -> cocoon_bindings::ton::Address {
    cocoon_bindings::ton::parse_address(contract).unwrap()
}

#[tokio::test]
async fn nothing_that_a_page_of_another_origin_can_send_moves_money() {
    let (chain, world, proxy) = connected().await;
    let contract = listed(&world).await;
    let before = account(&chain, &contract).await.balance;
    let path = format!("/v1/cocoon/channel/{contract}/topup");
    let body = r#"{"amount":"1000000000"}"#;
    let ask = |path: &str, headers: &[(&'static str, &'static str)]| {
        let asked = world.http.post(world.url(path)).body(body);
        headers
            .iter()
            .fold(asked, |asked, (name, value)| asked.header(*name, *value))
            .send()
    };
    let (typed, confirm) = (("content-type", "application/json"), ("x-cocoon-confirm", "1"));
    for (headers, status) in [
        // What a form or a simple request of a page has.
        (&[("content-type", "text/plain"), confirm][..], 415),
        (&[("content-type", "application/x-www-form-urlencoded")], 415),
        (&[typed], 403),
        (&[typed, ("x-cocoon-confirm", "0")], 403),
        (&[typed, confirm, ("sec-fetch-site", "cross-site")], 403),
        (&[typed, confirm, ("sec-fetch-site", "same-origin")], 200),
        (&[("content-type", "application/json; charset=utf-8"), confirm], 200),
    ] {
        let answer = ask(&path, headers).await.unwrap();
        assert_eq!(answer.status(), status, "{headers:?}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
    assert_eq!(ask("/v1/cocoon/channel/confirm", &[typed]).await.unwrap().status(), 403);
    // A browser asks first, and nothing is allowed.
    let preflight = world
        .http
        .request(reqwest::Method::OPTIONS, world.url(&path))
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 405);
    assert!(!preflight.headers().contains_key("access-control-allow-headers"));
    assert_eq!(world.get(&path).await.status(), 405, "nothing by GET");
    // A contract that is none of this client's.
    let (status, foreign) = post(
        &world,
        &format!("/v1/cocoon/channel/{proxy}/topup"),
        json!({ "amount": "1" }),
    )
    .await;
    assert_eq!(
        (status, &foreign["error"]["code"]),
        (404, &json!("unknown_contract")),
        "{foreign:#}"
    );
    assert_eq!(account(&chain, &contract).await.balance, before);
}
