//! Launches of products, of the cache and of attention.

use super::attention::{self, Attention};
use super::choose;
use super::gpu::{Gpu, Memory, Products, units_for};
use super::linear::{self, PlaceLaunch};
use super::rope::{self, BLOCK, Placing};
use super::tensor_cores::{self, Kind};
use super::weights::panel_words;
use crate::device::{AttentionShape, CacheShape, Draw, WeightFormat};
use crate::error::EngineError;
use cubecl::Runtime;
use cubecl::prelude::*;

/// Rows that one cube takes of a product with more than one.
const HEIGHT: usize = 8;
/// Up to so many rows the slices of a product with tensor cores run side by side; more go through weights that are brought
/// once for many rows. Either way the numbers are the same. Which of these bounds is best depends on the device: the
/// first is taken until it has been measured.
pub(super) const FEW_ROWS: [usize; 3] = [64, 16, 160];

/// A packed matrix on a device.
pub(crate) struct GpuMatrix {
    words: Memory,
    bias: Option<Memory>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) format: WeightFormat,
}

impl GpuMatrix {
    /// The packed numbers.
    pub(crate) fn words(&self) -> &Memory {
        &self.words
    }
}

/// A part of a tensor: some rows, and of each some columns.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Of the first number.
    pub(crate) first: usize,
    /// From one row to the next.
    pub(crate) stride: usize,
}

/// Keys and values of one layer.
pub(crate) struct GpuCache {
    keys: Memory,
    values: Memory,
    shape: CacheShape,
}

/// The rows of a step: for each its position and where the blocks of its sequence begin, and the blocks.
pub(crate) struct GpuRows {
    pub(crate) rows: Memory,
    pub(crate) blocks: Memory,
}

