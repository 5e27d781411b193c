//! Quotes from the kernel: `configfs-tsm`, Linux 6.7 and later (Documentation/ABI/testing/configfs-tsm-report).
//!
//! A folder made below `tsm/report` is one request: 64 bytes go into `inblob`, the quote comes out of `outblob`, and
//! `generation` counts writes, so that a request which somebody else disturbed is noticed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use cocoon_attest::{Evidence, REPORT_DATA_BYTES};

use crate::limits::{CONFIGFS_ATTEMPTS, CONFIGFS_PAUSE, MAX_ATTRIBUTE_BYTES, MAX_QUOTE_BYTES};
use crate::tree::{Disk, Tree};
use crate::{GuestError, QuoteSource};

/// Where the kernel takes requests.
pub const CONFIGFS_REPORTS: &str = "/sys/kernel/config/tsm/report";

/// What the kernel of a TDX guest calls itself.
const PROVIDER: &str = "tdx_guest";

/// The kernel's quotes.
pub struct Configfs {
    reports: PathBuf,
    tree: Box<dyn Tree>,
    pause: Duration,
}

impl Configfs {
    /// Requests below the folder `reports`, which is [`CONFIGFS_REPORTS`] in a guest.
    pub fn new(reports: impl Into<PathBuf>) -> Self {
        Self::with_tree(reports.into(), Box::new(Disk), CONFIGFS_PAUSE)
    }

    fn with_tree(reports: PathBuf, tree: Box<dyn Tree>, pause: Duration) -> Self {
        Self { reports, tree, pause }
    }

    fn attribute(&self, path: &Path, limit: u64) -> Result<Vec<u8>, GuestError> {
        let bytes = self.tree.read(path, limit).map_err(GuestError::file("reading", path))?;
        if bytes.len() as u64 > limit {
            return Err(GuestError::TooLong {
                path: path.to_path_buf(),
                limit,
            });
        }
        Ok(bytes)
    }

