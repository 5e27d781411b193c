//! One rank's part of a model, for tensor parallelism (arXiv 1909.08053, section 3): every matrix is cut so that a layer
//! needs two sums over ranks, one after attention and one after the feed-forward.
//!
//! - Attention: whole heads go to ranks. Where there are fewer heads of keys and values than ranks, several ranks have
//!   the same one. The output projection is cut by columns.
//! - Latent attention: heads go to ranks; the latent, which all heads look at, is with every rank.
//! - Feed-forwards, those of experts too: the middle is cut, so every rank has its part of every expert and the same
//!   work, whichever experts are chosen. Routers are with every rank.
//! - Embedding and head: by tokens of the vocabulary.
//! - Biases of what is summed are with rank 0 alone.

use super::source::Source;
use super::spec::{
    AttentionSpec, FeedSpec, GatedSpec, GroupedSpec, LatentQuerySpec, LatentSpec, LinearSpec, ModelSpec,
};
use crate::error::EngineError;
use std::ops::Range;

/// Columns of weights in q8 and q4 that have a scale in common: where there are enough, cuts lie between such blocks.
const BLOCK: usize = 32;

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Below `ranks`.
    pub(crate) rank: usize,
    /// At least 1.
    pub(crate) ranks: usize,
}

impl Shard {
    /// All shards, by rank.
    pub(crate) fn all(ranks: usize) -> impl Iterator<Item = Self> {
        (0..ranks).map(move |rank| Self { rank, ranks })
    }

    /// The part of a model that is this rank's: sums of what the layers of all ranks give are those of the whole model.
    pub(crate) fn of(self, spec: &ModelSpec) -> Result<ModelSpec, EngineError> {
        let mut part = spec.clone();
        if self.ranks == 1 {
            return Ok(part);
        }
        let tokens = self.tokens(spec)?;
        part.embedding = spec.embedding.with_outputs(std::slice::from_ref(&tokens));
        part.head = spec.head.as_ref().map(|head| head.with_outputs(&[tokens]));
        for layer in &mut part.layers {
            match &mut layer.attention {
                AttentionSpec::Grouped(grouped) => self.cut_grouped(grouped)?,
                AttentionSpec::Latent(latent) => self.cut_latent(latent)?,
            }
            match &mut layer.feed {
                FeedSpec::Dense(gated) => self.cut_gated(gated)?,
                FeedSpec::Experts(experts) => {
                    for gated in experts.experts.iter_mut().chain(&mut experts.shared) {
                        self.cut_gated(gated)?;
                    }
                }
            }
        }
        Ok(part)
    }

    /// The tokens whose rows of embedding and head are this rank's.
    pub(crate) fn tokens(self, spec: &ModelSpec) -> Result<Range<usize>, EngineError> {
        self.share(spec.embedding.outputs(), "tokens of the vocabulary")
    }

    /// This rank's share of so many things; shares differ by one at most, and none is empty.
    fn share(self, count: usize, of: &'static str) -> Result<Range<usize>, EngineError> {
        if count < self.ranks {
            return Err(EngineError::Ranks {
                ranks: self.ranks,
                limit: count,
                of,
            });
        }
        let border = |rank: usize| rank * count / self.ranks;
        Ok(border(self.rank)..border(self.rank + 1))
    }

    /// This rank's heads of queries, and the heads of keys and values that they read.
    fn heads(self, heads: usize, kv_heads: usize) -> Result<(Range<usize>, Range<usize>), EngineError> {
        let group = heads / kv_heads;
        if kv_heads >= self.ranks {
            let kv = self.share(kv_heads, "heads of keys and values")?;
            return Ok((kv.start * group..kv.end * group, kv));
        }
        // The ranks that have the same head share its queries out.
        let head_of = |rank: usize| rank * kv_heads / self.ranks;
        let kv = head_of(self.rank);
        let same: Vec<usize> = (0..self.ranks).filter(|rank| head_of(*rank) == kv).collect();
        let among = Self {
            rank: self.rank - same.first().copied().unwrap_or(0),
            ranks: same.len(),
        };
        if group < among.ranks {
            return Err(EngineError::Ranks {
                ranks: self.ranks,
                limit: heads,
                of: "heads of queries",
            });
        }
        let queries = among.share(group, "heads of queries")?;
        Ok((kv * group + queries.start..kv * group + queries.end, kv..kv + 1))
    }

    fn cut_grouped(self, spec: &mut GroupedSpec) -> Result<(), EngineError> {
        let (heads, kv) = self.heads(spec.heads, spec.kv_heads)?;
        let (wide, narrow) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let rows = |first: usize, heads: &Range<usize>| columns(first, heads, spec.head_dim);
        let ranges = [rows(0, &heads), rows(wide, &kv), rows(wide + narrow, &kv)];
        spec.query_key_value = with_outputs(&spec.query_key_value, &ranges);
        spec.output = self.with_inputs(&spec.output, &columns(0, &heads, spec.head_dim));
        let own = std::slice::from_ref(&heads);
        spec.sinks = spec.sinks.as_ref().map(|sinks| sinks.with_outputs(own));
        (spec.heads, spec.kv_heads) = (heads.len(), kv.len());
        Ok(())
    }

