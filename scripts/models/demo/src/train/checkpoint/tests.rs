use crate::chat::Chats;
use crate::corpus::Corpus;
use crate::model::Model;
use crate::shape::Shape;
use crate::tokens::Tokens;
use crate::train::{Plan, train};
use burn::backend::{Autodiff, Flex};
use std::path::Path;

/// Interrupted after a checkpoint and resumed, a training gives the numbers of one that was not.
#[test]
fn a_resumed_training_ends_where_an_uninterrupted_one_does() {
    let corpus = Corpus::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap();
    let tokens = Tokens::train(512, &corpus.texts()).unwrap();
    let chats = Chats::new(&corpus, &tokens, 3);
    let shape = Shape {
        vocabulary: 512,
        hidden: 8,
        intermediate: 8,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        head_dim: 4,
        positions: 1024,
    };
    let folder = std::env::temp_dir().join(format!("cocoon-demo-checkpoint-{}", std::process::id()));
    let device = Default::default();
    let run = |steps, rate, checkpoints: bool, resume| {
        let plan = Plan {
            seed: 3,
            steps,
            budget: None,
            chats: 2,
            threads: 2,
            rate,
            checkpoints: checkpoints.then(|| folder.clone()),
            resume,
        };
        let outcome = train::<Autodiff<Flex>>(&plan, &shape, &tokens, &chats, &device).unwrap();
        assert!(outcome.loss.is_finite());
        outcome.model.named_tensors().unwrap()
    };
    let whole = run(super::EVERY + 20, 1e-3, true, false);
    let resumed = run(super::EVERY + 20, 1e-3, true, true);
    assert_eq!(whole, resumed);
    let start = Model::<Flex>::new(&shape, &device).named_tensors().unwrap();
    assert_ne!(whole["model.embed_tokens.weight"], start["model.embed_tokens.weight"]);
    std::fs::remove_dir_all(&folder).unwrap();
}
