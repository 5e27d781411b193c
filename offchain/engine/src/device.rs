//! The operations that a model is made of, and the devices that do them.
//!
//! A tensor is [rows, width] of f32, one row for each token of the batch. **Invariant:** every row of a result depends on
//! the same row of the inputs (and, for attention, on its own sequence) alone, and its sums run in an order that does not
//! depend on how many rows there are.

mod burn;
mod by_expert;
mod cpu;
#[cfg(feature = "cube")]
mod cube;
mod dry;
pub(crate) mod rounding;
mod tally;

pub(crate) use burn::BurnDevice;
pub(crate) use cpu::CpuDevice;
#[cfg(feature = "cube")]
pub(crate) use cube::CubeDevice;
pub(crate) use dry::{DryDevice, DryTensor, Ledger};
pub(crate) use tally::{Tally, TallyDevice};

use crate::error::EngineError;
use crate::kernels::matrix::PackedMatrix;
use crate::model::Batch;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// How the numbers of matrices are stored on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WeightFormat {
    /// As the checkpoint has them, in 32 bits.
    #[default]
    F32,
    /// The upper half of an f32.
    Bf16,
    /// Blocks of 32 along the inputs: signed bytes and an f16 scale (the numbers of GGUF's `q8_0`).
    Q8,
    /// Blocks of 32 along the inputs: four bits less 8 and an f16 scale (the numbers of GGUF's `q4_0`).
    Q4,
}

impl WeightFormat {
    /// All, from the largest to the smallest.
    pub const ALL: [Self; 4] = [Self::F32, Self::Bf16, Self::Q8, Self::Q4];

    /// As options and manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    /// The format of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A matrix in a checkpoint, read row by row so that it never lies in memory as a whole.
pub(crate) trait MatrixRows: Sync {
    /// Rows.
    fn outputs(&self) -> usize;
    /// Columns.
    fn inputs(&self) -> usize;
    /// Fills `rows`, a whole number of rows, from row `first` on.
    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError>;

    /// The matrix as [`crate::kernels`] have it, where a folder was packed ahead of time.
    fn packed(&self) -> Option<&PackedMatrix> {
        None
    }

    /// The format of blocks that the checkpoint has already; its blocks are then taken over as they are.
    fn stored_blocks(&self) -> Option<WeightFormat> {
        None
    }

    /// Fills `blocks` with the blocks of whole rows from row `first` on, each as GGUF lays it out. Only for what
    /// [`Self::stored_blocks`] names.
    fn read_blocks(&self, first: usize, blocks: &mut [u8]) -> Result<(), EngineError> {
        let _ = (first, blocks);
        Err(EngineError::Device {
            doing: "reading blocks that the weights do not have",
        })
    }
}

/// Cosines and sines of rotary positions, computed on the host: [positions, half] each, row after row.
pub(crate) struct RopeTable {
    pub(crate) half: usize,
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

/// Which columns of a tensor hold heads that are turned: head `h` begins at column `h * stride + offset`, and there its
/// first `2 * half` columns turn in the way of GPT-NeoX (column `i` with column `i + half`); others stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RopeHeads {
    pub(crate) heads: usize,
    pub(crate) stride: usize,
    pub(crate) offset: usize,
}

/// The cache of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheShape {
    pub(crate) kv_heads: usize,
    pub(crate) key_dim: usize,
    /// 0: there are no values of their own; the values are the first `AttentionShape::value_dim` columns of the keys.
    pub(crate) value_dim: usize,
}

/// What attention computes. Query head `h` reads key head `h / (heads / kv_heads)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionShape {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) key_dim: usize,
    pub(crate) value_dim: usize,
    /// Of the products of queries and keys.
    pub(crate) scale: f32,
    /// Positions that a token sees, itself included; `None` for all.
    pub(crate) window: Option<usize>,
    /// `cap * tanh(score / cap)` before the softmax.
    pub(crate) softcap: Option<f32>,
}

/// The function between the two halves of a gated feed-forward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Activation {
    /// `gate * sigmoid(gate) * up`.
    Silu,
    /// `gelu(gate) * up` with the tanh approximation.
    GeluTanh,
    /// GPT-OSS: gate clamped from above, up from both sides by `limit`; `gate * sigmoid(alpha * gate) * (up + 1)`.
    ClampedSwiglu {
        /// Of the sigmoid.
        alpha: f32,
        /// Of the clamps.
        limit: f32,
    },
}

/// One expert's matrices.
pub(crate) struct Expert<D: Device + ?Sized> {
    /// [2 * width, hidden]: the gate's rows, then the up projection's.
    pub(crate) gate_up: D::Matrix,
    /// [hidden, width].
    pub(crate) down: D::Matrix,
}

