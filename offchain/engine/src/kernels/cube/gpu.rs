//! A runtime's device, its memory, and the launches of all kernels but those of products and attention.

use super::rows::{self, Gate};
use super::steps::{FEW_ROWS, GpuMatrix};
use super::{rope, weights};
use crate::device::{Activation, Awaited};
use crate::error::EngineError;
use cubecl::Runtime;
use cubecl::client::ComputeClient;
use cubecl::features::MmaConfig;
use cubecl::prelude::*;
use cubecl::reader::read_sync;
use cubecl::server::Handle;
use cubecl::stream_id::StreamId;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Units of a cube of the kernels in which every unit has a number of its own.
const UNITS: u32 = 256;
/// Cubes along one axis: every runtime allows as many.
const MOST_CUBES: usize = 65_535;

/// Numbers of four bytes in a device's memory. Freed when the last copy of it is dropped.
pub(crate) struct Memory {
    handle: Handle,
    len: usize,
}

impl Memory {
    /// Numbers.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// As an argument of a kernel.
    pub(super) fn arg<R: Runtime>(&self) -> ArrayArg<R> {
        // SAFETY: the buffer was made with as many numbers.
        unsafe { ArrayArg::from_raw_parts(self.handle.clone(), self.len) }
    }
}

/// How matrices other than f32 are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// With fused multiply-adds: the numbers of the CPU, slower.
    Plain,
    /// With tensor cores: inputs rounded to bf16.
    TensorCores,
    /// As with tensor cores, with plain multiplications in their place: what tests run where there are none.
    #[cfg(all(test, feature = "wgpu"))]
    Imitated,
}

/// A device. Launches run in the order in which they were made, also those of different threads.
pub(crate) struct Gpu<R: Runtime> {
    pub(super) client: ComputeClient<R>,
    /// Stands where a kernel wants a buffer that it does not read.
    nothing: Memory,
    pub(super) products: Products,
    /// As in [`FEW_ROWS`].
    pub(super) few_rows: usize,
}

impl<R: Runtime> Gpu<R> {
    /// The runtime's first device.
    pub(crate) fn new(device: &R::Device) -> Self {
        let mut client = R::client(device);
        // SAFETY: one stream for all that this object does; nothing else uses this client.
        unsafe { client.set_stream(StreamId { value: 0 }) };
        let nothing = Memory {
            handle: client.empty(16),
            len: 4,
        };
        let products = if has_tensor_cores(&client) {
            Products::TensorCores
        } else {
            Products::Plain
        };
        Self {
            client,
            nothing,
            products,
            few_rows: FEW_ROWS[0],
        }
    }

    /// Ways of products among which the bits are the same: without tensor cores there is one.
    pub(crate) fn plans(&self) -> usize {
        if self.products == Products::Plain {
            1
        } else {
            FEW_ROWS.len()
        }
    }

    /// Takes one of these ways.
    pub(crate) fn take_plan(&mut self, plan: usize) {
        self.few_rows = FEW_ROWS.get(plan).copied().unwrap_or(FEW_ROWS[0]);
    }

    /// The same device with another kind of products.
    #[cfg(all(test, feature = "wgpu"))]
    pub(crate) fn with_products(self, products: Products) -> Self {
        Self { products, ..self }
    }

    /// A buffer that no kernel reads.
    pub(crate) fn nothing(&self) -> &Memory {
        &self.nothing
    }

    /// Memory for a step, not initialised.
    pub(crate) fn room(&self, len: usize) -> Memory {
        Memory {
            handle: self.client.empty(len.max(1) * 4),
            len,
        }
    }

    /// Memory that stays, not initialised.
    pub(crate) fn lasting_room(&self, len: usize) -> Result<Memory, EngineError> {
        let handle = self
            .client
            .memory_persistent_allocation((), |()| self.client.empty(len.max(1) * 4));
        let handle = handle.map_err(|_| EngineError::Device {
            doing: "taking memory of the device",
        })?;
        Ok(Memory { handle, len })
    }

    /// Brings numbers to the device for a step.
    pub(crate) fn numbers(&self, numbers: &[f32]) -> Memory {
        self.bytes_of(f32::as_bytes(numbers))
    }

    /// Brings whole numbers to the device for a step.
    pub(crate) fn words(&self, words: &[u32]) -> Memory {
        self.bytes_of(u32::as_bytes(words))
    }

    fn bytes_of(&self, bytes: &[u8]) -> Memory {
        if bytes.is_empty() {
            return self.room(0);
        }
        Memory {
            handle: self.client.create_from_slice(bytes),
            len: bytes.len() / 4,
        }
    }

