use super::*;
use crate::options::EngineOptions;
use crate::{load_embedder, tiny};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// The tiny model, read as one that makes vectors.
fn embedder(options: &EngineOptions) -> Embedder {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    let modules = r#"[{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"},
        {"path": "2_Normalize", "type": "Normalize"}]"#;
    std::fs::write(folder.path().join("modules.json"), modules).unwrap();
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let pooling = folder.path().join("1_Pooling/config.json");
    std::fs::write(pooling, r#"{"pooling_mode": "mean"}"#).unwrap();
    load_embedder(folder.path(), options).unwrap().into_embedder()
}

type Answer = Result<Vec<Embedding>, EngineError>;

fn submit(handle: &EmbedderHandle, request: EmbeddingRequest) -> (Ticket, Receiver<Answer>) {
    let (sender, receiver) = channel();
    let sink = Box::new(move |answer| drop(sender.send(answer)));
    (handle.submit(request, sink).unwrap(), receiver)
}

fn text(text: &str) -> EmbeddingInput {
    EmbeddingInput::Text(text.to_owned())
}

#[test]
fn vectors_are_the_same_alone_and_among_others() {
    let options = EngineOptions {
        max_step_tokens: 16,
        max_num_seqs: 1,
        ..EngineOptions::default()
    };
    let mut alone = embedder(&options);
    let handle = EmbedderHandle::spawn(embedder(&options), 64).unwrap();
    let long = "What is a cocoon? ".repeat(20);
    let texts = ["Hello!", "What is Cocoon?", long.as_str(), "a"];
    let asked: Vec<_> = (0..12)
        .map(|number| {
            let inputs = (0..=number % 4).map(|at| text(texts[(number + at) % 4])).collect();
            let payer = Some(Payer::from([number as u8 % 3; 32]));
            let request = EmbeddingRequest {
                payer,
                dimensions: (number % 2 == 0).then_some(8),
                ..EmbeddingRequest::new(inputs)
            };
            (request.clone(), submit(&handle, request))
        })
        .collect();
    for (request, (_ticket, answer)) in asked {
        let found = answer.recv_timeout(LIMIT).unwrap().unwrap();
        assert_eq!(found, alone.embed(&request.inputs, request.dimensions).unwrap());
    }
    let load = handle.load();
    assert_eq!(
        (load.active, load.is_alive, load.time_to_first_token.count()),
        (0, true, 12)
    );
    assert_eq!((load.occupancy.running, load.occupancy.waiting), (0, 0));
    assert!(load.occupancy.prompt_tokens > 200);
}

#[test]
fn a_refused_request_hears_why_and_the_others_go_on() {
    let handle = EmbedderHandle::spawn(embedder(&EngineOptions::default()), 64).unwrap();
    let refused = |request| submit(&handle, request).1.recv_timeout(LIMIT).unwrap().unwrap_err();
    let unknown = EmbeddingRequest::new(vec![EmbeddingInput::Tokens(vec![u32::MAX])]);
    assert!(matches!(refused(unknown), EngineError::UnknownToken { .. }));
    let (_ticket, answer) = submit(
        &handle,
        EmbeddingRequest {
            dimensions: Some(1_000_000),
            ..EmbeddingRequest::new(vec![text("a"), text("b")])
        },
    );
    let error = answer.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert!(matches!(error, EngineError::Parameter { name: "dimensions", .. }));
    let late = EmbeddingRequest {
        deadline: Some(Instant::now()),
        ..EmbeddingRequest::new(vec![text("a")])
    };
    let (_ticket, answer) = submit(&handle, late);
    assert!(matches!(
        answer.recv_timeout(LIMIT).unwrap().unwrap_err(),
        EngineError::Overloaded
    ));
    let none = handle.submit(EmbeddingRequest::new(Vec::new()), Box::new(|_| {}));
    assert!(matches!(none, Err(EngineError::Parameter { name: "input", .. })));
    let (_ticket, answer) = submit(&handle, EmbeddingRequest::new(vec![text("a")]));
    assert_eq!(answer.recv_timeout(LIMIT).unwrap().unwrap().len(), 1);
    assert_eq!(handle.load().active, 0);
}

#[test]
fn a_request_that_is_given_up_is_not_worked_on() {
    let handle = EmbedderHandle::spawn(embedder(&EngineOptions::default()), 64).unwrap();
    let many = vec![text(&"What is a cocoon? ".repeat(8)); 2048];
    let (ticket, given_up) = submit(&handle, EmbeddingRequest::new(many));
    drop(ticket);
    // The sink goes with the request.
    assert!(given_up.recv_timeout(LIMIT).is_err());
    let (_ticket, answer) = submit(&handle, EmbeddingRequest::new(vec![text("a")]));
    answer.recv_timeout(LIMIT).unwrap().unwrap();
    assert_eq!(handle.load().active, 0);
    assert!(handle.load().occupancy.prompt_tokens < 2048 * 20);
}

#[test]
fn more_than_may_wait_are_refused_at_once() {
    let options = EngineOptions {
        max_waiting: 0,
        ..EngineOptions::default()
    };
    let handle = EmbedderHandle::spawn(embedder(&options), 64).unwrap();
    let (_ticket, answer) = submit(&handle, EmbeddingRequest::new(vec![text("a")]));
    let error = answer.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert!(matches!(error, EngineError::QueueFull { limit: 0 }));
}
