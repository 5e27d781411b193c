use super::*;
use burn::backend::{Autodiff, Flex};
use burn::optim::GradientsParams;
use burn::tensor::TensorData;

type Plain = Flex;

const SMALL: Shape = Shape {
    vocabulary: 32,
    hidden: 16,
    intermediate: 24,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    head_dim: 8,
    positions: 64,
};

fn tokens<B: Backend>(numbers: &[i32], rows: usize) -> Tensor<B, 2, Int> {
    let shape = [rows, numbers.len() / rows];
    Tensor::from_data(TensorData::new(numbers.to_vec(), shape), &B::Device::default())
}

fn numbers<const D: usize>(tensor: Tensor<Plain, D>) -> Vec<f32> {
    tensor.into_data().into_vec().unwrap()
}

fn assert_close(left: &[f32], right: &[f32]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() < 1e-4, "{left} and {right}");
    }
}

#[test]
fn decoding_with_a_cache_is_the_same_as_without() {
    let model = Model::<Plain>::new(&SMALL, &Default::default());
    let text = [1, 5, 9, 2, 7, 7, 3, 30];
    let whole = numbers(model.states(&SMALL, tokens(&text, 1), None));
    let mut cache = KvCache::new(&SMALL);
    let mut pieces = numbers(model.states(&SMALL, tokens(&text[..5], 1), Some(&mut cache)));
    for token in &text[5..] {
        pieces.extend(numbers(model.states(&SMALL, tokens(&[*token], 1), Some(&mut cache))));
    }
    assert_eq!(cache.positions(), text.len());
    assert_close(&whole, &pieces);
}

#[test]
fn no_position_sees_what_comes_later() {
    let model = Model::<Plain>::new(&SMALL, &Default::default());
    let one = numbers(model.states(&SMALL, tokens(&[1, 2, 3, 4], 1), None));
    let other = numbers(model.states(&SMALL, tokens(&[1, 2, 3, 29], 1), None));
    let seen = 3 * SMALL.hidden;
    assert_close(&one[..seen], &other[..seen]);
    assert!(
        one[seen..]
            .iter()
            .zip(&other[seen..])
            .any(|(one, other)| (one - other).abs() > 1e-3)
    );
}

#[test]
fn every_number_has_a_gradient_that_a_small_step_confirms() {
    type Trained = Autodiff<Plain>;
    let device = Default::default();
    let model = Model::<Trained>::new(&SMALL, &device);
    let loss_of = |model: &Model<Trained>| {
        let states = model.states(&SMALL, tokens(&[1, 2, 3, 4, 5, 6], 2), None);
        model.logits(states).powi_scalar(2).mean()
    };
    let grads = GradientsParams::from_grads(loss_of(&model).backward(), &model);
    assert_eq!(grads.len(), 2 + SMALL.layers * 11);

    let gradient = grads.get::<Plain, 2>(model.layers[0].attention.key.weight.id).unwrap();
    let gradient = numbers(gradient);
    let (at, slope) = gradient
        .iter()
        .copied()
        .enumerate()
        .max_by(|(_, left), (_, right)| left.abs().total_cmp(&right.abs()))
        .unwrap();
    let outputs = SMALL.kv_heads * SMALL.head_dim;
    let (input, output) = (at / outputs, at % outputs);
    let moved = |by: f32| {
        let mut tensors = model.named_tensors().unwrap();
        let key = tensors.get_mut("model.layers.0.self_attn.k_proj.weight").unwrap();
        key.numbers[output * SMALL.hidden + input] += by;
        let model = Model::<Trained>::from_named_tensors(&SMALL, &tensors, &device).unwrap();
        loss_of(&model).into_scalar()
    };
    let measured = (moved(1e-2) - moved(-1e-2)) / 2e-2;
    assert!(
        (measured - slope).abs() < 0.05 * slope.abs() + 1e-6,
        "{measured} and {slope}"
    );
}

#[test]
fn tensors_of_another_shape_and_unknown_ones_are_refused() {
    let device = Default::default();
    let tensors = Model::<Plain>::new(&SMALL, &device).named_tensors().unwrap();
    assert!(Model::<Plain>::from_named_tensors(&SMALL, &tensors, &device).is_ok());
    let wider = Shape {
        intermediate: 32,
        ..SMALL
    };
    assert!(Model::<Plain>::from_named_tensors(&wider, &tensors, &device).is_err());
    let mut more = tensors.clone();
    more.insert("lm_head.weight".into(), tensors["model.norm.weight"].clone());
    assert!(Model::<Plain>::from_named_tensors(&SMALL, &more, &device).is_err());
}