    /// Brings bytes, a multiple of four, to memory that stays.
    pub(crate) fn lasting(&self, bytes: &[u8]) -> Result<Memory, EngineError> {
        if bytes.is_empty() {
            return self.lasting_room(0);
        }
        let create = |()| self.client.create_from_slice(bytes);
        let handle = self.client.memory_persistent_allocation((), create);
        let handle = handle.map_err(|_| EngineError::Device {
            doing: "taking memory of the device",
        })?;
        Ok(Memory {
            handle,
            len: bytes.len() / 4,
        })
    }

    /// Brings numbers to memory that stays.
    pub(crate) fn lasting_numbers(&self, numbers: &[f32]) -> Result<Memory, EngineError> {
        self.lasting(f32::as_bytes(numbers))
    }

    /// Has numbers brought to the host, after all launches before and no later one; what comes back waits for them.
    pub(crate) fn read_later(&self, memory: &Memory) -> Awaited<Vec<u32>> {
        let len = memory.len * 4;
        if len == 0 {
            return Box::new(|| Ok(Vec::new()));
        }
        let (client, handle) = (self.client.clone(), memory.handle.clone());
        let mut read = Box::pin(async move {
            // This queues the copy; what is left to be awaited is its end.
            let read = client.read_async(vec![handle]);
            pause().await;
            read.await
        });
        let is_paused = read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        debug_assert!(is_paused, "nothing is awaited before the pause");
        Box::new(move || {
            let failed = EngineError::Device {
                doing: "reading results",
            };
            let bytes = read_sync(read).ok().and_then(|bytes| bytes.into_iter().next());
            match bytes.as_ref().and_then(|bytes| bytes.get(..len)) {
                Some(bytes) => Ok(u32::from_bytes(bytes).to_vec()),
                None => Err(failed),
            }
        })
    }

    /// Norms groups of as many columns as `scale` has numbers. With `add`, that is added to `input` first, and the sum
    /// stays in `input`.
    pub(crate) fn rms_norm(&self, input: &Memory, add: Option<&Memory>, scale: &Memory, epsilon: f32) -> Memory {
        let out = self.room(input.len);
        let (size, groups) = (scale.len, input.len / scale.len);
        assert_eq!(groups * size, input.len, "groups are as wide as the scale");
        assert!(add.is_none_or(|add| add.len == input.len), "sums are of equal tensors");
        let units = units_for(size);
        // SAFETY: one cube for each group, and the buffers have all groups.
        unsafe {
            rows::rms_norm::launch_unchecked::<R>(
                &self.client,
                spread(groups),
                CubeDim::new_1d(units as u32),
                input.arg(),
                add.unwrap_or(&self.nothing).arg(),
                scale.arg(),
                out.arg(),
                groups,
                size,
                epsilon,
                add.is_some(),
                units,
            );
        }
        out
    }

    /// `sum += other`.
    pub(crate) fn add(&self, sum: &Memory, other: &Memory) {
        assert_eq!(sum.len, other.len, "sums are of equal tensors");
        let (cubes, dim) = self.each(sum.len);
        // SAFETY: both have as many numbers as are counted.
        unsafe { rows::add::launch_unchecked::<R>(&self.client, cubes, dim, sum.arg(), other.arg(), sum.len) };
    }

    /// `input *= factor`.
    pub(crate) fn scale(&self, input: &Memory, factor: f32) {
        let (cubes, dim) = self.each(input.len);
        // SAFETY: it has as many numbers as are counted.
        unsafe { rows::scale::launch_unchecked::<R>(&self.client, cubes, dim, input.arg(), factor, input.len) };
    }

