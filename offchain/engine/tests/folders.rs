//! The same model in the other forms that folders come in, and damaged ones.
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use cocoon_engine::{EngineError, EngineOptions, SubmitRequest, load_model};
use common::{answer, folder, golden, greedy};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use std::collections::BTreeMap;
use std::path::Path;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn tensors(folder: &Path) -> Tensors {
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: TensorView<'_>| {
        let numbers = view
            .data()
            .chunks_exact(2)
            .map(|pair| half::bf16::from_le_bytes([pair[0], pair[1]]).to_f32());
        (view.shape().to_vec(), numbers.collect())
    };
    file.tensors()
        .into_iter()
        .map(|(name, view)| (name, read(view)))
        .collect()
}

fn write(path: &Path, tensors: &Tensors, dtype: Dtype) {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, numbers))| {
            let bytes = numbers.iter().flat_map(|number| match dtype {
                Dtype::F32 => number.to_le_bytes().to_vec(),
                Dtype::F16 => half::f16::from_f32(*number).to_le_bytes().to_vec(),
                _ => unreachable!(),
            });
            (name, bytes.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, (shape, _))| {
        (
            name.clone(),
            TensorView::new(dtype, shape.clone(), &bytes[name]).unwrap(),
        )
    });
    serialize_to_file(views, None, path).unwrap();
}

fn set_config(folder: &Path, field: &str, value: serde_json::Value) {
    let path = folder.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[field] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

fn greeting(folder: &Path) -> String {
    let mut engine = load_model(folder, EngineOptions::default()).unwrap().into_engine();
    answer(engine.as_mut(), greedy(SubmitRequest::chat_of_user("Hello!"))).text
}

#[test]
fn shards_of_f32_with_an_index_and_an_untied_head_give_the_same_answers() {
    let folder = folder();
    let mut tensors = tensors(folder.path());
    let head = tensors["model.embed_tokens.weight"].clone();
    tensors.insert("lm_head.weight".to_owned(), head);
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let mut map = BTreeMap::new();
    for part in 0..3 {
        let file = format!("model-{part}.safetensors");
        let own: Tensors = tensors
            .iter()
            .enumerate()
            .filter(|(at, _)| at % 3 == part)
            .map(|(_, (n, t))| (n.clone(), t.clone()))
            .collect();
        map.extend(own.keys().map(|name| (name.clone(), file.clone())));
        write(&folder.path().join(file), &own, Dtype::F32);
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    set_config(folder.path(), "tie_word_embeddings", false.into());

    let loaded = load_model(folder.path(), EngineOptions::default()).unwrap();
    let manifest = loaded.manifest("tiny@1:2".parse().unwrap()).unwrap();
    assert!(
        manifest
            .files()
            .iter()
            .any(|file| file.path() == "model.safetensors.index.json")
    );
    let case = golden().remove(0);
    let mut engine = loaded.into_engine();
    let mut request = greedy(SubmitRequest::new(cocoon_engine::Prompt::Tokens(case.prompt_tokens)));
    request.ignore_eos = true;
    request.max_tokens = Some(64);
    assert_eq!(answer(engine.as_mut(), request).tokens, case.greedy_tokens);
}

#[test]
fn f16_weights_are_read() {
    let folder = folder();
    let tensors = tensors(folder.path());
    write(&folder.path().join("model.safetensors"), &tensors, Dtype::F16);
    assert_eq!(greeting(folder.path()), "Hello! How can I help you today?");
}

#[test]
fn a_template_inside_the_tokenizer_configuration_is_found() {
    let folder = folder();
    let template = std::fs::read_to_string(folder.path().join("chat_template.jinja")).unwrap();
    std::fs::remove_file(folder.path().join("chat_template.jinja")).unwrap();
    let path = folder.path().join("tokenizer_config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["chat_template"] = template.into();
    std::fs::write(path, config.to_string()).unwrap();
    assert_eq!(greeting(folder.path()), "Hello! How can I help you today?");
}

#[test]
fn a_model_without_a_template_takes_texts_but_no_chats() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("chat_template.jinja")).unwrap();
    let mut engine = load_model(folder.path(), EngineOptions::default())
        .unwrap()
        .into_engine();
    assert!(matches!(
        engine.submit(SubmitRequest::chat_of_user("Hi")),
        Err(EngineError::NoTemplate)
    ));
}

#[test]
fn damaged_and_foreign_weights_are_refused_with_their_reason() {
    let load = |folder: &Path| load_model(folder, EngineOptions::default()).map(|_| ()).unwrap_err();
    let weights = |folder: &Path| folder.join("model.safetensors");

    let cut = folder();
    let bytes = std::fs::read(weights(cut.path())).unwrap();
    std::fs::write(weights(cut.path()), &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(load(cut.path()), EngineError::Safetensors { .. }));
    std::fs::write(weights(cut.path()), &bytes[..4]).unwrap();
    assert!(matches!(load(cut.path()), EngineError::Safetensors { .. }));
    std::fs::write(weights(cut.path()), u64::MAX.to_le_bytes()).unwrap();
    assert!(matches!(load(cut.path()), EngineError::Safetensors { .. }));

    let lacking = folder();
    let mut some = tensors(lacking.path());
    let norm = some.remove("model.norm.weight").unwrap();
    write(&weights(lacking.path()), &some, Dtype::F32);
    assert!(matches!(load(lacking.path()), EngineError::MissingTensor { name } if name == "model.norm.weight"));
    some.insert("model.norm.weight".to_owned(), norm.clone());
    some.insert("model.norm.bias".to_owned(), norm);
    write(&weights(lacking.path()), &some, Dtype::F32);
    assert!(matches!(load(lacking.path()), EngineError::UnknownTensor { name } if name == "model.norm.bias"));

    let other = folder();
    set_config(other.path(), "intermediate_size", 321.into());
    assert!(matches!(load(other.path()), EngineError::TensorShape { .. }));

    let outside = folder();
    std::fs::remove_file(weights(outside.path())).unwrap();
    let index = serde_json::json!({ "weight_map": { "a": "../model.safetensors" } });
    std::fs::write(outside.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    assert!(matches!(load(outside.path()), EngineError::ReadFile { .. }));
}
