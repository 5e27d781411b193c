//! Keys and values that a sequence has computed so far.

use crate::limits::KV_BLOCK;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The cache of one sequence: one pair of tensors for each layer.
pub(super) struct KvCache<B: Backend> {
    layers: Vec<LayerCache<B>>,
    /// Tokens that all layers have seen.
    len: usize,
}

/// Keys and values of one layer, [head, position, dimension], with room for more positions. `None` only while a step
/// holds the tensor, so that the step can write into it in place.
#[derive(Default)]
struct LayerCache<B: Backend> {
    keys: Option<Tensor<B, 3>>,
    values: Option<Tensor<B, 3>>,
}

impl<B: Backend> KvCache<B> {
    pub(super) fn new(layers: usize) -> Self {
        let layers = (0..layers)
            .map(|_| LayerCache {
                keys: None,
                values: None,
            })
            .collect();
        Self { layers, len: 0 }
    }

    /// Tokens seen so far: the position of the next.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds keys and values of new tokens to a layer; gives all of them, old and new.
    pub(super) fn extend(
        &mut self,
        layer: usize,
        keys: Tensor<B, 3>,
        values: Tensor<B, 3>,
    ) -> (Tensor<B, 3>, Tensor<B, 3>) {
        let at = self.len;
        let cache = &mut self.layers[layer];
        (write(&mut cache.keys, at, keys), write(&mut cache.values, at, values))
    }

    /// Says that all layers have seen `tokens` more.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }
}

fn write<B: Backend>(room: &mut Option<Tensor<B, 3>>, at: usize, new: Tensor<B, 3>) -> Tensor<B, 3> {
    let [heads, tokens, size] = new.dims();
    let device = new.device();
    let needed = at + tokens;
    let tensor = match room.take() {
        Some(tensor) if tensor.dims()[1] >= needed => tensor,
        old => {
            let capacity = needed.max(2 * at).next_multiple_of(KV_BLOCK);
            let larger = Tensor::zeros([heads, capacity, size], &device);
            match old {
                Some(old) => larger.slice_assign([0..heads, 0..at, 0..size], old.slice([0..heads, 0..at, 0..size])),
                None => larger,
            }
        }
    };
    let tensor = tensor.slice_assign([0..heads, at..needed, 0..size], new);
    let all = tensor.clone().slice([0..heads, 0..needed, 0..size]);
    *room = Some(tensor);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;
    use burn::tensor::TensorData;

    #[test]
    fn what_was_written_comes_back_in_order_across_growth() {
        let device = Default::default();
        let mut cache = KvCache::<Flex>::new(1);
        let mut written = Vec::new();
        for piece in [3, KV_BLOCK, 1, 1, KV_BLOCK * 2] {
            let numbers: Vec<f32> = (written.len()..written.len() + piece).map(|n| n as f32).collect();
            let tensor = Tensor::<Flex, 3>::from_data(TensorData::new(numbers.clone(), [1, piece, 1]), &device);
            written.extend(numbers);
            let (keys, values) = cache.extend(0, tensor.clone(), tensor);
            cache.advance(piece);
            assert_eq!(keys.into_data().to_vec::<f32>().unwrap(), written);
            assert_eq!(values.into_data().to_vec::<f32>().unwrap(), written);
        }
        assert_eq!(cache.len(), written.len());
    }
}
