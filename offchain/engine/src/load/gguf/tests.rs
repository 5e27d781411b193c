//! Files of the `gguf` package, and damaged ones. `scripts/models/gguf/make.py` makes the former.

use super::header::Header;
use super::open_all;
use crate::device::{BurnDevice, CpuDevice, Device, WeightFormat};
use crate::error::{EngineError, GgufError};
use crate::kernels::matrix::{BLOCK, PackedMatrix};
use crate::load::{Weights, read_spec};
use crate::model::{BlockId, Checkpoint, Executor, LoadOptions, Part, Piece, Source, Transformer, Wanted};
use burn::backend::Flex;
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MODELS: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    sha256: String,
}

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gguf").join(model)
}

fn expected(model: &str) -> BTreeMap<String, Expected> {
    let bytes = std::fs::read(folder(model).join("expected.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn llama() -> Vec<u8> {
    std::fs::read(folder("llama").join("model.gguf")).unwrap()
}

/// What opening a folder with this one file says.
fn refusal(bytes: &[u8]) -> GgufError {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.gguf"), bytes).unwrap();
    match open_all(folder.path()) {
        Err(EngineError::Gguf { source, .. }) => source,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("nothing was refused"),
    }
}

#[test]
fn every_tensor_has_the_numbers_of_the_gguf_package() {
    for model in MODELS {
        let mut weights = Weights::open(&folder(model)).unwrap();
        for (name, expected) in expected(model) {
            let source = Source::from(Part::new(&name, &expected.shape));
            let numbers = weights.numbers(&source).unwrap();
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            assert_eq!(hex::encode(Sha256::digest(bytes)), expected.sha256, "{model} {name}");
        }
        weights.finish().unwrap();
    }
}

#[test]
fn blocks_become_those_of_the_packed_matrix() {
    for (model, format) in [("mistral", WeightFormat::Q4), ("qwen2", WeightFormat::Q8)] {
        let mut weights = Weights::open(&folder(model)).unwrap();
        let of = |part: &str, rows| Part::new(format!("model.layers.0.self_attn.{part}_proj.weight"), &[rows, 32]);
        // Queries and keys of mistral are interleaved in the file.
        let source = Source::stacked([
            of("q", 32),
            of("k", 16).rows(3..12),
            of("v", 16).in_order(vec![2, 0, 1]),
        ]);
        let numbers = weights.numbers(&source).unwrap();
        let rows = weights.matrix(&source).unwrap();
        assert_eq!(rows.stored_blocks(), Some(format));
        let matrix = PackedMatrix::pack(rows.as_ref(), None, format).unwrap();
        let mut row = [0.0; 32];
        for (number, expected) in numbers.chunks_exact(32).enumerate() {
            matrix.gather(number, &mut row);
            assert_eq!(row, expected, "{model} {number}");
        }
        drop(rows);
        let transposed = Source::from(of("q", 32).transposed());
        assert_eq!(weights.matrix(&transposed).unwrap().stored_blocks(), None);
    }
    let mut mixed = Weights::open(&folder("llama")).unwrap();
    let part = |name: &str| Part::new(format!("model.layers.0.{name}.weight"), &[64, 32]);
    let source = Source::stacked([part("mlp.gate_proj"), part("mlp.up_proj")]);
    assert_eq!(mixed.matrix(&source).unwrap().stored_blocks(), None);
}

/// Logits after a short prompt.
fn logits(model: &str, device: impl Device, format: WeightFormat) -> Vec<f32> {
    let spec = read_spec(&folder(model).join("config.json")).unwrap();
    let mut weights = Weights::open(&folder(model)).unwrap();
    let options = LoadOptions {
        format,
        positions: 64,
        blocks: 2,
    };
    let mut transformer = Transformer::load(&spec, &mut weights, device, options).unwrap();
    weights.finish().unwrap();
    let piece = Piece {
        tokens: (0..40).collect(),
        start: 0,
        blocks: vec![BlockId(1), BlockId(0)],
        wanted: Wanted::Logits,
    };
    transformer.run(&[piece]).unwrap().remove(0).unwrap()
}

#[test]
fn models_run_on_their_own_blocks() {
    for (model, format) in [
        ("llama", WeightFormat::F32),
        ("mistral", WeightFormat::Q4),
        ("qwen2", WeightFormat::Q8),
        ("qwen3", WeightFormat::Q4),
    ] {
        let plain = logits(model, BurnDevice::<Flex>::new(), WeightFormat::F32);
        let scale = plain.iter().fold(0.0_f32, |scale, logit| scale.max(logit.abs()));
        let burn = logits(model, BurnDevice::<Flex>::new(), format);
        assert_eq!(burn, plain, "{model}: blocks are what they are");
        // Inputs are rounded to bytes beside blocks.
        let tolerance = if format == WeightFormat::F32 { 1e-5 } else { 0.05 };
        for (one, other) in logits(model, CpuDevice::new(2, false), format).iter().zip(&plain) {
            assert!((one - other).abs() <= tolerance * scale, "{model}: {one} {other}");
        }
    }
}

#[test]
fn version_2_is_read_and_others_are_named() {
    let mut bytes = llama();
    bytes[4] = 2;
    assert_eq!(Header::read(&bytes).unwrap().architecture, "llama");
    bytes[4] = 1;
    assert_eq!(refusal(&bytes), GgufError::Version { found: 1 });
    bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
    assert_eq!(refusal(&bytes), GgufError::Version { found: 3 << 24 });
    assert_eq!(refusal(b"safetensors"), GgufError::Magic);
    assert!(matches!(refusal(b""), GgufError::Cut { at: 0 }));
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    // The type of the first matrix stands behind its name, its dimensions and their number.
    let (mut bytes, name) = (llama(), b"token_embd.weight");
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
    assert_eq!(bytes[at..at + 4], 8_u32.to_le_bytes());
    bytes[at] = 14;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.gguf"), &bytes).unwrap();
    let mut weights = Weights::open(folder.path()).unwrap();
    let source = Source::from(Part::new("model.embed_tokens.weight", &[48, 32]));
    assert!(matches!(weights.numbers(&source), Err(EngineError::TensorType { dtype, .. }) if dtype == "Q6_K"));

    let mut other = llama();
    let at = other.windows(5).position(|window| window == b"llama").unwrap();
    other[at..at + 5].copy_from_slice(b"gamma");
    assert_eq!(
        refusal(&other),
        GgufError::Architecture {
            found: "gamma".to_owned()
        }
    );
}

#[test]
fn parts_are_all_there_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let part = |number| format!("model-0000{number}-of-00003.gguf");
    for number in [1, 2] {
        std::fs::copy(
            self::folder("qwen3").join(part(number)),
            folder.path().join(part(number)),
        )
        .unwrap();
    }
    let found = Weights::open(folder.path()).map(drop);
    let parts = GgufError::Parts { expected: 3, found: 2 };
    assert!(matches!(found, Err(EngineError::Gguf { source, .. }) if source == parts));
    // Files of two models.
    for name in ["a.gguf", "b.gguf"] {
        std::fs::write(folder.path().join(name), llama()).unwrap();
    }
    assert!(matches!(
        Weights::open(folder.path()),
        Err(EngineError::Gguf {
            source: GgufError::Parts { .. },
            ..
        })
    ));
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let bytes = llama();
    let data = (2000..bytes.len()).step_by(501).chain([bytes.len() - 1]);
    for end in (0..2000).step_by(7).chain(data) {
        let source = refusal(&bytes[..end]);
        assert!(
            matches!(source, GgufError::Cut { .. } | GgufError::Outside { .. }),
            "{end}: {source}"
        );
    }
}

/// Opening ends with an answer, and so does reading whatever is there.
fn is_total(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.gguf"), bytes).unwrap();
    let Ok(files) = open_all(folder.path()) else { return };
    for (_, file) in files {
        for name in file.names() {
            if let Ok(Some(tensor)) = file.tensor(&name) {
                let mut numbers = vec![0.0; tensor.columns()];
                let rows = tensor.len() / tensor.columns();
                for row in 0..rows {
                    tensor.read(row, 0..numbers.len(), &mut numbers);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_get_an_answer(rest in prop::collection::vec(any::<u8>(), 0..300), tensors in 0_u64..4, keys in 0_u64..4) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(keys.to_le_bytes());
        bytes.extend(rest);
        is_total(&bytes);
    }

    #[test]
    fn changed_bytes_of_a_file_get_an_answer(changes in prop::collection::vec((0_usize..1700, any::<u8>()), 1..6)) {
        let mut bytes = llama();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        is_total(&bytes);
    }

    #[test]
    fn rows_of_blocks_are_the_same_read_whole_or_in_part(row in 0_usize..32, from in 0_usize..32, count in 0_usize..32) {
        let files = open_all(&folder("mistral")).unwrap();
        let tensor = files[0].1.tensor("model.layers.0.self_attn.q_proj.weight").unwrap().unwrap();
        let (mut whole, to) = ([0.0; BLOCK], (from + count).min(BLOCK));
        tensor.read(row, 0..BLOCK, &mut whole);
        let mut part = vec![0.0; to - from.min(to)];
        tensor.read(row, from.min(to)..to, &mut part);
        prop_assert_eq!(&whole[from.min(to)..to], &part[..]);
    }
}