    fn cut_latent(self, spec: &mut LatentSpec) -> Result<(), EngineError> {
        let heads = self.share(spec.heads, "heads of queries")?;
        let value_dim = spec.value_up.first().map_or(0, |up| up.weight.outputs());
        let turned = spec.heads * spec.nope_dim;
        let rows = [
            columns(0, &heads, spec.nope_dim),
            columns(turned, &heads, spec.rope_dim),
        ];
        let (LatentQuerySpec::Direct(query) | LatentQuerySpec::Narrow { up: query, .. }) = &mut spec.query;
        *query = with_outputs(query, &rows);
        spec.key_up = spec.key_up[heads.clone()].to_vec();
        spec.value_up = spec.value_up[heads.clone()].to_vec();
        spec.output = self.with_inputs(&spec.output, &columns(0, &heads, value_dim));
        spec.heads = heads.len();
        Ok(())
    }

    fn cut_gated(self, spec: &mut GatedSpec) -> Result<(), EngineError> {
        const OF: &str = "columns of a feed-forward";
        let width = spec.down.weight.inputs();
        let blocks = width / BLOCK;
        let own = if width.is_multiple_of(BLOCK) && blocks >= self.ranks {
            columns(0, &self.share(blocks, OF)?, BLOCK)
        } else {
            self.share(width, OF)?
        };
        let up = width + own.start..width + own.end;
        spec.gate_up = with_outputs(&spec.gate_up, &[own.clone(), up]);
        spec.down = self.with_inputs(&spec.down, &own);
        Ok(())
    }

    /// Some columns of a matrix whose results are summed over ranks.
    fn with_inputs(self, spec: &LinearSpec, inputs: &Range<usize>) -> LinearSpec {
        LinearSpec {
            weight: spec.weight.with_inputs(inputs),
            bias: spec.bias.clone().filter(|_| self.rank == 0),
        }
    }
}

/// Some outputs of a matrix.
fn with_outputs(spec: &LinearSpec, outputs: &[Range<usize>]) -> LinearSpec {
    let of = |source: &Source| source.with_outputs(outputs);
    LinearSpec {
        weight: of(&spec.weight),
        bias: spec.bias.as_ref().map(of),
    }
}

/// The columns of some of the heads (or blocks) that lie side by side from column `first` on, each `size` wide.
fn columns(first: usize, heads: &Range<usize>, size: usize) -> Range<usize> {
    first + heads.start * size..first + heads.end * size
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(ranks: usize, heads: usize, kv_heads: usize) -> Vec<(Range<usize>, Range<usize>)> {
        Shard::all(ranks)
            .map(|shard| shard.heads(heads, kv_heads).unwrap())
            .collect()
    }

    #[test]
    fn heads_of_keys_are_split_and_else_repeated() {
        assert_eq!(heads(2, 16, 8), [(0..8, 0..4), (8..16, 4..8)]);
        assert_eq!(heads(2, 6, 3), [(0..2, 0..1), (2..6, 1..3)]);
        assert_eq!(
            heads(4, 16, 2),
            [(0..4, 0..1), (4..8, 0..1), (8..12, 1..2), (12..16, 1..2)]
        );
        assert_eq!(heads(3, 8, 2), [(0..2, 0..1), (2..4, 0..1), (4..8, 1..2)]);
        let too_many = Shard { rank: 0, ranks: 4 }.heads(2, 1);
        assert!(matches!(too_many, Err(EngineError::Ranks { ranks: 4, limit: 2, .. })));
    }

    #[test]
    fn every_head_is_with_one_rank_and_reads_its_own_keys() {
        for kv_heads in 1..=8 {
            for group in 1..=8 {
                for ranks in 1..=8 {
                    let shards = Shard::all(ranks).map(|shard| shard.heads(kv_heads * group, kv_heads));
                    let Ok(shards) = shards.collect::<Result<Vec<_>, _>>() else {
                        assert!(ranks > kv_heads && kv_heads * group < ranks * 2);
                        continue;
                    };
                    let mut next = 0;
                    for (queries, kv) in shards {
                        assert_eq!(queries.start, next);
                        next = queries.end;
                        // What the device computes: head `h` of the rank reads key head `h / (heads / kv_heads)`.
                        assert!(!queries.is_empty() && queries.len().is_multiple_of(kv.len()));
                        for (own, head) in queries.clone().enumerate() {
                            assert_eq!(kv.start + own / (queries.len() / kv.len()), head / group);
                        }
                    }
                    assert_eq!(next, kv_heads * group);
                }
            }
        }
    }
}
