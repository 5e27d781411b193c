//! Version 3 of the API, and what of version 2 converts and looks up, as clients see them.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellFamily as _, HashBytes, friendly};
use cocoon_bindings::units::Nanoton;
use serde_json::{Value, json};

use super::{SOMEBODY, START, faucet, post, result, start};
use crate::RunningLocalNet;

const OTHER: Address = Address::new(0, HashBytes([2; 32]));

async fn get(net: &RunningLocalNet, path: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v3/{path}", net.address());
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn found(net: &RunningLocalNet, path: &str) -> Value {
    let (status, answer) = get(net, path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// A message with coins that comes back, since nobody is there.
fn bouncing(net: &RunningLocalNet) {
    let message = InternalMessage {
        to: OTHER,
        value: Nanoton::from_ton(1),
        bounce: true,
        body: Cell::empty_cell(),
        state_init: None,
    };
    net.with(|chain| {
        chain.send_internal(&SOMEBODY, &message)?;
        chain.run()
    })
    .unwrap();
}

#[tokio::test]
async fn accounts_are_told_in_the_shape_of_version_3() {
    let net = start().await;
    faucet(&net, "1500000000").await;
    let states = found(&net, &format!("accountStates?address={SOMEBODY}&address={OTHER}")).await;
    let (first, second) = (&states["accounts"][0], &states["accounts"][1]);
    assert_eq!(
        (&first["balance"], &first["status"]),
        (&json!("1500000000"), &json!("uninit"))
    );
    assert_eq!(first["address"], SOMEBODY.to_string().to_uppercase());
    assert_eq!(
        (&second["status"], &second["last_transaction_lt"]),
        (&json!("nonexist"), &json!("0"))
    );
    let friendly = friendly(&SOMEBODY, true, false);
    let one = found(&net, &format!("addressInformation?address={friendly}&use_v2=false")).await;
    assert_eq!(one["balance"], "1500000000");
    let wallet = found(&net, &format!("walletInformation?address={SOMEBODY}")).await;
    assert_eq!((&wallet["status"], &wallet["seqno"]), (&json!("uninit"), &Value::Null));
    let info = found(&net, "masterchainInfo").await;
    assert_eq!(info["last"]["gen_utime"], START.to_string());
    net.with(|chain| chain.advance(300)).unwrap();
    let later = found(&net, "masterchainInfo").await;
    assert_eq!(later["last"]["seqno"], info["last"]["seqno"]);
    assert_eq!(
        later["last"]["gen_utime"],
        (START + 300).to_string(),
        "time goes on while nothing happens"
    );
}

#[tokio::test]
async fn transactions_messages_and_traces_are_found() {
    let net = start().await;
    faucet(&net, "5").await;
    bouncing(&net);
    let all = found(&net, "transactions?sort=asc").await;
    let all = all["transactions"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    let (paid, failed, back) = (&all[0], &all[1], &all[2]);
    assert_eq!(failed["description"]["compute_ph"]["reason"], "no_state");
    assert_eq!(back["in_msg"]["bounced"], true);
    let page = found(&net, &format!("transactions?account={SOMEBODY}&limit=1")).await;
    assert_eq!(page["transactions"], json!([back]), "newest first");
    let page = found(&net, &format!("transactions?account={SOMEBODY}&limit=1&offset=1")).await;
    assert_eq!(page["transactions"], json!([paid]));
    let encode = |text: &Value| {
        text.as_str()
            .unwrap()
            .replace('+', "%2B")
            .replace('=', "%3D")
            .replace('/', "%2F")
    };
    let by_hash = found(&net, &format!("transactions?hash={}", encode(&failed["hash"]))).await;
    assert_eq!(by_hash["transactions"], json!([failed]));
    let since = found(
        &net,
        &format!(
            "transactions?start_lt={}&end_lt={}",
            failed["lt"].as_str().unwrap(),
            u64::MAX
        ),
    )
    .await;
    assert_eq!(since["transactions"], json!([back, failed]));

    let message = encode(&back["in_msg"]["hash"]);
    let ends = found(&net, &format!("transactionsByMessage?msg_hash={message}")).await;
    assert_eq!(ends["transactions"], json!([back, failed]), "received and sent");
    let receiver = found(&net, &format!("transactionsByMessage?msg_hash={message}&direction=in")).await;
    assert_eq!(receiver["transactions"], json!([back]));
    let messages = found(&net, &format!("messages?source={OTHER}")).await;
    let messages = messages["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (&messages[0]["in_msg_tx_hash"], &messages[0]["out_msg_tx_hash"]),
        (&back["hash"], &failed["hash"])
    );

    let traces = found(&net, &format!("traces?tx_hash={}", encode(&back["hash"]))).await;
    let trace = &traces["traces"][0];
    assert_eq!(
        (&trace["trace_id"], &trace["is_incomplete"]),
        (&failed["hash"], &json!(false))
    );
    assert_eq!(trace["trace"]["children"][0]["tx_hash"], back["hash"]);
    assert_eq!(trace["transactions"].as_object().unwrap().len(), 2);
    let blocks = found(&net, "blocks?workchain=0&limit=2").await;
    assert_eq!(blocks["blocks"][0]["seqno"], back["mc_block_seqno"]);
    assert_eq!(blocks["blocks"][0]["tx_count"], 2);
    net.with(|chain| {
        chain.start_block();
        chain.advance(60)
    })
    .unwrap();
    let since = START + 1;
    let newer = found(&net, &format!("blocks?workchain=0&start_utime={since}")).await;
    let newer = newer["blocks"].as_array().unwrap();
    assert_eq!(
        (newer.len(), &newer[0]["tx_count"]),
        (1, &json!(0)),
        "empty ones are found by their time"
    );
    assert_eq!(newer[0]["gen_utime"], (START + 60).to_string());
}

#[tokio::test]
async fn malformed_questions_are_answered_in_the_shape_of_version_3() {
    let net = start().await;
    for (path, code) in [
        ("nothing", 404),
        ("accountStates", 422),
        ("accountStates?address=EQ", 422),
        ("transactions?sort=up", 422),
        ("transactions?limit=-1", 422),
        ("transactionsByMessage", 422),
        ("messages?opcode=x", 422),
        ("blocks?shard=4000000000000000", 404),
        ("message", 405),
        ("runGetMethod", 405),
    ] {
        let (status, answer) = get(&net, path).await;
        assert_eq!((status, &answer["code"]), (code, &json!(code)), "{path}: {answer}");
        assert!(answer["error"].is_string());
    }
    let url = |route: &str| format!("http://{}/api/v3/{route}", net.address());
    for (route, body, code) in [
        ("transactions", "{}", 405),
        ("message", "{}", 422),
        ("message", "{", 400),
        ("runGetMethod", r#"{"address":"0:00","method":"x","stack":[1]}"#, 422),
    ] {
        let (status, answer) = post(&url(route), body).await;
        assert_eq!((status, &answer["code"]), (code, &json!(code)), "{route}: {answer}");
    }
}

#[tokio::test]
async fn version_2_converts_addresses_and_looks_up_blocks() {
    let net = start().await;
    faucet(&net, "7").await;
    let (raw, packed) = (SOMEBODY.to_string(), friendly(&SOMEBODY, true, false));
    assert_eq!(
        result(&net, "packAddress", json!({ "address": raw })).await,
        json!(packed)
    );
    assert_eq!(
        result(&net, "unpackAddress", json!({ "address": packed })).await,
        json!(raw)
    );
    for (given, kind) in [
        (raw.clone(), "raw_form"),
        (packed.clone(), "friendly_bounceable"),
        (friendly(&SOMEBODY, false, false), "friendly_non_bounceable"),
    ] {
        let detected = result(&net, "detectAddress", json!({ "address": given })).await;
        assert_eq!(
            (&detected["given_type"], &detected["raw_form"]),
            (&json!(kind), &json!(raw))
        );
        assert_eq!(detected["bounceable"]["b64url"], packed);
    }
    let last = result(&net, "getMasterchainInfo", json!({})).await["last"]["seqno"].clone();
    let consensus = result(&net, "getConsensusBlock", json!({})).await;
    assert_eq!(
        (&consensus["consensus_block"], &consensus["timestamp"]),
        (&last, &json!(START))
    );
    let place = json!({ "workchain": 0, "shard": "-9223372036854775808", "unixtime": START });
    assert_eq!(result(&net, "lookupBlock", place).await["seqno"], last);
    let block = json!({ "workchain": 0, "shard": "-9223372036854775808", "seqno": last });
    let listed = result(&net, "getBlockTransactionsExt", block).await;
    assert_eq!(listed["transactions"][0]["in_msg"]["value"], "7");
    let extended = result(&net, "getExtendedAddressInformation", json!({ "address": raw })).await;
    assert_eq!(extended["account_state"]["@type"], "uninited.accountState");
    let wallet = result(&net, "getWalletInformation", json!({ "address": raw })).await;
    assert_eq!((&wallet["wallet"], &wallet["balance"]), (&json!(false), &json!("7")));
}
