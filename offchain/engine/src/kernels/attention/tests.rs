use super::*;
use crate::device::CacheShape;
use crate::model::BlockId;

/// Numbers that look random and are always the same.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// One sequence: queries, keys and values of all its positions.
struct Sequence {
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    len: usize,
}

impl Sequence {
    fn new(shape: &AttentionShape, len: usize, seed: u64) -> Self {
        let scaled = |count, seed, factor: f32| numbers(count, seed).into_iter().map(|x| x * factor).collect();
        Self {
            queries: scaled(len * shape.heads * shape.key_dim, seed, 3.0),
            keys: scaled(len * shape.kv_heads * shape.key_dim, seed + 1, 2.0),
            values: scaled(len * shape.kv_heads * shape.value_dim, seed + 2, 1.0),
            len,
        }
    }
}

/// Attention as its formula says it, in f64.
fn plain(shape: &AttentionShape, sequence: &Sequence, shared: bool, sinks: Option<&[f32]>) -> Vec<f64> {
    let group = shape.heads / shape.kv_heads;
    let mut out = Vec::new();
    for position in 0..sequence.len {
        for head in 0..shape.heads {
            let query = &sequence.queries[(position * shape.heads + head) * shape.key_dim..][..shape.key_dim];
            let low = shape.window.map_or(0, |window| (position + 1).saturating_sub(window));
            let at = |position: usize| position * shape.kv_heads + head / group;
            let scores: Vec<f64> = (low..=position)
                .map(|other| {
                    let key = &sequence.keys[at(other) * shape.key_dim..][..shape.key_dim];
                    let product: f64 = query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    let score = product * f64::from(shape.scale);
                    shape
                        .softcap
                        .map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                })
                .collect();
            let sink = sinks.map_or(0.0, |sinks| f64::from(sinks[head]).exp());
            let sum = scores.iter().map(|score| score.exp()).sum::<f64>() + sink;
            for column in 0..shape.value_dim {
                let value = |other: usize| {
                    f64::from(if shared {
                        sequence.keys[at(other) * shape.key_dim + column]
                    } else {
                        sequence.values[at(other) * shape.value_dim + column]
                    })
                };
                let weighted = scores
                    .iter()
                    .enumerate()
                    .map(|(place, score)| score.exp() * value(low + place));
                out.push(weighted.sum::<f64>() / sum);
            }
        }
    }
    out
}

/// A layer and what the sequences have written of it.
struct Bench<'a> {
    shape: &'a AttentionShape,
    shared: bool,
    sinks: Option<&'a [f32]>,
    layer: KvLayer,
    pool: Pool,
    scratch: Vec<Mutex<Vec<f32>>>,
}

impl<'a> Bench<'a> {
    fn new(shape: &'a AttentionShape, shared: bool, sinks: Option<&'a [f32]>, threads: usize) -> Self {
        let cache = CacheShape {
            kv_heads: shape.kv_heads,
            key_dim: shape.key_dim,
            value_dim: if shared { 0 } else { shape.value_dim },
        };
        let mut layer = KvLayer::new(cache, 64);
        // What an earlier sequence may have left behind.
        let all: Vec<BlockId> = (0..64).map(BlockId).collect();
        let rows = 64 * KV_BLOCK;
        let old = vec![f32::NAN; rows * shape.kv_heads * shape.key_dim.max(shape.value_dim)];
        let keys = &old[..rows * shape.kv_heads * shape.key_dim];
        let values = &old[..rows * shape.kv_heads * shape.value_dim];
        layer.write(0, &all, keys, (!shared).then_some(values));
        Self {
            shape,
            shared,
            sinks,
            layer,
            pool: Pool::new(threads, false),
            scratch: (0..threads).map(|_| Mutex::default()).collect(),
        }
    }

    /// Attends some positions of some sequences at once: which sequence, which positions, its blocks.
    fn attend(&mut self, pieces: &[(&Sequence, Range<usize>, &[BlockId])]) -> Vec<f32> {
        let shape = self.shape;
        let (mut queries, mut spans, mut rows) = (Vec::new(), Vec::new(), 0);
        for (sequence, positions, blocks) in pieces {
            let width = shape.kv_heads * shape.key_dim;
            let keys = &sequence.keys[positions.start * width..positions.end * width];
            let width = shape.kv_heads * shape.value_dim;
            let values = &sequence.values[positions.start * width..positions.end * width];
            self.layer
                .write(positions.start, blocks, keys, (!self.shared).then_some(values));
            let width = shape.heads * shape.key_dim;
            queries.extend_from_slice(&sequence.queries[positions.start * width..positions.end * width]);
            spans.push(Span {
                rows: rows..rows + positions.len(),
                start: positions.start,
                blocks: blocks.to_vec(),
            });
            rows += positions.len();
        }
        let mut out = vec![f32::NAN; rows * shape.heads * shape.value_dim];
        let inputs = AttentionInputs {
            layer: &self.layer,
            shape,
            queries: &queries,
            sinks: self.sinks,
            spans: &spans,
        };
        attend(&mut self.pool, &self.scratch, &inputs, &mut out);
        out
    }
}

