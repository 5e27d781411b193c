//! A batch in parts, one thread each: most operations of a backend on the CPU run on one thread, so that whole passes
//! side by side use the machine better than one pass whose products are split.

use super::Batch;
use crate::model::Model;
use crate::shape::Shape;
use anyhow::{Result, anyhow};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::thread;

/// Threads that compute a part each. The sums depend on how many there are, not on which ends first.
pub(super) struct Parts(Vec<ThreadPool>);

impl Parts {
    pub(super) fn new(count: usize) -> Result<Self> {
        // Within a part the backend finds one thread and splits nothing.
        let pool = || ThreadPoolBuilder::new().num_threads(1).build();
        Ok(Self((0..count).map(|_| pool()).collect::<Result<_, _>>()?))
    }

    /// The mean loss of all parts of a batch, and its gradients.
    pub(super) fn gradients<B: AutodiffBackend>(
        &self,
        model: &Model<B>,
        shape: &Shape,
        parts: &[Batch],
        device: &B::Device,
    ) -> Result<(f32, GradientsParams)> {
        let counted: usize = parts.iter().map(Batch::counted).sum();
        let pass = |part: &Batch, model: Model<B>| {
            let loss = part_loss(&model, shape, part, device).div_scalar(counted as f64);
            let value: f32 = loss.clone().into_scalar().elem();
            (value, GradientsParams::from_grads(loss.backward(), &model))
        };
        let results: Vec<(f32, GradientsParams)> = thread::scope(|scope| {
            let running: Vec<_> = parts
                .iter()
                .zip(&self.0)
                .map(|(part, pool)| {
                    // A graph of its own; the parameters keep their names.
                    let model = model.clone().fork(device);
                    scope.spawn(move || pool.install(|| pass(part, model)))
                })
                .collect();
            let results = running.into_iter().map(|thread| thread.join());
            results
                .collect::<Result<_, _>>()
                .map_err(|_| anyhow!("a part of a batch failed"))
        })?;
        let mut sum = GradientsAccumulator::new();
        let mut total = 0.0;
        for (value, gradients) in results {
            total += value;
            sum.accumulate(model, gradients);
        }
        Ok((total, sum.grads()))
    }
}

/// The sum over counted tokens of the negative logarithm of their probability.
fn part_loss<B: AutodiffBackend>(model: &Model<B>, shape: &Shape, part: &Batch, device: &B::Device) -> Tensor<B, 1> {
    // Only states before a counted token go through the head.
    let states = model
        .states(shape, part.inputs(device), None)
        .select(0, part.places(device));
    log_softmax(model.logits(states), 1)
        .gather(1, part.targets(device))
        .sum()
        .neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Sample;
    use burn::backend::{Autodiff, Flex};

    /// Of the embedding, which is used at both ends of the model.
    fn gradient(gradients: &GradientsParams, model: &Model<Autodiff<Flex>>) -> Vec<f32> {
        let gradient = gradients.get::<Flex, 2>(model.embedding_id()).unwrap();
        gradient.into_data().into_vec().unwrap()
    }

    #[test]
    fn two_parts_give_the_loss_and_gradients_of_one() {
        let shape = Shape {
            vocabulary: 32,
            hidden: 16,
            intermediate: 24,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            head_dim: 8,
            positions: 64,
        };
        let device = Default::default();
        let model = Model::<Autodiff<Flex>>::new(&shape, &device);
        let sample = |tokens: &[u32], from: usize| Sample {
            tokens: tokens.to_vec(),
            counted: (0..tokens.len()).map(|place| place >= from).collect(),
        };
        let samples = [
            sample(&[1, 2, 3, 4, 5, 6], 2),
            sample(&[7, 8, 9], 1),
            sample(&[4, 5, 6, 7, 8], 4),
        ];
        let run = |count: usize| {
            let parts = Batch::parts(&samples, count, 0);
            Parts::new(count)
                .unwrap()
                .gradients(&model, &shape, &parts, &device)
                .unwrap()
        };
        let ((one_loss, one), (two_loss, two)) = (run(1), run(2));
        assert!((one_loss - two_loss).abs() < 1e-5);
        assert!((one_loss - 32_f32.ln()).abs() < 0.5, "{one_loss}");
        let (one, two) = (gradient(&one, &model), gradient(&two, &model));
        assert!(one.iter().any(|number| number.abs() > 1e-4));
        for (one, two) in one.iter().zip(&two) {
            assert!((one - two).abs() < 1e-5, "{one} and {two}");
        }
    }
}
