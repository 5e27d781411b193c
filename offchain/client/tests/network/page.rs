//! The page and what it shows, before and after its configuration was read again.

#![allow(clippy::unwrap_used, reason = "a test that fails, fails loudly")]

use cocoon_client::PageConfig;
use serde_json::{Value, json};

use crate::common::{Options, World};

const NOTHING: PageConfig = PageConfig {
    enabled: false,
    wallet: false,
    network: false,
};

/// Reads a configuration again whose `[page]` says this; the answer of the socket.
async fn reload(world: &World, page: &str) -> Value {
    let text = format!(
        "data_dir = \"client\"\n[chain]\nurl = \"http://127.0.0.1:1\"\nroot = \"0:00\"\n\
         [wallet]\nkey_file = \"wallet.key\"\nowner = \"0:00\"\n[page]\n{page}"
    );
    std::fs::write(world.folder.path().join("client.toml"), text).unwrap();
    let socket = world.folder.path().join("client/admin.sock");
    let operator = reqwest::Client::builder()
        .unix_socket(socket)
        .no_proxy()
        .build()
        .unwrap();
    let answer = operator.post("http://client/admin/reload").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// The parts that the page is told of, and whether there is something at the paths of the page, the wallet and the network.
async fn shown(world: &World) -> (Value, [bool; 4]) {
    let page: Value = world.get("/v1/cocoon/page").await.json().await.unwrap();
    let mut found = Vec::new();
    for path in [
        "/",
        "/assets/index.html",
        "/v1/cocoon/balance",
        "/v1/cocoon/network/status",
    ] {
        found.push(!matches!(world.get(path).await.status().as_u16(), 403 | 404));
    }
    (page["parts"].clone(), found.try_into().unwrap())
}

#[tokio::test]
async fn a_reload_counts_for_the_page_at_once() {
    let options = Options {
        page: NOTHING,
        ..Options::default()
    };
    for (options, first) in [(Options::default(), true), (options, false)] {
        let world = World::unconnected(options).await;
        let everything = (json!(["chat", "wallet", "network"]), [true; 4]);
        let nothing = (json!(["chat"]), [false; 4]);
        let (before, after) = match first {
            true => (everything, nothing),
            false => (nothing, everything),
        };
        assert_eq!(shown(&world).await, before);
        let other = !first;
        let told = reload(
            &world,
            &format!("enabled = {other}\nwallet = {other}\nnetwork = {other}"),
        )
        .await;
        let listed = |list: &str| told[list].to_string().contains("page");
        assert!(listed("applied") && !listed("needs_restart"), "{told}");
        assert_eq!(shown(&world).await, after);
        reload(
            &world,
            &format!("enabled = {first}\nwallet = {first}\nnetwork = {first}"),
        )
        .await;
        assert_eq!(shown(&world).await, before);
    }
}