    fn text(&self, path: &Path) -> Result<String, GuestError> {
        let bytes = self.attribute(path, MAX_ATTRIBUTE_BYTES)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn generation(&self, entry: &Path) -> Result<u64, GuestError> {
        let path = entry.join("generation");
        self.text(&path)?.parse().map_err(|_| GuestError::Attribute {
            path,
            expected: "a number",
        })
    }

    fn ask(&self, entry: &Path, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Vec<u8>, GuestError> {
        let found = self.text(&entry.join("provider"))?;
        if found != PROVIDER {
            return Err(GuestError::Provider { found });
        }
        let (inblob, outblob) = (entry.join("inblob"), entry.join("outblob"));
        let mut last = None;
        for attempt in 0..CONFIGFS_ATTEMPTS {
            if attempt > 0 {
                sleep(self.pause * 2_u32.pow(attempt - 1));
            }
            let outcome = self.attempt(entry, &inblob, &outblob, report_data);
            match outcome {
                Ok(Some(quote)) => return Ok(quote),
                Ok(None) => last = None,
                Err(GuestError::File { source, .. }) if is_passing(&source) => last = Some(source),
                Err(error) => return Err(error),
            }
        }
        let attempts = CONFIGFS_ATTEMPTS;
        Err(match last {
            Some(source) => GuestError::Busy { attempts, source },
            None => GuestError::Conflict { attempts },
        })
    }

    /// One request; `None` if somebody else wrote to the entry meanwhile.
    fn attempt(
        &self,
        entry: &Path,
        inblob: &Path,
        outblob: &Path,
        report_data: &[u8; REPORT_DATA_BYTES],
    ) -> Result<Option<Vec<u8>>, GuestError> {
        let before = self.generation(entry)?;
        self.tree
            .write(inblob, report_data)
            .map_err(GuestError::file("writing", inblob))?;
        let quote = self.attribute(outblob, MAX_QUOTE_BYTES as u64)?;
        let ours = self.generation(entry)? == before.wrapping_add(1);
        Ok(ours.then_some(quote))
    }
}

/// Whether the kernel may do better at the next attempt: another quote is under way, a signal came, the host was slow,
/// or the entry was written while it was read.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

impl QuoteSource for Configfs {
    fn quote(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Vec<u8>, GuestError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // An entry of its own for each request: then nobody else writes to it.
        let name = format!("cocoon-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let entry = self.reports.join(name);
        self.tree
            .create_folder(&entry)
            .map_err(GuestError::file("making", &entry))?;
        let quote = self.ask(&entry, report_data);
        if let Err(error) = self.tree.remove_folder(&entry) {
            tracing::warn!(%error, entry = %entry.display(), "an entry of the kernel's reports stays behind");
        }
        checked(quote?, report_data)
    }
}

/// A quote that says what was asked for.
pub(crate) fn checked(quote: Vec<u8>, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Vec<u8>, GuestError> {
    let evidence = Evidence::parse(&quote).map_err(GuestError::NoQuote)?;
    if evidence.unverified_report_data() != *report_data {
        return Err(GuestError::OtherReportData);
    }
    Ok(quote)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};
    use std::sync::{Arc, Mutex};

    use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};

    use super::*;

    /// What the next reading of `outblob` does.
    #[derive(Clone, Copy, Debug)]
    enum Outcome {
        Fails(io::ErrorKind),
        Disturbed,
    }

    #[derive(Default)]
    struct Entry {
        generation: u64,
        inblob: Vec<u8>,
    }

    /// The kernel as its documentation describes it.
    struct Kernel {
        provider: &'static str,
        outcomes: VecDeque<Outcome>,
        entries: BTreeMap<PathBuf, Entry>,
        made: Vec<PathBuf>,
        other_data: bool,
        long: bool,
    }

    #[derive(Clone)]
    struct Played(Arc<Mutex<Kernel>>);

    fn missing() -> io::Error {
        io::ErrorKind::NotFound.into()
    }

    impl Tree for Played {
        fn create_folder(&self, path: &Path) -> io::Result<()> {
            let mut kernel = self.0.lock().unwrap();
            kernel.made.push(path.to_path_buf());
            match kernel.entries.insert(path.to_path_buf(), Entry::default()) {
                None => Ok(()),
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            }
        }

        fn remove_folder(&self, path: &Path) -> io::Result<()> {
            self.0
                .lock()
                .unwrap()
                .entries
                .remove(path)
                .map(drop)
                .ok_or_else(missing)
        }

        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            assert_eq!(path.file_name().unwrap(), "inblob");
            let mut kernel = self.0.lock().unwrap();
            let entry = kernel.entries.get_mut(path.parent().unwrap()).ok_or_else(missing)?;
            entry.generation += 1;
            entry.inblob = bytes.to_vec();
            Ok(())
        }

        fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
            let mut kernel = self.0.lock().unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            let outcome = if name == "outblob" {
                kernel.outcomes.pop_front()
            } else {
                None
            };
            let (provider, other_data, long) = (kernel.provider, kernel.other_data, kernel.long);
            let entry = kernel.entries.get_mut(path.parent().unwrap()).ok_or_else(missing)?;
            match (name, outcome) {
                ("provider", _) => Ok(format!("{provider}\n").into_bytes()),
                ("generation", _) => Ok(format!("{}\n", entry.generation).into_bytes()),
                ("outblob", Some(Outcome::Fails(kind))) => Err(kind.into()),
                ("outblob", outcome) => {
                    if matches!(outcome, Some(Outcome::Disturbed)) {
                        entry.generation += 1;
                        entry.inblob = vec![0xee; 64];
                    }
                    let mut data: [u8; 64] = entry.inblob.as_slice().try_into().unwrap();
                    data[0] ^= u8::from(other_data);
                    let mut quote = quote(&data);
                    if long {
                        quote.resize(MAX_QUOTE_BYTES + 100, 0);
                    }
                    quote.truncate(usize::try_from(limit + 1).unwrap());
                    Ok(quote)
                }
                _ => Err(missing()),
            }
        }
    }

