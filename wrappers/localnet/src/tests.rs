//! The API as clients see it: raw JSON over HTTP.

mod disk;
mod index;
mod lite;

use std::time::Duration;

use cocoon_bindings::ton::{Address, HashBytes, friendly};
use serde_json::{Value, json};

use crate::limits::MAX_REQUEST_BYTES;
use crate::{Clock, LocalNet, LocalNetConfig, LocalNetError, RunningLocalNet};

const SOMEBODY: Address = Address::new(0, HashBytes([1; 32]));
const START: u32 = 1_780_000_000;

async fn start() -> RunningLocalNet {
    LocalNet::start(LocalNetConfig {
        clock: Clock::Manual(START),
        ..LocalNetConfig::ephemeral()
    })
    .await
    .unwrap()
}

async fn post(url: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let response = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn call(net: &RunningLocalNet, method: &str, params: Value) -> (u16, Value) {
    let request = json!({ "id": "1", "jsonrpc": "2.0", "method": method, "params": params });
    post(&net.url(), request.to_string()).await
}

async fn result(net: &RunningLocalNet, method: &str, params: Value) -> Value {
    let (status, answer) = call(net, method, params).await;
    assert_eq!(
        (status, &answer["ok"], &answer["id"]),
        (200, &json!(true), &json!("1")),
        "{answer}"
    );
    answer["result"].clone()
}

async fn control(net: &RunningLocalNet, control: &str, body: Value) -> (u16, Value) {
    post(&format!("{}/{control}", net.control_url()), body.to_string()).await
}

async fn faucet(net: &RunningLocalNet, amount: &str) -> Value {
    let (status, answer) = control(
        net,
        "faucet",
        json!({ "address": SOMEBODY.to_string(), "amount": amount }),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    answer["result"].clone()
}

#[tokio::test]
async fn an_account_has_all_fields_that_clients_require() {
    let net = start().await;
    faucet(&net, "1500000000").await;
    for address in [
        SOMEBODY.to_string(),
        friendly(&SOMEBODY, true, false),
        friendly(&SOMEBODY, false, false),
    ] {
        let account = result(&net, "getAddressInformation", json!({ "address": address })).await;
        assert_eq!(account["balance"], "1500000000");
        assert_eq!(account["state"], "uninitialized");
        assert_eq!((&account["code"], &account["data"]), (&json!(""), &json!("")));
        assert_eq!(account["last_transaction_id"]["@type"], "internal.transactionId");
        assert_eq!(account["block_id"]["@type"], "ton.blockIdExt");
        assert_eq!(account["sync_utime"], START);
    }
    assert_eq!(
        result(&net, "getAddressBalance", json!({ "address": SOMEBODY.to_string() })).await,
        "1500000000"
    );
    assert_eq!(
        result(&net, "getAddressState", json!({ "address": SOMEBODY.to_string() })).await,
        "uninitialized"
    );
}

#[tokio::test]
async fn transactions_are_found_by_account_block_and_message() {
    let net = start().await;
    faucet(&net, "1").await;
    faucet(&net, "2").await;
    let address = SOMEBODY.to_string();
    let page = result(&net, "getTransactions", json!({ "address": address, "limit": 10 })).await;
    assert_eq!(page.as_array().unwrap().len(), 2);
    let (newest, oldest) = (&page[0], &page[1]);
    assert_eq!(
        (&newest["in_msg"]["value"], &oldest["in_msg"]["value"]),
        (&json!("2"), &json!("1"))
    );
    assert_eq!(newest["out_msgs"], json!([]));
    let id = &oldest["transaction_id"];
    let from = json!({ "address": address, "limit": "1", "lt": id["lt"], "hash": id["hash"] });
    assert_eq!(result(&net, "getTransactions", from).await, json!([oldest]));
    let (status, unknown) = call(
        &net,
        "getTransactions",
        json!({ "address": address, "lt": "5", "hash": id["hash"] }),
    )
    .await;
    assert_eq!((status, &unknown["ok"]), (500, &json!(false)));

    let info = result(&net, "getMasterchainInfo", json!({})).await;
    let seqno = info["last"]["seqno"].as_u64().unwrap();
    let shards = result(&net, "shards", json!({ "seqno": seqno })).await;
    let shard = &shards["shards"][0];
    assert_eq!(
        (&shard["workchain"], &shard["shard"]),
        (&json!(0), &json!("-9223372036854775808"))
    );
    let block = json!({ "workchain": 0, "shard": shard["shard"], "seqno": seqno });
    let listed = result(&net, "getBlockTransactions", block.clone()).await;
    assert_eq!(listed["transactions"][0]["hash"], newest["transaction_id"]["hash"]);
    assert_eq!(listed["incomplete"], false);
    assert_eq!(result(&net, "getBlockHeader", block).await["gen_utime"], START);
    let (status, _) = call(&net, "shards", json!({ "seqno": seqno + 1 })).await;
    assert_eq!(status, 404);

    let message = &newest["in_msg"];
    let located = json!({
        "source": message["source"], "destination": message["destination"], "created_lt": message["created_lt"],
    });
    assert_eq!(result(&net, "tryLocateResultTx", located.clone()).await, *newest);
    let (status, _) = call(&net, "tryLocateSourceTx", located).await;
    assert_eq!(status, 404, "the faucet is no account");
}

#[tokio::test]
async fn methods_are_reached_by_path_too() {
    let net = start().await;
    faucet(&net, "7").await;
    let base = format!("http://{}/api/v2", net.address());
    let response = reqwest::get(format!("{base}/getAddressBalance?address={SOMEBODY}"))
        .await
        .unwrap();
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({ "ok": true, "result": "7" })
    );
    let (status, answer) = post(
        &format!("{base}/getAddressBalance"),
        json!({ "address": SOMEBODY.to_string() }).to_string(),
    )
    .await;
    assert_eq!((status, &answer["result"]), (200, &json!("7")));
    let sending = reqwest::get(format!("{base}/sendBoc?boc=te6ccgEBAQEAAgAAAA=="))
        .await
        .unwrap();
    assert_eq!(sending.status(), 405, "a link changes nothing");
}

#[tokio::test]
async fn malformed_requests_are_answered_in_the_apis_shape() {
    let net = start().await;
    let oversized = " ".repeat(MAX_REQUEST_BYTES + 1);
    for (body, code) in [
        ("{", 400),
        ("[]", 400),
        ("7", 400),
        ("{\"method\":7}", 400),
        (oversized.as_str(), 413),
    ] {
        let (status, answer) = post(&net.url(), body.to_owned()).await;
        assert_eq!(
            (status, &answer["ok"], &answer["code"]),
            (code, &json!(false), &json!(code))
        );
        assert!(answer["error"].is_string());
    }
    for (method, params, code) in [
        ("noSuchMethod", json!({}), 404),
        ("getAddressInformation", json!({}), 422),
        ("getAddressInformation", json!([]), 422),
        ("getAddressInformation", json!({ "address": "EQ" }), 422),
        ("getAddressInformation", json!({ "address": 7 }), 422),
        (
            "getTransactions",
            json!({ "address": SOMEBODY.to_string(), "limit": -1 }),
            422,
        ),
        (
            "getTransactions",
            json!({ "address": SOMEBODY.to_string(), "lt": 7 }),
            422,
        ),
        ("sendBoc", json!({}), 422),
        ("sendBoc", json!({ "boc": "AAAA" }), 422),
        ("sendBoc", json!({ "boc": "te6ccgEBAQEAAgAAAA==" }), 500),
        (
            "runGetMethod",
            json!({ "address": SOMEBODY.to_string(), "method": "seqno", "stack": [[]] }),
            422,
        ),
        (
            "runGetMethod",
            json!({ "address": SOMEBODY.to_string(), "method": "seqno", "stack": [["num", "z"]] }),
            422,
        ),
        (
            "estimateFee",
            json!({ "address": SOMEBODY.to_string(), "init_code": "te6ccgEBAQEAAgAAAA==" }),
            422,
        ),
        ("shards", json!({ "seqno": "x" }), 422),
        ("getBlockTransactions", json!({ "workchain": 5, "seqno": 1 }), 404),
    ] {
        let (status, answer) = call(&net, method, params.clone()).await;
        assert_eq!(
            (status, &answer["ok"]),
            (code, &json!(false)),
            "{method} {params}: {answer}"
        );
    }
    let lost = reqwest::get(format!("http://{}/nowhere", net.address())).await.unwrap();
    assert_eq!(lost.status(), 404);
    assert_eq!(lost.json::<Value>().await.unwrap()["ok"], false);
}

#[tokio::test]
async fn a_get_method_without_a_contract_has_its_exit_code() {
    let net = start().await;
    let params = json!({ "address": SOMEBODY.to_string(), "method": "seqno", "stack": [] });
    assert_eq!(result(&net, "runGetMethod", params).await["exit_code"], -13);
}

#[tokio::test]
async fn time_moves_only_when_told() {
    let net = start().await;
    assert_eq!(
        control(&net, "advance", json!({ "seconds": 60 })).await.1["result"]["now"],
        START + 60
    );
    assert_eq!(
        control(&net, "time", json!({ "now": START + 100 })).await.1["result"]["now"],
        START + 100
    );
    let (status, _) = control(&net, "time", json!({ "now": START })).await;
    assert_eq!(status, 422, "time does not run backwards");
    let (status, _) = control(&net, "advance", json!({ "seconds": 4_000_000_000_u32 })).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn the_system_clock_stays_ahead_after_an_advance() {
    let net = LocalNet::start(LocalNetConfig::ephemeral()).await.unwrap();
    let before = control(&net, "advance", json!({ "seconds": 0 })).await.1["result"]["now"]
        .as_u64()
        .unwrap();
    control(&net, "advance", json!({ "seconds": 1_000_000 })).await;
    let after = control(&net, "advance", json!({ "seconds": 0 })).await.1["result"]["now"]
        .as_u64()
        .unwrap();
    assert!((1_000_000..1_000_060).contains(&(after - before)));
}

#[tokio::test]
async fn a_snapshot_is_restored() {
    let net = start().await;
    faucet(&net, "5").await;
    let number = control(&net, "snapshot", json!({})).await.1["result"]["snapshot"].clone();
    faucet(&net, "5").await;
    let (status, _) = control(&net, "restore", json!({ "snapshot": number })).await;
    assert_eq!(status, 200);
    assert_eq!(
        result(&net, "getAddressBalance", json!({ "address": SOMEBODY.to_string() })).await,
        "5"
    );
    assert_eq!(control(&net, "restore", json!({ "snapshot": 99 })).await.0, 404);
}

#[tokio::test]
async fn blocks_are_made_on_demand_and_hold_nothing() {
    let net = start().await;
    faucet(&net, "5").await;
    let status = async || {
        let url = format!("{}/status", net.control_url());
        reqwest::get(url).await.unwrap().json::<Value>().await.unwrap()["result"].clone()
    };
    let before = status().await;
    assert_eq!((&before["clock"], &before["snapshots"]), (&json!("manual"), &json!([])));
    let block = before["block"].as_u64().unwrap();
    let (code, mined) = control(&net, "mine", json!({})).await;
    assert_eq!((code, &mined["result"]["block"]), (200, &json!(block + 1)));
    let (_, mined) = control(&net, "mine", json!({ "blocks": 9 })).await;
    assert_eq!(mined["result"]["block"], block + 10);
    control(&net, "snapshot", json!({})).await;
    let after = status().await;
    assert_eq!(after["transactions"], before["transactions"]);
    assert_eq!((&after["now"], &after["snapshots"]), (&json!(START), &json!([1])));
    let seqno = json!({ "workchain": 0, "shard": "-9223372036854775808", "seqno": block + 10 });
    assert_eq!(
        result(&net, "getBlockTransactions", seqno.clone()).await["transactions"],
        json!([])
    );
    control(&net, "advance", json!({ "seconds": 60 })).await;
    assert_eq!(
        result(&net, "getBlockHeader", seqno).await["gen_utime"],
        START + 60,
        "nothing is newer than the newest block"
    );
    let held = json!({ "workchain": 0, "shard": "-9223372036854775808", "seqno": block });
    assert_eq!(result(&net, "getBlockHeader", held).await["gen_utime"], START);
    let (code, _) = control(&net, "mine", json!({ "blocks": crate::limits::MAX_MINED + 1 })).await;
    assert_eq!(code, 422);
    faucet(&net, "5").await;
    let newest = result(
        &net,
        "getTransactions",
        json!({ "address": SOMEBODY.to_string(), "limit": 1 }),
    )
    .await;
    let lt: u64 = newest[0]["transaction_id"]["lt"].as_str().unwrap().parse().unwrap();
    assert_eq!(cocoon_emulator::block_of(lt), u32::try_from(block).unwrap() + 11);
}

#[tokio::test]
async fn blocks_are_made_by_interval_if_that_is_wanted() {
    let net = LocalNet::start(LocalNetConfig {
        clock: Clock::Manual(START),
        block_interval: Some(Duration::from_millis(1)),
        ..LocalNetConfig::ephemeral()
    })
    .await
    .unwrap();
    let seqno = async || result(&net, "getMasterchainInfo", json!({})).await["last"]["seqno"].clone();
    let first = seqno().await;
    let moved = async {
        while seqno().await == first {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), moved).await.unwrap();
}

#[tokio::test]
async fn with_a_manual_clock_the_same_orders_make_the_same_chain() {
    let run = async || {
        let net = start().await;
        faucet(&net, "5").await;
        control(&net, "advance", json!({ "seconds": 7 })).await;
        control(&net, "mine", json!({ "blocks": 3 })).await;
        faucet(&net, "6").await["hash"].clone()
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test]
async fn wallets_read_the_prices() {
    let net = start().await;
    let all = result(&net, "getConfigAll", json!({})).await;
    let cell = |answer: &Value| {
        let bytes = answer["config"]["bytes"].as_str().unwrap();
        cocoon_bindings::ton::parse_boc_base64(bytes).unwrap()
    };
    let read = cocoon_emulator::NetworkConfig::from_config_cell(cell(&all)).unwrap();
    assert_eq!(read, cocoon_emulator::NetworkConfig::default());
    let gas = result(&net, "getConfigParam", json!({ "config_id": 21 })).await;
    assert_eq!(
        cell(&gas).as_slice().unwrap().load_u8().unwrap(),
        0xd1,
        "flat prices come first"
    );
    assert_eq!(result(&net, "getConfigParam", json!({ "param": "21" })).await, gas);
    let (code, _) = call(&net, "getConfigParam", json!({ "config_id": 99 })).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn the_faucet_has_a_limit_and_knows_its_fields() {
    let net = start().await;
    let address = SOMEBODY.to_string();
    for order in [
        json!({ "address": address, "amount": "99000000000000000000" }),
        json!({ "address": address, "amount": 5 }),
        json!({ "address": "x", "amount": "5" }),
        json!({ "address": address, "amount": "5", "more": 1 }),
        json!({}),
    ] {
        assert_eq!(control(&net, "faucet", order.clone()).await.0, 422, "{order}");
    }
    assert_eq!(control(&net, "mint", json!({})).await.0, 404);
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let net = start().await;
    let second = LocalNet::start(LocalNetConfig {
        listen: net.address(),
        ..LocalNetConfig::ephemeral()
    })
    .await;
    assert!(matches!(second, Err(LocalNetError::Listen { .. })));
}
