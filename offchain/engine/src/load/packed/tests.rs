//! Packed folders against the folders that they were made from, and damaged ones.

use super::contents::{Contents, Entry, Kind};
use super::{FILE, FRONT, PAGE, build_model};
use crate::device::WeightFormat;
use crate::error::{EngineError, PackedError};
use crate::kernels::matrix::PANEL;
use crate::load::{LoadedModel, Progress, inspect_model, load_model, load_model_with, plan_memory};
use crate::model::{BlockId, Executor, Piece, Wanted};
use crate::options::{ComputeDevice, EngineOptions};
use crate::tiny;
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

fn tiny_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    folder
}

fn options(weight_format: WeightFormat, device: ComputeDevice) -> EngineOptions {
    EngineOptions {
        weight_format,
        device,
        max_kv_tokens: 128,
        max_step_tokens: 64,
        threads: NonZeroUsize::new(2),
        ..EngineOptions::default()
    }
}

fn built(folder: &Path, out: &Path, format: WeightFormat) -> Vec<Progress> {
    let mut seen = Vec::new();
    let threads = NonZeroUsize::new(3);
    build_model(folder, out, format, threads, &mut |progress| seen.push(progress)).unwrap();
    seen
}

/// The bits of logits after some tokens.
fn bits(mut model: LoadedModel) -> Vec<u32> {
    let piece = Piece {
        tokens: (7..47).collect(),
        start: 0,
        blocks: vec![BlockId(2), BlockId(1)],
        wanted: Wanted::Logits,
    };
    let logits = model.executor.run(&[piece]).unwrap().remove(0).unwrap();
    logits.into_iter().map(f32::to_bits).collect()
}

/// Packing now and packing then give the same numbers on the CPU device.
fn same_numbers(folder: &Path, format: WeightFormat) {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    built(folder, &out, format);
    let wanted = bits(load_model(folder, options(format, ComputeDevice::Cpu)).unwrap());
    for asked in [format, WeightFormat::default()] {
        let model = load_model(&out, options(asked, ComputeDevice::Cpu)).unwrap();
        assert_eq!(model.card().precision, format.name());
        assert!(bits(model) == wanted, "{} {format}", folder.display());
    }
}

#[test]
fn a_packed_folder_gives_the_numbers_of_the_folder() {
    let folder = tiny_folder();
    for format in WeightFormat::ALL {
        same_numbers(folder.path(), format);
    }
}

#[test]
fn the_reference_device_reads_packed_weights_too() {
    let (folder, place) = (tiny_folder(), tempfile::tempdir().unwrap());
    for format in [WeightFormat::Bf16, WeightFormat::Q8, WeightFormat::Q4] {
        let out = place.path().join(format.name());
        built(folder.path(), &out, format);
        let of = |folder: &Path| bits(load_model(folder, options(format, ComputeDevice::Reference)).unwrap());
        assert!(of(&out) == of(folder.path()), "{format}");
    }
}

#[test]
fn blocks_of_gguf_files_are_packed_as_they_are() {
    let folder = tiny_folder();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gguf/mistral");
    for name in ["config.json", "model.gguf"] {
        std::fs::copy(own.join(name), folder.path().join(name)).unwrap();
    }
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    for format in [WeightFormat::Q4, WeightFormat::Q8] {
        same_numbers(folder.path(), format);
    }
}

#[test]
fn every_family_of_the_reference_checkpoints_can_be_packed() {
    let Some(root) = std::env::var_os("COCOON_REFERENCE") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "COCOON_REFERENCE names no folder of checkpoints"
        );
        eprintln!("SKIPPED: COCOON_REFERENCE is not set, only the tiny model is packed");
        return;
    };
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let language =
        folders.filter(|folder| folder.join("config.json").exists() && !folder.join("modules.json").exists());
    let mut count = 0;
    for folder in language {
        for format in [WeightFormat::F32, WeightFormat::Q8] {
            same_numbers(&folder, format);
        }
        count += 1;
    }
    assert!(count > 5, "{count} checkpoints");
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let (folder, place) = (tiny_folder(), tempfile::tempdir().unwrap());
    let out = |name: &str| place.path().join(name);
    let seen = built(folder.path(), &out("one"), WeightFormat::Q8);
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    let last = seen.last().unwrap();
    assert!(last.done == last.total && last.total > 800_000, "{last:?}");
    let one = build_model(folder.path(), &out("two"), WeightFormat::Q8, None, &mut |_| {}).unwrap();
    for file in &one.files {
        let read = |name| std::fs::read(out(name).join(&file.path)).unwrap();
        assert_eq!(read("one"), read("two"), "{}", file.path.display());
        assert_eq!(file.hash, cocoon_manifest::FileHash::of(&read("one")));
        assert_eq!(file.size, read("one").len() as u64);
    }
    let names: Vec<&Path> = one.files.iter().map(|file| file.path.as_path()).collect();
    assert!(names.contains(&Path::new(FILE)) && names.contains(&Path::new("chat_template.jinja")));
    assert!(!out("two.partial").exists());
    // The manifest names the format and the files.
    let loaded = load_model(&out("one"), EngineOptions::default()).unwrap();
    let manifest = loaded.manifest("tiny@1:2".parse().unwrap()).unwrap();
    let facts = manifest.facts();
    assert_eq!(
        (facts.precision.as_str(), facts.device.as_str(), facts.ranks),
        ("q8", "cpu", 1)
    );
    let read = |file: &str| cocoon_manifest::FileHash::of(&std::fs::read(out("one").join(file)).unwrap());
    assert_eq!(facts.tokenizer, read("tokenizer.json"));
    assert_eq!(facts.template, read("chat_template.jinja"));
    // Its template knows no tools.
    assert_eq!(
        (facts.tools.as_deref(), facts.reasoning.as_deref()),
        (None, Some("think"))
    );
    let listed: Vec<&Path> = manifest.files().iter().map(|file| Path::new(file.path())).collect();
    assert_eq!(listed, names);
    assert_eq!(loaded.card().parameters, one.card.parameters);
}

