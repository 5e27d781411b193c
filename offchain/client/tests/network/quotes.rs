//! Firm quotes over HTTP: asked for, checked, used.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use crate::common::{Options, World, chat_body, error_of};
use serde_json::{Value, json};

const ID: &str = "abababababababababababababababababababababababababababababababab";

async fn quote(world: &World, wish: &Value) -> reqwest::Response {
    world.post("/v1/cocoon/quote", wish.to_string()).await
}

async fn quoted_chat(world: &World, id: &str, fields: &str) -> reqwest::Response {
    let post = world.http.post(world.url("/v1/chat/completions"));
    post.header("x-cocoon-quote", id)
        .body(chat_body(fields))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_quote_is_shown_and_the_request_that_names_it_goes_to_its_proxy_at_its_price() {
    let world = World::new(Options::default()).await;
    assert_eq!(
        error_of(quoted_chat(&world, ID, "").await).await,
        (404, "quote_unknown".to_owned())
    );
    let shown: Value = quote(&world, &json!({ "model": "tiny", "max_tokens": 70 }))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!((&shown["id"], &shown["coefficient"]), (&json!(ID), &json!(1500)));
    assert_eq!(
        (&shown["max_tokens"], &shown["model"]),
        (&json!(70), &json!("tiny@1:2"))
    );
    assert_eq!(shown["expected_first_token_seconds"], json!(0.25));
    assert_eq!(
        error_of(quoted_chat(&world, "xyz", "").await).await,
        (400, "invalid_value".to_owned())
    );
    let dear = quoted_chat(&world, ID, r#","max_coefficient":1499"#).await;
    assert_eq!(error_of(dear).await, (400, "invalid_value".to_owned()));

    for (code, status, name) in [
        (713, 410, "quote_expired"),
        (712, 409, "quote_used"),
        (711, 404, "quote_unknown"),
    ] {
        let (response, ()) = tokio::join!(quoted_chat(&world, ID, r#","max_tokens":70"#), async {
            let request = world.proxy.request().await;
            assert_eq!((request.quote, request.query.max_coefficient), (Some([0xab; 32]), 1500));
            assert_eq!(request.query.max_tokens, 70);
            request.refuse(code, "this quote cannot be used").await;
        });
        assert_eq!(error_of(response).await, (status, name.to_owned()));
    }
    // Without the header nothing is different.
    let (response, ()) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        assert_eq!((request.quote, request.query.max_coefficient), (None, 4000));
        request.refuse(701, "unknown model").await;
    });
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn quotes_that_do_not_verify_cost_too_much_or_are_not_to_be_had_are_errors() {
    let forged = Options {
        forged_quote: true,
        ..Options::default()
    };
    let world = World::new(forged).await;
    let response = quote(&world, &json!({ "model": "tiny" })).await;
    assert_eq!(error_of(response).await, (502, "bad_gateway".to_owned()));
    assert_eq!(
        error_of(quoted_chat(&world, ID, "").await).await.0,
        404,
        "it is not kept"
    );

    let world = World::new(Options::default()).await;
    let response = quote(&world, &json!({ "model": "tiny", "max_coefficient": 1499 })).await;
    assert_eq!(error_of(response).await, (502, "bad_gateway".to_owned()));
    for wrong in [
        json!({ "max_tokens": 1 }),
        json!({ "model": "tiny", "moddel": 1 }),
        json!([]),
    ] {
        assert_eq!(
            error_of(quote(&world, &wrong).await).await,
            (400, "invalid_json".to_owned())
        );
    }
    let old = Options {
        version: 2,
        ..Options::default()
    };
    let world = World::new(old).await;
    let response = quote(&world, &json!({ "model": "tiny" })).await;
    assert_eq!(error_of(response).await, (502, "bad_gateway".to_owned()));
}
