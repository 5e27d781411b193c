//! A runtime for tests that writes kernels as CUDA C++, as the one for NVIDIA GPUs does, and runs nothing: what is read
//! is zeros. It needs neither driver nor toolkit.
#![allow(clippy::unwrap_used)] // a test

use cubecl::backtrace::BackTrace;
use cubecl::bytes::Bytes;
use cubecl::client::ComputeClient;
use cubecl::cuda::CudaCompiler;
use cubecl::device::{Device, DeviceId, DeviceService, ServerUtilitiesHandle};
use cubecl::future::DynFut;
use cubecl::ir::{
    DeviceProperties, HardwareProperties, MemoryDeviceProperties, TargetProperties, VectorSize, features::Plane,
};
use cubecl::profile::{ProfileDuration, TimingMethod};
use cubecl::server::{
    Binding, ComputeServer, CopyDescriptor, CubeCount, ExecutionMode, IoError, KernelArguments, ProfileError,
    ProfilingToken, ServerCommunication, ServerError, ServerUtilities,
};
use cubecl::stream_id::StreamId;
use cubecl::zspace::{Shape, Strides};
use cubecl::{CubeTask, MemoryAllocationMode, MemoryUsage, Runtime};
use cubecl_cpp::DialectWmmaCompiler;
use cubecl_cpp::cuda::arch::CudaArchitecture;
use cubecl_cpp::cuda::mma::CudaWmmaCompiler;
use cubecl_cpp::shared::{CompilationOptions, CppSupportedFeatures, register_supported_types, register_wmma_features};
use cubecl_runtime::allocator::ContiguousMemoryLayoutPolicy;
use cubecl_runtime::logging::ServerLogger;
use cubecl_runtime::memory_management::ManagedMemoryHandle;
use cubecl_runtime::storage::{ComputeStorage, ManagedResource, StorageHandle, StorageId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A kernel that was started.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Of the function in Rust.
    pub(crate) name: String,
    /// The CUDA C++, or why there is none.
    pub(crate) source: Result<String, String>,
    /// Bytes of shared memory of a cube.
    pub(crate) shared: usize,
    /// Units of a cube.
    pub(crate) units: u32,
}

/// All kernels by architecture and identity.
static WRITTEN: Mutex<BTreeMap<(u32, String), Written>> = Mutex::new(BTreeMap::new());

/// What was written for an architecture so far.
pub(crate) fn written(device: &TextDevice) -> Vec<Written> {
    let all = WRITTEN.lock().unwrap();
    let of_device = all
        .iter()
        .filter(|((architecture, _), _)| *architecture == device.architecture);
    of_device.map(|(_, written)| written.clone()).collect()
}

/// Stands for a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TextDevice {
    /// Compute capability times ten.
    pub(crate) architecture: u32,
}

impl Default for TextDevice {
    fn default() -> Self {
        Self { architecture: 90 }
    }
}

impl Device for TextDevice {
    fn from_id(id: DeviceId) -> Self {
        Self {
            architecture: id.index_id.into(),
        }
    }