/// Blocks in an order that is not ascending.
fn blocks(which: usize, positions: usize) -> Vec<BlockId> {
    let count = positions.div_ceil(KV_BLOCK) as u32;
    (0..count)
        .map(|place| BlockId((which as u32 * 20 + (count - place) * 7) % 20 + which as u32 * 20))
        .collect()
}

fn shapes() -> Vec<(AttentionShape, bool, bool)> {
    let shape = |heads, kv_heads, key_dim, value_dim| AttentionShape {
        heads,
        kv_heads,
        key_dim,
        value_dim,
        scale: 0.3,
        window: None,
        softcap: None,
    };
    let windowed = AttentionShape {
        window: Some(37),
        ..shape(6, 2, 24, 24)
    };
    let capped = AttentionShape {
        softcap: Some(4.0),
        ..shape(4, 4, 16, 16)
    };
    // (shape, whether values are columns of the keys, whether there are sinks)
    vec![
        (shape(2, 2, 8, 8), false, false),
        (shape(8, 2, 16, 16), false, false),
        (shape(7, 1, 20, 12), false, false),
        (shape(13, 1, 24, 16), true, false),
        (windowed, false, true),
        (capped, false, true),
    ]
}

#[test]
fn attention_follows_the_formula() {
    for (shape, shared, sunk) in shapes() {
        let sinks = numbers(shape.heads, 5);
        let sinks = sunk.then_some(sinks.as_slice());
        let sequence = Sequence::new(&shape, 2 * KV_BLOCK + 11, 1);
        let mut bench = Bench::new(&shape, shared, sinks, 2);
        let out = bench.attend(&[(&sequence, 0..sequence.len, &blocks(0, sequence.len))]);
        let expected = plain(&shape, &sequence, shared, sinks);
        assert_eq!(out.len(), expected.len());
        for (out, expected) in out.iter().zip(expected) {
            assert!(
                (f64::from(*out) - expected).abs() < 2e-5,
                "{out} is not {expected}: {shape:?}"
            );
        }
    }
}

#[test]
fn rows_do_not_depend_on_batch_chunks_blocks_or_threads() {
    for (shape, shared, sunk) in shapes() {
        let sinks = numbers(shape.heads, 5);
        let sinks = sunk.then_some(sinks.as_slice());
        let one = Sequence::new(&shape, 2 * KV_BLOCK + 11, 1);
        let other = Sequence::new(&shape, KV_BLOCK + 3, 20);
        let whole = |sequence: &Sequence, which| {
            let mut bench = Bench::new(&shape, shared, sinks, 1);
            bench.attend(&[(sequence, 0..sequence.len, &blocks(which, sequence.len))])
        };
        let (alone_one, alone_other) = (whole(&one, 0), whole(&other, 1));
        for threads in 1..=4 {
            let mut bench = Bench::new(&shape, shared, sinks, threads);
            // Piece by piece, beside the other: a piece of a prompt, single tokens, the rest.
            let cut = KV_BLOCK + 3;
            let (blocks_one, blocks_other) = (blocks(2, one.len), blocks(0, other.len));
            let mut found_one = bench.attend(&[(&one, 0..cut, &blocks_one)]);
            let mut found_other = Vec::new();
            let width = shape.heads * shape.value_dim;
            for step in 0..5 {
                let at = cut + step;
                let (from, to) = (step * other.len / 5, (step + 1) * other.len / 5);
                let both = bench.attend(&[(&other, from..to, &blocks_other), (&one, at..at + 1, &blocks_one)]);
                let (other_rows, one_row) = both.split_at((to - from) * width);
                found_other.extend_from_slice(other_rows);
                found_one.extend_from_slice(one_row);
            }
            found_one.extend(bench.attend(&[(&one, cut + 5..one.len, &blocks_one)]));
            assert_eq!(found_one, alone_one, "{threads} threads, {shape:?}");
            assert_eq!(found_other, alone_other, "{threads} threads, {shape:?}");
        }
    }
}

#[test]
fn all_tile_heights_and_compilations_agree() {
    let (shape, shared, _) = shapes().remove(1);
    let sequence = Sequence::new(&shape, KV_BLOCK + 9, 3);
    let mut bench = Bench::new(&shape, shared, None, 1);
    let expected = bench.attend(&[(&sequence, 0..sequence.len, &blocks(0, sequence.len))]);
    let span = Span {
        rows: 0..sequence.len,
        start: 0,
        blocks: blocks(0, sequence.len),
    };
    let inputs = AttentionInputs {
        layer: &bench.layer,
        shape: &shape,
        queries: &sequence.queries,
        sinks: None,
        spans: &[],
    };
    let mut found = vec![f32::NAN; expected.len()];
    let out = SharedOut::new(&mut found);
    for kv_head in 0..shape.kv_heads {
        let rows = sequence.len * shape.heads / shape.kv_heads;
        // Heights 1, 2, 4 and 6, and all together.
        for (place, first) in (0..rows).step_by(13).enumerate() {
            let middle = (first + place % 7).min(rows);
            let parts = [first..middle, middle..(first + 13).min(rows)];
            for rows in parts.into_iter().filter(|rows| !rows.is_empty()) {
                let task = Task {
                    inputs: &inputs,
                    span: &span,
                    kv_head,
                    rows,
                };
                attend_rows_body(&task, &mut Vec::new(), &out);
            }
        }
    }
    assert_eq!(found, expected);
}