/// Norms and rotation of heads on their way to attention.
pub(crate) struct Heads<'a> {
    pub(crate) query_norm: Option<(&'a Memory, f32)>,
    pub(crate) key_norm: Option<(&'a Memory, f32)>,
    /// Cosines, sines and half of the columns that turn.
    pub(crate) rope: Option<(&'a Memory, &'a Memory, usize)>,
}

impl<R: Runtime> Gpu<R> {
    /// Brings a matrix, packed in the panels of the CPU, to the device.
    pub(crate) fn matrix(
        &self,
        panels: &[u8],
        bias: Option<&[f32]>,
        (outputs, inputs): (usize, usize),
        format: WeightFormat,
    ) -> Result<GpuMatrix, EngineError> {
        assert_eq!(
            panels.len(),
            outputs.div_ceil(16) * panel_words(inputs, format) * 4,
            "panels are whole"
        );
        Ok(GpuMatrix {
            words: self.lasting(panels)?,
            bias: bias.map(|bias| self.lasting(f32::as_bytes(bias))).transpose()?,
            outputs,
            inputs,
            format,
        })
    }

    /// `input * weight^T + bias` of `rows` rows of a part of `input`, into a part of `out`.
    pub(crate) fn linear(
        &self,
        (input, from): (&Memory, Part),
        weight: &GpuMatrix,
        (out, to): (&Memory, Part),
        rows: usize,
    ) {
        if rows == 0 {
            return;
        }
        let end = |part: Part, width: usize| part.first + (rows - 1) * part.stride + width;
        assert!(end(from, weight.inputs) <= input.len(), "the input has these rows");
        assert!(end(to, weight.outputs) <= out.len(), "the result has these rows");
        match self.products {
            Products::TensorCores if weight.format != WeightFormat::F32 => {
                self.tiles::<half::bf16>((input, from), weight, (out, to), rows);
            }
            #[cfg(all(test, feature = "wgpu"))]
            Products::Imitated if weight.format != WeightFormat::F32 => {
                self.tiles::<f32>((input, from), weight, (out, to), rows);
            }
            _ => self.plain((input, from), weight, (out, to), rows),
        }
    }

    /// With fused multiply-adds. The caller has checked the parts.
    fn plain(&self, (input, from): (&Memory, Part), weight: &GpuMatrix, (out, to): (&Memory, Part), rows: usize) {
        let height = if rows == 1 { 1 } else { HEIGHT };
        let cubes = CubeCount::Static(
            weight.outputs.div_ceil(linear::UNITS) as u32,
            rows.div_ceil(height) as u32,
            1,
        );
        // SAFETY: rows, columns and panels are within the buffers, as asserted here and when the matrix was made.
        unsafe {
            linear::linear::launch_unchecked::<R>(
                &self.client,
                cubes,
                CubeDim::new_1d(linear::UNITS as u32),
                input.arg(),
                weight.words.arg(),
                weight.bias.as_ref().unwrap_or_else(|| self.nothing()).arg(),
                out.arg(),
                PlaceLaunch::new(from.first, from.stride),
                PlaceLaunch::new(to.first, to.stride),
                rows,
                weight.outputs,
                weight.inputs,
                panel_words(weight.inputs, weight.format),
                weight.format,
                weight.bias.is_some(),
                height,
            );
        }
    }

    /// With tensor cores, or as if. The caller has checked the parts.
    fn tiles<E: Float + CubeElement>(
        &self,
        (input, from): (&Memory, Part),
        weight: &GpuMatrix,
        (out, to): (&Memory, Part),
        rows: usize,
    ) {
        let panels = weight.outputs.div_ceil(16);
        let kind = Kind {
            format: weight.format,
            has_bias: weight.bias.is_some(),
            imitated: self.products != Products::TensorCores,
            slices: tensor_cores::slices(weight.inputs),
        };
        let (from, to) = (
            PlaceLaunch::new(from.first, from.stride),
            PlaceLaunch::new(to.first, to.stride),
        );
        macro_rules! launch {
            ($kernel:ident, $cubes:expr, $units:expr) => {
                // SAFETY: rows, columns and panels are within the buffers, as asserted before and when the matrix was
                // made.
                unsafe {
                    tensor_cores::$kernel::launch_unchecked::<E, R>(
                        &self.client,
                        $cubes,
                        CubeDim::new_1d($units as u32),
                        input.arg(),
                        weight.words.arg(),
                        weight.bias.as_ref().unwrap_or_else(|| self.nothing()).arg(),
                        out.arg(),
                        from,
                        to,
                        rows,
                        weight.outputs,
                        weight.inputs,
                        panel_words(weight.inputs, weight.format),
                        tensor_cores::slice_blocks(weight.inputs),
                        kind,
                    );
                }
            };
        }
        if rows <= self.few_rows {
            let cubes = CubeCount::Static(panels as u32, rows.div_ceil(tensor_cores::FEW) as u32, 1);
            launch!(few_rows, cubes, kind.slices * tensor_cores::PLANE);
        } else {
            let (across, down) = (
                rows.div_ceil(tensor_cores::MANY),
                panels.div_ceil(tensor_cores::MANY_PANELS),
            );
            let cubes = CubeCount::Static(across as u32, down as u32, 1);
            launch!(many_rows, cubes, tensor_cores::MANY_UNITS);
        }
    }

    /// Room for `blocks` blocks of a layer. Keys lie transposed, [block, head, column, position]; values
    /// [block, head, position, column]. Where values are columns of keys, keys are kept both ways.
    pub(crate) fn cache(&self, shape: CacheShape, blocks: usize) -> Result<GpuCache, EngineError> {
        let room = |dim: usize| self.lasting_room(blocks * shape.kv_heads * dim * BLOCK);
        Ok(GpuCache {
            keys: room(shape.key_dim)?,
            values: room(value_row(&shape))?,
            shape,
        })
    }

    /// Writes rows of keys and values to their places; without values the keys serve as both.
    pub(crate) fn write(&self, cache: &GpuCache, keys: &Memory, values: Option<&Memory>, rows: &GpuRows) {
        let write = |from: &Memory, room: &Memory, dim: usize, transposed: bool| {
            let (cubes, units) = self.each(from.len());
            // SAFETY: the rows of the batch name blocks that the cache has, which the caller has checked.
            unsafe {
                rope::write::launch_unchecked::<R>(
                    &self.client,
                    cubes,
                    units,
                    from.arg(),
                    rows.rows.arg(),
                    rows.blocks.arg(),
                    room.arg(),
                    cache.shape.kv_heads,
                    dim,
                    from.len(),
                    transposed,
                );
            }
        };
        write(keys, &cache.keys, cache.shape.key_dim, true);
        write(values.unwrap_or(keys), &cache.values, value_row(&cache.shape), false);
    }

    /// Norms and turns the heads of `all`, [rows, (heads + 2 * kv_heads) * dim], writes keys and values to the cache and
    /// gives the queries.
    pub(crate) fn place(
        &self,
        cache: &GpuCache,
        shape: &AttentionShape,
        all: &Memory,
        heads: &Heads<'_>,
        rows: &GpuRows,
    ) -> Memory {
        let count = rows.rows.len() / 2;
        let queries = self.room(count * shape.heads * shape.key_dim);
        let every = shape.heads + 2 * shape.kv_heads;
        assert_eq!(all.len(), count * every * shape.key_dim, "rows have all heads");
        let nothing = self.nothing();
        let (query_scale, query_epsilon) = heads.query_norm.unwrap_or((nothing, 0.0));
        let (key_scale, key_epsilon) = heads.key_norm.unwrap_or((nothing, 0.0));
        let (cos, sin, half) = heads.rope.unwrap_or((nothing, nothing, 0));
        let units = units_for(shape.key_dim).min(128);
        // SAFETY: a cube for every row and head; blocks are the cache's, positions the table's, as the caller has checked.
        unsafe {
            rope::place::launch_unchecked::<R>(
                &self.client,
                CubeCount::Static(count as u32, every as u32, 1),
                CubeDim::new_1d(units as u32),
                all.arg(),
                rows.rows.arg(),
                rows.blocks.arg(),
                query_scale.arg(),
                key_scale.arg(),
                cos.arg(),
                sin.arg(),
                queries.arg(),
                cache.keys.arg(),
                cache.values.arg(),
                query_epsilon,
                key_epsilon,
                Placing {
                    heads: shape.heads,
                    kv_heads: shape.kv_heads,
                    dim: shape.key_dim,
                    half,
                    query_norm: heads.query_norm.is_some(),
                    key_norm: heads.key_norm.is_some(),
                },
                units,
            );
        }
        queries
    }

    /// Lets every query attend to the positions of its sequence up to its own, whose keys and values are in the cache.
    pub(crate) fn attend(
        &self,
        cache: &GpuCache,
        shape: &AttentionShape,
        queries: &Memory,
        sinks: Option<&Memory>,
        rows: &GpuRows,
    ) -> Memory {
        let count = rows.rows.len() / 2;
        assert_eq!(
            queries.len(),
            count * shape.heads * shape.key_dim,
            "rows have all heads"
        );
        let out = self.room(count * shape.heads * shape.value_dim);
        // SAFETY: a cube for every row and head; blocks are the cache's, as the caller has checked.
        unsafe {
            attention::attend::launch_unchecked::<R>(
                &self.client,
                CubeCount::Static(count as u32, shape.heads as u32, 1),
                CubeDim::new_1d(attention::UNITS as u32),
                queries.arg(),
                cache.keys.arg(),
                cache.values.arg(),
                rows.rows.arg(),
                rows.blocks.arg(),
                sinks.unwrap_or_else(|| self.nothing()).arg(),
                out.arg(),
                shape.scale,
                shape.softcap.unwrap_or(1.0),
                Attention {
                    heads: shape.heads,
                    kv_heads: shape.kv_heads,
                    key_dim: shape.key_dim,
                    value_dim: shape.value_dim,
                    value_row: value_row(&cache.shape),
                    window: shape.window.unwrap_or(0),
                    softcap: shape.softcap.is_some(),
                    sinks: sinks.is_some(),
                },
            );
        }
        out
    }

    /// Chooses a token for every draw from its row of logits; [`choose::NOT_A_NUMBER`] where something is not a number.
    pub(crate) fn choose(&self, logits: &Memory, draws: &[Draw]) -> Memory {
        if draws.is_empty() {
            return self.room(0);
        }
        let count = logits.len() / draws.len();
        let words = draws.iter().flat_map(|draw| {
            // Towards zero, so that it stays below 1.
            let uniform = (draw.uniform * 16_777_216.0).floor() as f32 / 16_777_216.0;
            [
                draw.temperature.to_bits(),
                draw.top_p.to_bits(),
                draw.top_k,
                draw.min_p.to_bits(),
                uniform.to_bits(),
            ]
        });
        let words: Vec<u32> = words.collect();
        assert_eq!(words.len(), draws.len() * choose::DRAW_WORDS, "draws are whole");
        let tokens = self.room(draws.len());
        let most = self.client.properties().hardware.max_units_per_cube;
        let units = if most >= 1024 { 1024 } else { 256 };
        // SAFETY: a cube for every row; rows, draws and tokens are as many.
        unsafe {
            choose::choose::launch_unchecked::<R>(
                &self.client,
                CubeCount::Static(draws.len() as u32, 1, 1),
                CubeDim::new_1d(units as u32),
                logits.arg(),
                self.words(&words).arg(),
                tokens.arg(),
                count,
                units,
            );
        }
        tokens
    }
}

/// Numbers from one value to the next.
fn value_row(shape: &CacheShape) -> usize {
    match shape.value_dim {
        0 => shape.key_dim,
        own => own,
    }
}
