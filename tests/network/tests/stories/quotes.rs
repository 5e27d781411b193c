//! A price that is known before the question.

use cocoon_network_tests::{api::question, inprocess::Network};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_gives_its_price_to_one_request_and_the_receipt_shows_it() {
    let network = Network::start().await.unwrap();
    let api = network.api();
    let asked = question(network.model(), "What is Cocoon?", 12);
    let wish = json!({ "model": network.model(), "max_tokens": 12, "max_coefficient": 2000 });
    let quote = api
        .post("/v1/cocoon/quote", wish.to_string().into_bytes())
        .await
        .unwrap();
    assert_eq!(quote.status, 200, "{:#}", quote.body);
    let id = quote.body["id"].as_str().unwrap();
    assert!(quote.body["coefficient"].as_u64().unwrap() <= 2000, "{:#}", quote.body);

    let reply = api.chat_quoted(&asked, id).await.unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    assert_eq!(reply.body["object"], "chat.completion");
    let receipt = api.receipt(&reply.request_id.unwrap()).await.unwrap();
    assert_eq!(receipt.body["verified"], true, "{:#}", receipt.body);
    for name in ["coefficient", "worker_evidence"] {
        assert_eq!(receipt.body[name], quote.body[name], "{:#}", receipt.body);
    }

    let again = api.chat_quoted(&asked, id).await.unwrap();
    assert_eq!(
        (again.status, again.error_code()),
        (409, Some("quote_used")),
        "{:#}",
        again.body
    );
    let foreign = api.chat_quoted(&asked, &"0f".repeat(32)).await.unwrap();
    assert_eq!((foreign.status, foreign.error_code()), (404, Some("quote_unknown")));
    let long = question(network.model(), "What is Cocoon?", 13);
    let other = api
        .post("/v1/cocoon/quote", wish.to_string().into_bytes())
        .await
        .unwrap();
    let id = other.body["id"].as_str().unwrap();
    let refused = api.chat_quoted(&long, id).await.unwrap();
    assert_eq!(refused.status, 400, "more than was quoted: {:#}", refused.body);
    assert_eq!(
        api.chat_quoted(&asked, id).await.unwrap().status,
        200,
        "and that did not use it up"
    );
    network.stop().await.unwrap();
}