    /// Half as many columns: the second half, scaled by the first. `width` is the half.
    pub(crate) fn gated(&self, gate_up: &Memory, width: usize, activation: Activation) -> Memory {
        let out = self.room(gate_up.len / 2);
        let (kind, alpha, limit) = match activation {
            Activation::Silu => (Gate::Silu, 0.0, 0.0),
            Activation::GeluTanh => (Gate::GeluTanh, 0.0, 0.0),
            Activation::ClampedSwiglu { alpha, limit } => (Gate::ClampedSwiglu, alpha, limit),
        };
        let (cubes, dim) = self.each(out.len);
        // SAFETY: the result is counted, and the input has twice as much.
        unsafe {
            rows::gated::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                gate_up.arg(),
                out.arg(),
                width,
                out.len,
                alpha,
                limit,
                kind,
            );
        }
        out
    }

    /// `width` columns from `first` on, of `stride`.
    pub(crate) fn columns(&self, input: &Memory, first: usize, width: usize, stride: usize) -> Memory {
        assert!(first + width <= stride, "the tensor has these columns");
        let out = self.room(input.len / stride * width);
        let (cubes, dim) = self.each(out.len);
        // SAFETY: the columns lie within the rows.
        unsafe {
            rows::columns::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                input.arg(),
                out.arg(),
                first,
                width,
                stride,
                out.len,
            );
        }
        out
    }

    /// Head by head `left` columns of `one` and `right` of `other`.
    pub(crate) fn join_heads(&self, one: &Memory, other: &Memory, left: usize, right: usize) -> Memory {
        assert_eq!(one.len / left, other.len / right, "both have as many heads");
        let out = self.room(one.len + other.len);
        let (cubes, dim) = self.each(out.len);
        // SAFETY: all heads of both are counted.
        unsafe {
            rows::join_heads::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                one.arg(),
                other.arg(),
                out.arg(),
                left,
                right,
                out.len,
            );
        }
        out
    }

    /// Rows by their numbers, which the caller has checked.
    pub(crate) fn gather(&self, input: &Memory, rows: &Memory, width: usize) -> Memory {
        let out = self.room(rows.len * width);
        let (cubes, dim) = self.each(out.len);
        // SAFETY: the caller has checked the numbers of the rows.
        unsafe {
            rows::gather::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                input.arg(),
                rows.arg(),
                out.arg(),
                width,
                out.len,
            );
        }
        out
    }

    /// Rows of a packed matrix by their numbers, some of which may be those of places in `chosen`: the caller has checked
    /// them.
    pub(crate) fn embed(&self, table: &GpuMatrix, rows: &Memory, chosen: Option<&Memory>) -> Memory {
        let (width, format) = (table.inputs, table.format);
        let out = self.room(rows.len * width);
        let (cubes, dim) = self.each(out.len);
        // SAFETY: the caller has checked the numbers of the rows and of the places; the kernel checks what is chosen.
        unsafe {
            rows::embed::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                table.words().arg(),
                rows.arg(),
                chosen.unwrap_or(&self.nothing).arg(),
                out.arg(),
                width,
                weights::panel_words(width, format),
                table.outputs,
                out.len,
                format,
                chosen.is_some(),
            );
        }
        out
    }

    /// Adds up the results of experts: see the kernel.
    pub(crate) fn mix(
        &self,
        parts: &Memory,
        starts: &Memory,
        places: &Memory,
        weights: &Memory,
        width: usize,
    ) -> Memory {
        let out = self.room((starts.len - 1) * width);
        let (cubes, dim) = self.each(out.len);
        // SAFETY: the caller has made the routes of these rows.
        unsafe {
            rows::mix::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                parts.arg(),
                starts.arg(),
                places.arg(),
                weights.arg(),
                out.arg(),
                width,
                out.len,
            );
        }
        out
    }

    /// Turns heads in place. `rows` as in [`super::attention`]; `table` is cosines and sines, [positions, half] each.
    pub(crate) fn rope(
        &self,
        heads: &Memory,
        rows: &Memory,
        table: (&Memory, &Memory, usize),
        shape: crate::device::RopeHeads,
    ) {
        let (cos, sin, half) = table;
        let count_rows = rows.len / 2;
        let count = count_rows * shape.heads * half;
        let (cubes, dim) = self.each(count);
        // SAFETY: the heads lie within the rows, and positions within the table.
        unsafe {
            rope::rope::launch_unchecked::<R>(
                &self.client,
                cubes,
                dim,
                heads.arg(),
                rows.arg(),
                cos.arg(),
                sin.arg(),
                heads.len / count_rows,
                shape.heads,
                shape.stride,
                shape.offset,
                half,
                count,
            );
        }
    }

    /// Cubes for a kernel with one number for each unit.
    pub(super) fn each(&self, count: usize) -> (CubeCount, CubeDim) {
        (spread(count.div_ceil(UNITS as usize)), CubeDim::new_1d(UNITS))
    }
}

/// Is ready when it is asked for the second time.
fn pause() -> impl Future<Output = ()> {
    let mut is_asked = false;
    poll_fn(move |_| match std::mem::replace(&mut is_asked, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
}

/// Units for a group of `size` columns: fixed by the size alone, since it says in which order they are summed.
pub(super) fn units_for(size: usize) -> usize {
    size.next_power_of_two().clamp(32, 256)
}

/// So many cubes or a few more, over two axes where one is too short.
pub(super) fn spread(cubes: usize) -> CubeCount {
    let cubes = cubes.max(1);
    let across = cubes.min(MOST_CUBES);
    CubeCount::Static(across as u32, cubes.div_ceil(across) as u32, 1)
}

/// Whether the device multiplies tiles of 16 by 16 by 16 in bf16 with sums in f32, by planes of 32 units.
fn has_tensor_cores<R: Runtime>(client: &ComputeClient<R>) -> bool {
    let bf16 = half::bf16::as_type_native_unchecked().storage_type();
    let f32 = f32::as_type_native_unchecked().storage_type();
    let wanted = MmaConfig {
        a_type: bf16,
        b_type: bf16,
        cd_type: f32,
        m: 16,
        n: 16,
        k: 16,
    };
    let hardware = &client.properties().hardware;
    client.features().matmul.cmma.contains(&wanted) && hardware.plane_size_min == 32 && hardware.plane_size_max == 32
}