/// That a row goes through an expert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Route {
    pub(crate) row: usize,
    pub(crate) expert: usize,
    /// Its output's part in the sum.
    pub(crate) weight: f32,
}

/// How one token is chosen from its logits: the sampling parameters that need no history, and the random number of its
/// place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Draw {
    /// 0 takes the likeliest.
    pub(crate) temperature: f32,
    /// 1 for all tokens.
    pub(crate) top_p: f32,
    /// 0 for all tokens.
    pub(crate) top_k: u32,
    /// 0 for all tokens.
    pub(crate) min_p: f32,
    /// In [0, 1).
    pub(crate) uniform: f64,
}

/// What a device will have done: waits for it and hands it over.
pub(crate) type Awaited<T> = Box<dyn FnOnce() -> Result<T, EngineError> + Send>;

/// For every draw the chosen token; `None` where something in its logits is not a number.
pub(crate) type Choices = Vec<Option<u32>>;

/// What is done with the heads of grouped attention before and while they attend.
pub(crate) struct GroupedHeads<'a, D: Device + ?Sized> {
    /// Scale and epsilon of the norm of every head of the queries.
    pub(crate) query_norm: Option<(&'a D::Vector, f32)>,
    /// The same of the keys.
    pub(crate) key_norm: Option<(&'a D::Vector, f32)>,
    /// Turns heads of queries and keys, from their first column on.
    pub(crate) rope: Option<&'a D::Rope>,
    /// As in [`Device::attend`].
    pub(crate) sinks: Option<&'a D::Vector>,
}

/// A device. All tensors of one call come from the same device; shapes are the caller's duty, and a wrong one is a
/// defect that panics in the device.
pub(crate) trait Device: Send + 'static {
    /// [rows, width] of f32.
    type Tensor;
    /// A matrix, [outputs, inputs], packed once, with an optional bias.
    type Matrix: Send;
    /// Numbers that stay f32: scales of norms, sinks.
    type Vector: Send;
    /// A [`RopeTable`] on the device.
    type Rope: Send;
    /// Keys and values of all layers.
    type Cache: Send;
    /// Tokens that were chosen and lie on the device.
    type Tokens: Send;

    /// Packs a matrix. `bias` has one number for each output.
    fn matrix(
        &mut self,
        rows: &dyn MatrixRows,
        bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<Self::Matrix, EngineError>;
    /// Takes numbers.
    fn vector(&mut self, numbers: &[f32]) -> Result<Self::Vector, EngineError>;
    /// Takes a table.
    fn rope_table(&mut self, table: &RopeTable) -> Result<Self::Rope, EngineError>;
    /// Makes the cache: for each layer, `blocks` blocks.
    fn cache(&mut self, layers: &[CacheShape], blocks: usize) -> Result<Self::Cache, EngineError>;

    /// Takes rows from the host.
    fn tensor(&mut self, width: usize, numbers: &[f32]) -> Self::Tensor;
    /// The rows of `table` with these numbers.
    fn embed(&mut self, table: &Self::Matrix, tokens: &[u32]) -> Self::Tensor;
    /// The same, but a row with a place has the token that `chosen` has there instead: something that is no token there
    /// gives any row. Only where [`Self::chooses`].
    fn embed_chosen(
        &mut self,
        table: &Self::Matrix,
        tokens: &[u32],
        chosen: &Self::Tokens,
        places: &[Option<usize>],
    ) -> Result<Self::Tensor, EngineError> {
        let _ = (table, tokens, chosen, places);
        Err(CHOOSES_NOTHING)
    }
    /// `input * weight^T + bias`.
    fn linear(&mut self, input: &Self::Tensor, weight: &Self::Matrix) -> Self::Tensor;
    /// One matrix for each head: columns `h * inputs .. (h + 1) * inputs` go through `weights[h]`; results side by side.
    fn linear_heads(&mut self, input: &Self::Tensor, weights: &[Self::Matrix]) -> Self::Tensor;
    /// Root mean square norm of every group of as many columns as `scale` has numbers.
    fn rms_norm(&mut self, input: &Self::Tensor, scale: &Self::Vector, epsilon: f32) -> Self::Tensor;
    /// `sum += other`.
    fn add(&mut self, sum: &mut Self::Tensor, other: &Self::Tensor);
    /// `sum += other`, then the norm of `sum`: one operation where a device can.
    fn add_norm(
        &mut self,
        sum: &mut Self::Tensor,
        other: &Self::Tensor,
        scale: &Self::Vector,
        epsilon: f32,
    ) -> Self::Tensor {
        self.add(sum, other);
        self.rms_norm(sum, scale, epsilon)
    }
    /// `input *= factor`.
    fn scale(&mut self, input: &mut Self::Tensor, factor: f32);
    /// The first half of the columns is the gate, the second is scaled by it.
    fn gated(&mut self, gate_up: Self::Tensor, activation: Activation) -> Self::Tensor;
    /// Some columns.
    fn columns(&mut self, input: &Self::Tensor, columns: Range<usize>) -> Self::Tensor;
    /// Head by head the columns of `one`, then those of `other`: `heads` heads in both.
    fn join_heads(&mut self, one: &Self::Tensor, other: &Self::Tensor, heads: usize) -> Self::Tensor;
    /// Some rows.
    fn rows(&mut self, input: &Self::Tensor, rows: &[usize]) -> Self::Tensor;
    /// Turns heads to their positions.
    fn rope(&mut self, heads: &mut Self::Tensor, shape: RopeHeads, table: &Self::Rope, batch: &Batch);
    /// Writes the keys and values of the batch into its blocks of `layer`, then lets every query attend to the positions
    /// up to its own. `queries` is [rows, heads * key_dim], `keys` [rows, kv_heads * key_dim], `values`
    /// [rows, kv_heads * value_dim] or absent, as the cache has them; `sinks` has one number for each head, a score
    /// without a value. Gives [rows, heads * value_dim].
    #[allow(
        clippy::too_many_arguments,
        reason = "one operation; a struct would be taken apart at once"
    )]
    fn attend(
        &mut self,
        cache: &mut Self::Cache,
        layer: usize,
        shape: &AttentionShape,
        queries: &Self::Tensor,
        keys: &Self::Tensor,
        values: Option<&Self::Tensor>,
        sinks: Option<&Self::Vector>,
        batch: &Batch,
    ) -> Self::Tensor;
    /// From the product of queries, keys and values, [rows, (heads + 2 * kv_heads) * key_dim], to what
    /// [`Self::attend`] gives: norms and turns heads, writes the cache, attends. Values are as wide as keys.
    fn attend_grouped(
        &mut self,
        cache: &mut Self::Cache,
        layer: usize,
        shape: &AttentionShape,
        all: Self::Tensor,
        heads: &GroupedHeads<'_, Self>,
        batch: &Batch,
    ) -> Self::Tensor {
        let (wide, narrow) = (shape.heads * shape.key_dim, shape.kv_heads * shape.key_dim);
        let query = self.columns(&all, 0..wide);
        let key = self.columns(&all, wide..wide + narrow);
        let value = self.columns(&all, wide + narrow..wide + 2 * narrow);
        drop(all);
        let mut place = |mut tensor: Self::Tensor, count, norm: Option<(&Self::Vector, f32)>| {
            if let Some((scale, epsilon)) = norm {
                tensor = self.rms_norm(&tensor, scale, epsilon);
            }
            if let Some(table) = heads.rope {
                let turned = RopeHeads {
                    heads: count,
                    stride: shape.key_dim,
                    offset: 0,
                };
                self.rope(&mut tensor, turned, table, batch);
            }
            tensor
        };
        let query = place(query, shape.heads, heads.query_norm);
        let key = place(key, shape.kv_heads, heads.key_norm);
        self.attend(cache, layer, shape, &query, &key, Some(&value), heads.sinks, batch)
    }
    /// Sends rows through experts and adds what comes out, for each row in the order of `routes`. A row without a route
    /// becomes zeros.
    fn experts(
        &mut self,
        input: &Self::Tensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> Self::Tensor;
    /// How many ways there are to do products with the same bits, of which one may be faster: at least 1.
    fn plans(&self) -> usize {
        1
    }
    /// Does products from now on in one of these ways; the first is taken without this.
    fn take_plan(&mut self, plan: usize) {
        let _ = plan;
    }
    /// How many steps may be under way when another is started: 0 where operations are done when they have been asked
    /// for. A device does its operations in the order in which it was asked.
    fn ahead(&self) -> usize {
        0
    }
    /// Whether [`Self::choose`] may be asked.
    fn chooses(&self) -> bool {
        false
    }
    /// Chooses a token from every row of logits, so that logits need not leave the device. Does not wait for it. The
    /// order of tokens and the random number are those of the host's sampler; sums may be rounded otherwise.
    fn choose(
        &mut self,
        logits: Self::Tensor,
        draws: &[Draw],
    ) -> Result<(Self::Tokens, Awaited<Choices>), EngineError> {
        let _ = (logits, draws);
        Err(CHOOSES_NOTHING)
    }
    /// Reads a tensor, row after row.
    fn host(&mut self, input: Self::Tensor) -> Result<Vec<f32>, EngineError>;
    /// The same without waiting for it, and for nothing that is asked for later.
    fn host_later(&mut self, input: Self::Tensor) -> Result<Awaited<Vec<f32>>, EngineError> {
        let numbers = self.host(input)?;
        Ok(Box::new(move || Ok(numbers)))
    }
}

const CHOOSES_NOTHING: EngineError = EngineError::Device {
    doing: "choosing tokens, which it cannot",
};
