//! A log and a mirror of it.

use serde_json::Value;

use super::stage::Stage;

/// How many receipts were counted, and the problems of the logs, by their places.
async fn told(stage: &Stage) -> (Value, Vec<Option<String>>) {
    let workers = stage.get("workers").await;
    let status = stage.get("status").await;
    let logs = status["logs"].as_array().unwrap();
    let problem = |log: &Value| log["problem"].as_str().map(str::to_owned);
    (
        workers["workers"][0]["receipts"].clone(),
        logs.iter().map(problem).collect(),
    )
}

#[tokio::test]
async fn a_mirror_that_stands_still_gives_way_to_the_log_and_nothing_is_counted_twice() {
    let mirror = tempfile::tempdir().unwrap();
    let mut stage = Stage::behind_a_mirror(mirror.path()).await;
    stage.publish(2);
    stage.copy_to(mirror.path());
    stage.take_away();
    stage.look().await;
    let (counted, problems) = told(&stage).await;
    assert_eq!((counted, &problems[0]), (2.into(), &None), "{problems:?}");
    stage.publish(3);
    stage.look().await;
    stage.look().await;
    let (counted, problems) = told(&stage).await;
    assert_eq!((counted, &problems[0]), (5.into(), &None), "{problems:?}");
    assert!(
        problems[1].as_ref().unwrap().contains("is read already"),
        "{problems:?}"
    );
    // And back, when the log is away and the mirror has all of it.
    stage.copy_to(mirror.path());
    stage.take_away();
    stage.look().await;
    stage.look().await;
    let (counted, problems) = told(&stage).await;
    assert_eq!((counted, &problems[0]), (5.into(), &None), "{problems:?}");
    assert!(problems[1].is_some());
}

#[tokio::test]
async fn a_log_that_shows_another_history_does_not_take_the_place_of_its_mirror() {
    let mirror = tempfile::tempdir().unwrap();
    let mut stage = Stage::behind_a_mirror(mirror.path()).await;
    stage.publish(2);
    stage.copy_to(mirror.path());
    stage.take_away();
    stage.look().await;
    stage.publish_another_history(3);
    for _ in 0..2 {
        stage.look().await;
        let (counted, problems) = told(&stage).await;
        assert_eq!((counted, &problems[0]), (2.into(), &None), "{problems:?}");
        assert!(problems[1].as_ref().unwrap().starts_with("REFUSED"), "{problems:?}");
    }
}