#[test]
fn every_way_to_run_a_model_has_its_own_manifest() {
    let folder = tiny_folder();
    let manifest = |format, ranks| {
        let options = EngineOptions {
            ranks: std::num::NonZeroUsize::new(ranks).unwrap(),
            ..options(format, ComputeDevice::Cpu)
        };
        let loaded = load_model(folder.path(), options).unwrap();
        loaded.manifest("tiny@1:2".parse().unwrap()).unwrap()
    };
    let all = [(WeightFormat::F32, 1), (WeightFormat::F32, 2), (WeightFormat::Q8, 1)].map(|(format, ranks)| {
        let manifest = manifest(format, ranks);
        assert_eq!(manifest.facts().ranks as usize, ranks);
        manifest
    });
    let hashes: std::collections::BTreeSet<String> = all.iter().map(|manifest| manifest.hash().to_string()).collect();
    assert_eq!(hashes.len(), 3);
    assert!(all.iter().all(|manifest| manifest.files_root() == all[0].files_root()));
}

#[test]
fn what_cannot_be_built_or_loaded_says_why() {
    let (folder, place) = (tiny_folder(), tempfile::tempdir().unwrap());
    let out = place.path().join("out");
    built(folder.path(), &out, WeightFormat::Q8);
    let again = |from: &Path, to: &Path| build_model(from, to, WeightFormat::Q4, None, &mut |_| {}).unwrap_err();
    assert!(matches!(again(folder.path(), &out), EngineError::WriteFile { .. }));
    let other = place.path().join("other");
    assert!(matches!(again(&out, &other), EngineError::PackedAlready));
    assert!(matches!(
        load_model(&out, options(WeightFormat::Q4, ComputeDevice::Cpu)).map(drop),
        Err(EngineError::PackedFormat {
            found: WeightFormat::Q8,
            wanted: WeightFormat::Q4
        })
    ));
    let plan = plan_memory(&out, &EngineOptions::default()).unwrap();
    assert_eq!(plan.weight_format, WeightFormat::Q8);
    // Weights of another configuration.
    let path = out.join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        config.replace("\"intermediate_size\": ", "\"intermediate_size\": 1"),
    )
    .unwrap();
    let found = load_model(&out, EngineOptions::default()).map(drop);
    assert!(matches!(found, Err(EngineError::MissingTensor { .. })), "{found:?}");
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    assert!(matches!(again(folder.path(), &other), EngineError::ReadFile { .. }));
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        1,
        "nothing else is left behind"
    );
}

#[test]
fn a_report_says_what_there_is() {
    let (folder, place) = (tiny_folder(), tempfile::tempdir().unwrap());
    let report = |folder: &Path| inspect_model(folder, &EngineOptions::default(), &mut |_| {});
    let plain = report(folder.path()).unwrap();
    assert_eq!(
        (plain.card.architecture.as_str(), plain.packed, plain.embeds),
        ("qwen3", None, false)
    );
    let formats: Vec<WeightFormat> = plain.plans.iter().map(|plan| plan.weight_format).collect();
    assert_eq!(formats, WeightFormat::ALL);
    let loaded = load_model(folder.path(), EngineOptions::default()).unwrap();
    assert_eq!(&plain.card, loaded.card());

    let out = place.path().join("out");
    built(folder.path(), &out, WeightFormat::Q8);
    let packed = report(&out).unwrap();
    assert_eq!((packed.packed, packed.plans.len()), (Some(WeightFormat::Q8), 1));
    assert_eq!(packed.card.parameters, plain.card.parameters);
    // A damaged number is found here.
    let mut bytes = std::fs::read(out.join(FILE)).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(out.join(FILE), bytes).unwrap();
    let found = report(&out);
    assert!(
        matches!(
            found,
            Err(EngineError::Packed {
                source: PackedError::Sum { .. },
                ..
            })
        ),
        "{found:?}"
    );
}

