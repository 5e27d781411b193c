//! Whoever was given one exchange and has the model checks that the answer is the model's, bit for bit.

use std::path::Path;

use cocoon_network_tests::api::question;
use cocoon_network_tests::process::Processes;
use serde_json::{Value, json};

fn kept(folder: &Path, receipt: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(format!("{receipt}.json"))).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosed_answer_is_computed_once_more_and_is_the_same() {
    let mut network = Processes::deploy().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    network.keep_disclosures(folder.path()).unwrap();
    network.use_cheap_work().unwrap();
    let api = network.start_all().await.unwrap();
    let model = network.network().model.clone();

    // Whole: the very bytes. No seed is asked for, so the one of the receipt counts.
    let mut asked = question(&model, "Tell me a story", 24);
    asked["temperature"] = json!(1.1);
    let whole = api.chat(&asked).await.unwrap();
    assert_eq!(whole.status, 200, "{:#}", whole.body);
    let request_id = whole.request_id.unwrap();
    let receipt = api.receipt(&request_id).await.unwrap().body;
    let id = receipt["id"].as_str().unwrap().to_owned();
    let file = folder.path().join(format!("{id}.json"));
    let line = ["audit", "replay", file.to_str().unwrap()];
    let (code, printed, told) = network.run(&line).await.unwrap();
    assert_eq!(
        (code, &printed["verdict"]),
        (Some(0), &json!("identical")),
        "{printed:#} {told}"
    );
    assert_eq!(printed["receipt"], receipt["id"]);
    assert_eq!(printed["is_signed"], true);
    assert_eq!(printed["seed"], receipt["seed"]);

    // Streamed: the same content.
    let mut events = api.stream(&asked).await.unwrap();
    let request_id = events.request_id().unwrap();
    while events.next().await.is_some() {}
    let receipt = api.receipt(&request_id).await.unwrap().body;
    let id = receipt["id"].as_str().unwrap().to_owned();
    let file = folder.path().join(format!("{id}.json"));
    let (code, printed, told) = network.run(&["audit", "replay", file.to_str().unwrap()]).await.unwrap();
    assert_eq!(
        (code, &printed["verdict"]),
        (Some(0), &json!("same_content")),
        "{printed:#} {told}"
    );

    // By another key, the receipt is nobody's.
    let (code, _, told) = network
        .run(&[
            "audit",
            "replay",
            file.to_str().unwrap(),
            "--proxy-key",
            &"07".repeat(32),
        ])
        .await
        .unwrap();
    assert_eq!(code, Some(5), "{told}");

    // Another answer than was given does not belong to the receipt.
    let mut document = kept(folder.path(), &id);
    document["response"] = json!("AAAA");
    std::fs::write(&file, document.to_string()).unwrap();
    let (code, _, told) = network.run(&["audit", "replay", file.to_str().unwrap()]).await.unwrap();
    assert_eq!(code, Some(5), "{told}");
    assert!(
        told.contains("the response is not the one that the receipt was made for"),
        "{told}"
    );
    assert!(told.contains("hint: "), "{told}");

    // Only the owner of the files may read them.
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