    fn quote(report_data: &[u8; 64]) -> Vec<u8> {
        static PLATFORM: std::sync::LazyLock<SimulatedPlatform> =
            std::sync::LazyLock::new(|| SimulatedPlatform::generate().unwrap());
        PLATFORM.issue(&simulated_measurements("worker"), report_data).unwrap()
    }

    fn kernel(outcomes: impl IntoIterator<Item = Outcome>) -> Kernel {
        Kernel {
            provider: "tdx_guest",
            outcomes: outcomes.into_iter().collect(),
            entries: BTreeMap::new(),
            made: Vec::new(),
            other_data: false,
            long: false,
        }
    }

    fn ask(kernel: Kernel) -> (Result<Vec<u8>, GuestError>, Arc<Mutex<Kernel>>) {
        let kernel = Arc::new(Mutex::new(kernel));
        let tree = Box::new(Played(Arc::clone(&kernel)));
        let source = Configfs::with_tree("/reports".into(), tree, Duration::ZERO);
        (source.quote(&[9; 64]), kernel)
    }

    #[test]
    fn the_quote_carries_the_report_data_and_the_entry_is_removed() {
        let (quote, kernel) = ask(kernel([]));
        let evidence = Evidence::parse(&quote.unwrap()).unwrap();
        assert_eq!(evidence.unverified_report_data(), [9; 64]);
        let kernel = kernel.lock().unwrap();
        assert!(kernel.entries.is_empty());
        assert_eq!(kernel.made.len(), 1);
    }

    #[test]
    fn a_busy_interrupted_or_slow_kernel_is_asked_again() {
        use io::ErrorKind::{Interrupted, ResourceBusy, TimedOut, WouldBlock};
        let passing = [ResourceBusy, Interrupted, TimedOut, WouldBlock].map(Outcome::Fails);
        assert!(ask(kernel(passing)).0.is_ok());
        let (refused, kernel) = ask(kernel([Outcome::Fails(ResourceBusy); CONFIGFS_ATTEMPTS as usize]));
        assert!(matches!(
            refused,
            Err(GuestError::Busy {
                attempts: CONFIGFS_ATTEMPTS,
                ..
            })
        ));
        assert!(kernel.lock().unwrap().entries.is_empty());
    }

    #[test]
    fn a_kernel_that_fails_otherwise_is_not_asked_again() {
        let (refused, kernel) = ask(kernel([Outcome::Fails(io::ErrorKind::Other)]));
        assert!(matches!(refused, Err(GuestError::File { doing: "reading", .. })));
        let kernel = kernel.lock().unwrap();
        assert!(kernel.outcomes.is_empty() && kernel.entries.is_empty());
    }

    #[test]
    fn a_quote_for_somebody_else_is_asked_for_again() {
        let quote = ask(kernel([Outcome::Disturbed])).0.unwrap();
        assert_eq!(Evidence::parse(&quote).unwrap().unverified_report_data(), [9; 64]);
        let always = [Outcome::Disturbed; CONFIGFS_ATTEMPTS as usize];
        assert!(matches!(ask(kernel(always)).0, Err(GuestError::Conflict { .. })));
    }

    #[test]
    fn another_provider_is_refused_before_anything_is_written() {
        let mut other = kernel([]);
        other.provider = "sev_guest";
        let (refused, kernel) = ask(other);
        assert!(matches!(refused, Err(GuestError::Provider { found }) if found == "sev_guest"));
        assert!(kernel.lock().unwrap().entries.is_empty());
    }

    #[test]
    fn other_report_data_and_long_answers_are_refused() {
        let mut other = kernel([]);
        other.other_data = true;
        assert!(matches!(ask(other).0, Err(GuestError::OtherReportData)));
        let mut long = kernel([]);
        long.long = true;
        assert!(matches!(ask(long).0, Err(GuestError::TooLong { .. })));
    }

    #[test]
    fn a_folder_that_is_no_configfs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Configfs::new(folder.path()).quote(&[0; 64]).unwrap_err();
        assert!(error.to_string().contains("provider"), "{error}");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
        let missing = Configfs::new(folder.path().join("none")).quote(&[0; 64]).unwrap_err();
        assert!(matches!(missing, GuestError::File { doing: "making", .. }));
    }
}