#[test]
fn loading_tells_how_far_it_is() {
    let (folder, mut seen) = (tiny_folder(), Vec::new());
    load_model_with(folder.path(), EngineOptions::default(), &mut |progress| {
        seen.push(progress)
    })
    .unwrap();
    assert!(seen.is_sorted_by_key(|progress| progress.done) && seen.len() > 10);
    let last = seen.last().unwrap();
    assert!(last.done == last.total && last.total >= 820_608, "{last:?}");
}

/// A small table of contents that fits its file.
fn sample() -> Contents {
    let entry = |number: u8, kind: Kind, outputs, inputs, offset| Entry {
        source: [number; 32],
        name: format!("tensor {number}"),
        kind,
        outputs,
        inputs,
        offset,
        bytes: kind.bytes_for(outputs, inputs),
        sha256: [0; 32],
    };
    Contents {
        weights: WeightFormat::Q8,
        panel: PANEL,
        parameters: 9,
        entries: vec![
            entry(1, Kind::Matrix(WeightFormat::Q8), 20, 64, PAGE),
            entry(2, Kind::Vector, 20, 1, 2 * PAGE),
        ],
    }
}

fn file_of(contents: &Contents, pages: usize) -> Vec<u8> {
    let mut file = contents.front().unwrap();
    file.resize(pages * PAGE, 0);
    file
}

#[test]
fn damaged_fronts_are_refused_by_their_reason() {
    let whole = file_of(&sample(), 3);
    assert_eq!(Contents::read(&whole), Ok(sample()));
    let changed = |at: usize, byte: u8| {
        let mut file = whole.clone();
        file[at] = byte;
        Contents::read(&file).unwrap_err()
    };
    assert_eq!(changed(0, b'c'), PackedError::Magic);
    assert_eq!(changed(8, 2), PackedError::Version { found: 2 });
    assert_eq!(changed(12, 1), PackedError::Version { found: 1 });
    assert_eq!(changed(23, 1), PackedError::Contents);
    assert_eq!(changed(24, !whole[24]), PackedError::Contents);
    assert_eq!(changed(FRONT, b' '), PackedError::Contents);
    for pages in [0, 1, 2, 4] {
        let mut file = whole.clone();
        file.resize(pages * PAGE, 0);
        assert_eq!(Contents::read(&file), Err(PackedError::Cut), "{pages}");
    }
    let other = Contents { panel: 8, ..sample() };
    assert_eq!(
        Contents::read(&file_of(&other, 3)),
        Err(PackedError::Panel { found: 8 })
    );
}

proptest! {
    #[test]
    fn any_table_gets_an_answer(
        kind in 0_usize..5,
        outputs in prop_oneof![0_usize..100, any::<usize>()],
        inputs in prop_oneof![0_usize..100, any::<usize>()],
        offset in prop_oneof![(0_usize..4).prop_map(|page| page * PAGE), any::<usize>()],
        bytes in prop_oneof![Just(None), any::<usize>().prop_map(Some)],
    ) {
        let mut contents = sample();
        let entry = &mut contents.entries[1];
        entry.kind = WeightFormat::ALL.get(kind).map_or(Kind::Vector, |format| Kind::Matrix(*format));
        (entry.outputs, entry.inputs, entry.offset) = (outputs, inputs, offset);
        entry.bytes = bytes.unwrap_or(entry.bytes);
        let file = file_of(&contents, 3);
        if let Ok(read) = Contents::read(&file) {
            prop_assert!(read.entries.iter().all(|entry| entry.range().end <= file.len()));
            prop_assert_eq!(read, contents);
        }
    }

    #[test]
    fn any_bytes_get_an_answer(rest in prop::collection::vec(any::<u8>(), 0..200), front in any::<bool>()) {
        let mut file = if front { b"COCOONPK\x01\0\0\0\0\0\0\0".to_vec() } else { Vec::new() };
        file.extend(rest);
        prop_assert!(Contents::read(&file).is_err());
    }
}

#[test]
fn the_layout_of_a_file_is_this() {
    // What this version writes, the next one must read: a change here is a new version.
    let (folder, place) = (tiny_folder(), tempfile::tempdir().unwrap());
    let out: PathBuf = place.path().join("out");
    let model = build_model(folder.path(), &out, WeightFormat::Q4, None, &mut |_| {}).unwrap();
    let packed = model.files.iter().find(|file| file.path == Path::new(FILE)).unwrap();
    assert_eq!(packed.size % PAGE as u64, 0);
    assert_eq!(
        packed.hash.to_string(),
        "59070677820ca3579091fae88433e180ca67dbb6f48f47dbc7b510c4988496c4"
    );
}
