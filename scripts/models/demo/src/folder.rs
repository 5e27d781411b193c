//! The Hugging Face folder: what the engine loads.

use crate::model::{Model, NamedTensor};
use crate::shape::Shape;
use crate::tokens::{END, PAD, Tokens};
use anyhow::{Context, Result, anyhow, ensure};
use burn::tensor::backend::Backend;
use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Bytes of the whole folder: it is checked into the repository.
const MAX_FOLDER_BYTES: u64 = 8_000_000;
const WEIGHTS: &str = "model.safetensors";
const SUMS: &str = "SHA256SUMS";
const TEMPLATE: &str = include_str!("../chat_template.jinja");

/// A model that was read back.
pub(crate) struct Loaded<B: Backend> {
    pub(crate) shape: Shape,
    pub(crate) tokens: Tokens,
    pub(crate) model: Model<B>,
}

/// Writes everything; the weights in bf16, rounded to the nearest. Says how many bytes there are.
pub(crate) fn write<B: Backend>(folder: &Path, shape: &Shape, tokens: &Tokens, model: &Model<B>) -> Result<u64> {
    std::fs::create_dir_all(folder)?;
    let mut files = BTreeMap::new();
    files.insert("config.json", pretty(&shape.config(tokens.end, tokens.pad))?);
    files.insert("generation_config.json", pretty(&generation(tokens))?);
    files.insert("tokenizer_config.json", pretty(&tokenizer_config(shape))?);
    files.insert("tokenizer.json", tokens.to_json()?.into_bytes());
    files.insert("chat_template.jinja", TEMPLATE.as_bytes().to_vec());
    files.insert(WEIGHTS, weights(&model.named_tensors()?)?);
    let sums: String = files
        .iter()
        .map(|(name, content)| format!("{}  {name}\n", hex(&Sha256::digest(content))))
        .collect();
    files.insert(SUMS, sums.into_bytes());
    let bytes = files.values().map(|content| content.len() as u64).sum();
    ensure!(bytes <= MAX_FOLDER_BYTES, "the folder takes {bytes} bytes");
    for (name, content) in files {
        std::fs::write(folder.join(name), content).with_context(|| format!("{name} cannot be written"))?;
    }
    Ok(bytes)
}

/// Reads a folder that [`write`] made.
pub(crate) fn read<B: Backend>(folder: &Path, device: &B::Device) -> Result<Loaded<B>> {
    let config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    let shape = Shape::from_config(&config)?;
    let tokens = Tokens::read(&folder.join("tokenizer.json"))?;
    let bytes = std::fs::read(folder.join(WEIGHTS))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
        ensure!(view.dtype() == Dtype::BF16, "{name} is not bf16");
        let numbers = view
            .data()
            .chunks_exact(2)
            .map(|bytes| bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32());
        let tensor = NamedTensor {
            shape: view.shape().to_vec(),
            numbers: numbers.collect(),
        };
        tensors.insert(name, tensor);
    }
    let model = Model::from_named_tensors(&shape, &tensors, device)?;
    Ok(Loaded { shape, tokens, model })
}

fn weights(tensors: &BTreeMap<String, NamedTensor>) -> Result<Vec<u8>> {
    let rounded: Vec<(&String, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor
                .numbers
                .iter()
                .flat_map(|number| bf16::from_f32(*number).to_le_bytes());
            (name, tensor.shape.as_slice(), bytes.collect())
        })
        .collect();
    let views = rounded
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::BF16, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| anyhow!("weights: {error}"))
}

/// Little chance: the model knows one good answer to most questions.
fn generation(tokens: &Tokens) -> Value {
    json!({
        "bos_token_id": tokens.pad,
        "do_sample": true,
        "eos_token_id": [tokens.end, tokens.pad],
        "pad_token_id": tokens.pad,
        "temperature": 0.2,
        "top_k": 20,
        "top_p": 0.9,
    })
}

fn tokenizer_config(shape: &Shape) -> Value {
    json!({
        "clean_up_tokenization_spaces": false,
        "eos_token": END,
        "model_max_length": shape.positions,
        "pad_token": PAD,
        "tokenizer_class": "PreTrainedTokenizerFast",
    })
}

fn pretty(value: &Value) -> Result<Vec<u8>> {
    Ok((serde_json::to_string_pretty(value)? + "\n").into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn what_is_written_is_read_and_written_again_the_same() {
        let shape = Shape {
            vocabulary: 270,
            hidden: 16,
            intermediate: 24,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head_dim: 8,
            positions: 32,
        };
        let texts = vec!["the proxy signs a voucher and the worker signs a statement".to_owned(); 4];
        let tokens = Tokens::train(270, &texts).unwrap();
        let model = Model::<Flex>::new(&shape, &Default::default());
        let folder = std::env::temp_dir().join(format!("cocoon-demo-model-{}", std::process::id()));
        let size = write(&folder, &shape, &tokens, &model).unwrap();
        let first = std::fs::read(folder.join(SUMS)).unwrap();
        let loaded = read::<Flex>(&folder, &Default::default()).unwrap();
        assert_eq!(loaded.shape, shape);
        assert_eq!(
            write(&folder, &loaded.shape, &loaded.tokens, &loaded.model).unwrap(),
            size
        );
        assert_eq!(std::fs::read(folder.join(SUMS)).unwrap(), first);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