    fn to_id(&self) -> DeviceId {
        DeviceId {
            type_id: 70,
            index_id: self.architecture as u16,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TextRuntime;

impl Runtime for TextRuntime {
    type Compiler = CudaCompiler;
    type Server = TextServer;
    type Device = TextDevice;

    fn client(device: &TextDevice) -> ComputeClient<Self> {
        ComputeClient::load(device)
    }

    fn name(_client: &ComputeClient<Self>) -> &'static str {
        "cuda-text"
    }

    fn require_array_lengths() -> bool {
        cubecl::cuda::CudaRuntime::require_array_lengths()
    }

    fn max_cube_count() -> (u32, u32, u32) {
        cubecl::cuda::CudaRuntime::max_cube_count()
    }

    fn can_read_tensor(shape: &Shape, strides: &Strides) -> bool {
        cubecl::cuda::CudaRuntime::can_read_tensor(shape, strides)
    }

    fn target_properties() -> TargetProperties {
        cubecl::cuda::CudaRuntime::target_properties()
    }

    fn enumerate_devices(_: u16, (): &()) -> Vec<DeviceId> {
        vec![TextDevice::default().to_id()]
    }
}

/// Memory that nobody has.
#[derive(Debug)]
pub(crate) struct NoStorage;

impl ComputeStorage for NoStorage {
    type Resource = ();

    fn alignment(&self) -> usize {
        1
    }

    fn get(&mut self, _handle: &StorageHandle) {}

    fn alloc(&mut self, _size: u64) -> Result<StorageHandle, IoError> {
        Err(IoError::UnsupportedIoOperation {
            backtrace: BackTrace::capture(),
        })
    }

    fn dealloc(&mut self, _id: StorageId) {}

    fn flush(&mut self) {}
}

#[derive(Debug)]
pub(crate) struct TextServer {
    architecture: u32,
    utilities: Arc<ServerUtilities<Self>>,
}

impl DeviceService for TextServer {
    fn init(id: DeviceId) -> Self {
        let TextDevice { architecture } = TextDevice::from_id(id);
        let has_tensor_cores = architecture >= 70;
        let hardware = HardwareProperties {
            load_width: 128,
            plane_size_min: 32,
            plane_size_max: 32,
            max_bindings: 1024,
            max_shared_memory_size: 48 * 1024,
            max_cube_count: TextRuntime::max_cube_count(),
            max_units_per_cube: 1024,
            max_cube_dim: (1024, 1024, 64),
            num_streaming_multiprocessors: None,
            num_tensor_cores: has_tensor_cores.then_some(4),
            min_tensor_cores_dim: has_tensor_cores.then_some(8),
            num_cpu_cores: None,
            max_vector_size: VectorSize::MAX,
        };
        let memory = MemoryDeviceProperties {
            max_page_size: 1 << 30,
            alignment: 512,
        };
        let mut properties = DeviceProperties::new(Default::default(), memory, hardware, TimingMethod::System);
        register_supported_types(&mut properties);
        properties.features.memory_reinterpret = true;
        properties.features.alignment = true;
        properties.features.plane.insert(Plane::Ops);
        properties.features.plane.insert(Plane::NonUniformControlFlow);
        if has_tensor_cores {
            properties.features.plane.insert(Plane::Sync);
        }
        let architecture_of = CudaArchitecture { version: architecture };
        register_wmma_features(
            CudaWmmaCompiler::supported_wmma_combinations(&architecture_of),
            &mut properties,
        );
        let policy = ContiguousMemoryLayoutPolicy::new(4);
        let utilities = ServerUtilities::new(properties, Arc::new(ServerLogger::default()), (), policy);
        Self {
            architecture,
            utilities: Arc::new(utilities),
        }
    }

    fn utilities(&self) -> ServerUtilitiesHandle {
        self.utilities.clone()
    }
}

impl ServerCommunication for TextServer {
    const SERVER_COMM_ENABLED: bool = false;
}

impl TextServer {
    /// As the runtime for CUDA has them.
    fn options(&self) -> CompilationOptions {
        CompilationOptions {
            supports_features: CppSupportedFeatures {
                fast_math: true,
                grid_constants: self.architecture >= 70,
                ..CppSupportedFeatures::default()
            },
            ..CompilationOptions::default()
        }
    }
}

impl ComputeServer for TextServer {
    type Kernel = Box<dyn CubeTask<CudaCompiler>>;
    type Info = ();
    type MemoryLayoutPolicy = ContiguousMemoryLayoutPolicy;
    type Storage = NoStorage;

    fn initialize_memory(&mut self, _memory: ManagedMemoryHandle, _size: u64, _stream: StreamId) {}

    fn logger(&self) -> Arc<ServerLogger> {
        self.utilities.logger.clone()
    }

    fn utilities(&self) -> Arc<ServerUtilities<Self>> {
        self.utilities.clone()
    }

    fn read(&mut self, descriptors: Vec<CopyDescriptor>, _stream: StreamId) -> DynFut<Result<Vec<Bytes>, ServerError>> {
        let sizes = descriptors.iter().map(|one| one.handle.size_in_used() as usize);
        let zeros = sizes.map(|size| Bytes::from_bytes_vec(vec![0; size])).collect();
        Box::pin(async move { Ok(zeros) })
    }

    fn write(&mut self, _descriptors: Vec<(CopyDescriptor, Bytes)>, _stream: StreamId) {}

    fn sync(&mut self, _stream: StreamId) -> DynFut<Result<(), ServerError>> {
        Box::pin(async move { Ok(()) })
    }

    fn get_resource(&mut self, _binding: Binding, _stream: StreamId) -> Result<ManagedResource<()>, ServerError> {
        Err(IoError::UnsupportedIoOperation {
            backtrace: BackTrace::capture(),
        }
        .into())
    }

    unsafe fn launch(
        &mut self,
        kernel: Self::Kernel,
        _count: CubeCount,
        _bindings: KernelArguments,
        mode: ExecutionMode,
        _stream: StreamId,
    ) {
        let identity = format!("{:?}", kernel.id());
        let address = kernel.address_type();
        let compiled = kernel.compile(&mut CudaCompiler::default(), &self.options(), mode, address);
        let written = match compiled {
            Ok(compiled) => Written {
                // A kernel that is generic over its element has `<E>` behind its name, written so.
                name: compiled.entrypoint_name.trim_end_matches("_e_").to_owned(),
                shared: compiled.repr.map_or(0, |repr| repr.shared_memory_size()),
                units: compiled.cube_dim.num_elems(),
                source: Ok(compiled.source),
            },
            Err(error) => Written {
                name: kernel.name().to_owned(),
                shared: 0,
                units: 0,
                source: Err(error.to_string()),
            },
        };
        WRITTEN.lock().unwrap().insert((self.architecture, identity), written);
    }

    fn flush(&mut self, _stream: StreamId) -> Result<(), ServerError> {
        Ok(())
    }

    fn memory_usage(&mut self, _stream: StreamId) -> Result<MemoryUsage, ServerError> {
        Ok(MemoryUsage {
            number_allocs: 0,
            bytes_in_use: 0,
            bytes_padding: 0,
            bytes_reserved: 0,
        })
    }

    fn memory_cleanup(&mut self, _stream: StreamId) {}

    fn start_profile(&mut self, _stream: StreamId) -> Result<ProfilingToken, ServerError> {
        Ok(ProfilingToken { id: 0 })
    }

    fn end_profile(&mut self, _stream: StreamId, _token: ProfilingToken) -> Result<ProfileDuration, ProfileError> {
        Err(ProfileError::NotRegistered {
            backtrace: BackTrace::capture(),
        })
    }

    fn allocation_mode(&mut self, _mode: MemoryAllocationMode, _stream: StreamId) {}
}
