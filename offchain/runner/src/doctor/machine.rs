//! What checks look at: a file system, and the few questions that files do not answer.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cocoon_guest::{Endpoint, GpuMode, GuestError};

use crate::limits::{DOCTOR_CONNECT_TIMEOUT, MAX_DOCTOR_FILE_BYTES};

/// The questions that files do not answer.
pub trait Probe {
    /// Whether somebody listens.
    fn connect(&self, endpoint: &Endpoint) -> io::Result<()>;
    /// Whether a TCP port is free.
    fn bind(&self, address: SocketAddr) -> io::Result<()>;
    /// What a program prints on stdout; `NotFound` if there is no such program.
    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<String>;
    /// Bytes that this user may still write below a folder.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
    /// How long a small file takes until it is durable.
    fn sync(&self, folder: &Path) -> io::Result<Duration>;
    /// Unix seconds.
    fn now(&self) -> u64;
    /// How many accelerators the driver knows, and how they run.
    fn gpus(&self) -> Result<(u32, GpuMode), GuestError>;
}

/// A machine that is looked at.
pub struct Machine {
    root: PathBuf,
    probe: Box<dyn Probe>,
}

impl Machine {
    /// A machine whose files are below `root`.
    pub fn new(root: impl Into<PathBuf>, probe: Box<dyn Probe>) -> Self {
        Self {
            root: root.into(),
            probe,
        }
    }

    /// The machine that this process runs on.
    pub fn here() -> Self {
        Self::new("/", Box::new(System))
    }

    pub(super) fn probe(&self) -> &dyn Probe {
        self.probe.as_ref()
    }

    /// The start of a small text file, trimmed; `None` if it cannot be read. `path` has no slash in front.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let file = std::fs::File::open(self.root.join(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_DOCTOR_FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Number of entries of a folder; zero if it is not there.
    pub(super) fn entries(&self, path: &str) -> usize {
        std::fs::read_dir(self.root.join(path)).map_or(0, Iterator::count)
    }

    /// Whether this is a TDX guest.
    pub(super) fn is_guest(&self) -> bool {
        self.exists("dev/tdx_guest") || self.has_cpu_flag("tdx_guest")
    }

    pub(super) fn has_cpu_flag(&self, flag: &str) -> bool {
        let Some(text) = self.text("proc/cpuinfo") else {
            return false;
        };
        let flags = text.lines().find(|line| line.starts_with("flags"));
        flags.is_some_and(|flags| flags.split_whitespace().any(|found| found == flag))
    }
}

/// This system's answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Probe for System {
    fn connect(&self, endpoint: &Endpoint) -> io::Result<()> {
        endpoint.connect(DOCTOR_CONNECT_TIMEOUT).map(drop)
    }

    fn bind(&self, address: SocketAddr) -> io::Result<()> {
        TcpListener::bind(address).map(drop)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<String> {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let space = rustix::fs::statvfs(folder)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn sync(&self, folder: &Path) -> io::Result<Duration> {
        let path = folder.join(format!(".cocoon-doctor-{}", std::process::id()));
        let started = Instant::now();
        let synced = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&[0; 4096]).and_then(|()| file.sync_all()));
        let took = started.elapsed();
        // What could not be made need not be removed.
        let _ = std::fs::remove_file(&path);
        synced.map(|()| took)
    }

    fn now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn gpus(&self) -> Result<(u32, GpuMode), GuestError> {
        let driver = crate::gpu::driver()?;
        Ok(match driver.count()? {
            0 => (0, GpuMode::default()),
            count => (count, driver.mode()?),
        })
    }
}
