//! The numbers of a model under the names that Hugging Face gives them.

use super::Model;
use crate::shape::Shape;
use anyhow::{Context, Result, ensure};
use burn::module::Param;
use burn::nn::{Linear, RmsNorm};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;

/// A tensor as a checkpoint holds it: matrices as [outputs, inputs].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedTensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Vec<f32>,
}

/// What is done with each tensor of a model, by its name.
trait Visit<B: Backend> {
    fn matrix(&mut self, name: String, weight: &mut Linear<B>) -> Result<()>;
    fn embedding(&mut self, name: String, weight: &mut Param<Tensor<B, 2>>) -> Result<()>;
    fn vector(&mut self, name: String, norm: &mut RmsNorm<B>) -> Result<()>;
}

struct Collect(BTreeMap<String, NamedTensor>);

struct Replace<'a, B: Backend> {
    from: &'a BTreeMap<String, NamedTensor>,
    device: &'a B::Device,
    taken: usize,
}

impl<B: Backend> Model<B> {
    /// All tensors by name.
    pub(crate) fn named_tensors(&self) -> Result<BTreeMap<String, NamedTensor>> {
        let mut collect = Collect(BTreeMap::new());
        self.clone().visit_tensors(&mut collect)?;
        Ok(collect.0)
    }

    /// A model with these tensors, and no others.
    pub(crate) fn from_named_tensors(
        shape: &Shape,
        tensors: &BTreeMap<String, NamedTensor>,
        device: &B::Device,
    ) -> Result<Self> {
        let mut replace = Replace::<B> {
            from: tensors,
            device,
            taken: 0,
        };
        let mut model = Self::new(shape, device);
        model.visit_tensors(&mut replace)?;
        ensure!(
            replace.taken == tensors.len(),
            "there are tensors that the model does not have"
        );
        Ok(model)
    }

    fn visit_tensors(&mut self, visit: &mut impl Visit<B>) -> Result<()> {
        visit.embedding("model.embed_tokens.weight".into(), &mut self.embedding.weight)?;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let name = |part: &str| format!("model.layers.{index}.{part}.weight");
            visit.vector(name("input_layernorm"), &mut layer.attention_norm)?;
            visit.matrix(name("self_attn.q_proj"), &mut layer.attention.query)?;
            visit.matrix(name("self_attn.k_proj"), &mut layer.attention.key)?;
            visit.matrix(name("self_attn.v_proj"), &mut layer.attention.value)?;
            visit.matrix(name("self_attn.o_proj"), &mut layer.attention.output)?;
            visit.vector(name("self_attn.q_norm"), &mut layer.attention.query_norm)?;
            visit.vector(name("self_attn.k_norm"), &mut layer.attention.key_norm)?;
            visit.vector(name("post_attention_layernorm"), &mut layer.feed_norm)?;
            visit.matrix(name("mlp.gate_proj"), &mut layer.gate)?;
            visit.matrix(name("mlp.up_proj"), &mut layer.up)?;
            visit.matrix(name("mlp.down_proj"), &mut layer.down)?;
        }
        visit.vector("model.norm.weight".into(), &mut self.norm)
    }
}

impl Collect {
    fn put<B: Backend, const D: usize>(&mut self, name: String, tensor: Tensor<B, D>) -> Result<()> {
        let shape = tensor.dims().to_vec();
        let numbers = tensor.into_data().convert::<f32>().into_vec::<f32>();
        let numbers = numbers.map_err(|_| anyhow::anyhow!("{name} is not readable as f32"))?;
        self.0.insert(name, NamedTensor { shape, numbers });
        Ok(())
    }
}

impl<B: Backend> Visit<B> for Collect {
    fn matrix(&mut self, name: String, weight: &mut Linear<B>) -> Result<()> {
        self.put(name, weight.weight.val().transpose())
    }

    fn embedding(&mut self, name: String, weight: &mut Param<Tensor<B, 2>>) -> Result<()> {
        self.put(name, weight.val())
    }

    fn vector(&mut self, name: String, norm: &mut RmsNorm<B>) -> Result<()> {
        self.put(name, norm.gamma.val())
    }
}

impl<B: Backend> Replace<'_, B> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<&NamedTensor> {
        let tensor = self.from.get(name).with_context(|| format!("{name} is missing"))?;
        ensure!(tensor.shape == shape, "{name} is {:?}, not {shape:?}", tensor.shape);
        self.taken += 1;
        Ok(tensor)
    }

    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Tensor<B, D>> {
        let tensor = self.tensor(name, &shape)?;
        Ok(Tensor::from_data(
            TensorData::new(tensor.numbers.clone(), shape),
            self.device,
        ))
    }
}

impl<B: Backend> Visit<B> for Replace<'_, B> {
    fn matrix(&mut self, name: String, weight: &mut Linear<B>) -> Result<()> {
        let [inputs, outputs] = weight.weight.dims();
        let tensor = self.tensor(&name, &[outputs, inputs])?;
        // Turned here and not by a view, which would be copied at every use.
        let numbers: Vec<f32> = (0..inputs)
            .flat_map(|input| tensor.numbers[input..].iter().step_by(inputs).copied())
            .collect();
        weight.weight = Param::from_tensor(Tensor::from_data(
            TensorData::new(numbers, [inputs, outputs]),
            self.device,
        ));
        Ok(())
    }

    fn embedding(&mut self, name: String, weight: &mut Param<Tensor<B, 2>>) -> Result<()> {
        *weight = Param::from_tensor(self.take(&name, weight.dims())?);
        Ok(())
    }

    fn vector(&mut self, name: String, norm: &mut RmsNorm<B>) -> Result<()> {
        norm.gamma = Param::from_tensor(self.take(&name, norm.gamma.dims())?);
        Ok(())
    }
}
