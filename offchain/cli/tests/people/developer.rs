//! A developer calls the API as any OpenAI client does, and takes what is more: firm prices and receipts.

use serde_json::{Value, json};

use super::person::{Answer, Person};
use crate::network::Network;

pub(crate) fn story(network: &Network) {
    let developer = Person::new(network);
    let model = developer.its("MODEL");

    // What is there?
    let models = developer
        .fetches(&format!("{}/v1/models", developer.its("CLIENT_URL")))
        .json();
    assert_eq!(models["data"][0]["id"], model.as_str());

    // A question; the receipt is waited for.
    let asked = |more: Value, headers: &[(&str, &str)]| -> Answer {
        let mut body = json!({
            "model": model, "max_tokens": 16,
            "messages": [{ "role": "user", "content": "What is a channel?" }],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        developer.posts("/v1/chat/completions", headers, &body)
    };
    let answer = asked(json!({}), &[("x-cocoon-receipt", "wait")]);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json();
    assert!(!told["choices"][0]["message"]["content"].as_str().unwrap().is_empty());
    assert!(told["usage"]["completion_tokens"].as_u64().unwrap() <= 16, "{told}");

    // The same, word by word.
    let streamed = asked(json!({ "stream": true }), &[]);
    assert!(
        streamed.text.contains("data: {") && streamed.text.trim_end().ends_with("data: [DONE]"),
        "{}",
        streamed.text
    );

    // Mistakes come in the shape that OpenAI's libraries read.
    let wrong = asked(json!({ "model": "acme/nothing" }), &[]);
    assert_eq!(
        (wrong.status, &wrong.json()["error"]["code"]),
        (404, &"model_not_found".into())
    );

    // A price that is held, and a request for which it counts.
    let quote = developer.gets("quote --max-tokens 64");
    let id = quote["id"].as_str().unwrap();
    let bought = asked(json!({}), &[("x-cocoon-quote", id), ("x-cocoon-receipt", "wait")]);
    assert_eq!(bought.status, 200, "{}", bought.text);

    // The receipt says what was charged, and everybody can check it.
    let receipt = answer.receipt.unwrap();
    let page = developer.fetches(&format!("{}/v1/cocoon/receipts/{receipt}", developer.its("CLIENT_URL")));
    assert_eq!(page.status, 200, "{}", page.text);
    developer.write("page.json", &page.text);
    let published = format!("verify receipt {receipt} --from {}/log", developer.its("NET"));
    developer.waits_until("the receipt is in the log", || {
        developer.types(&published).status.success()
    });
    let proven = developer.gets("verify receipt page.json");
    assert_eq!(
        (&proven["verdict"], &proven["receipt"]),
        (&"proven".into(), &receipt.as_str().into())
    );
}
