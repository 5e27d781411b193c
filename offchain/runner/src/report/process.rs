//! What the process costs, by its kernel and its runtime.

use std::sync::OnceLock;

use tokio::time::Instant;

use super::{Exposition, Metric};

/// Ticks of `/proc/self/stat` in a second: a constant of Linux's interface.
const TICKS: f64 = 100.0;

const MEMORY: Metric = Metric::gauge("process_resident_memory_bytes", "Memory of the whole process.");
const CPU: Metric = Metric::counter("process_cpu_seconds_total", "CPU time of the whole process.");
const UPTIME: Metric = Metric::gauge(
    "cocoon_process_uptime_seconds",
    "Since the first daemon of the process started.",
);
const TASKS: Metric = Metric::gauge("cocoon_process_tasks", "Tasks of the runtime that are alive.");
const THREADS: Metric = Metric::gauge("cocoon_process_runtime_threads", "Threads that run tasks.");
const QUEUE: Metric = Metric::gauge(
    "cocoon_process_task_queue",
    "Tasks that wait for a thread in the common queue.",
);

const SPANS: Metric = Metric::counter(
    "cocoon_process_spans_total",
    "Spans of traces by what became of them: sent to the collector, or dropped because it does not take them.",
)
.by(&["result"]);

/// The figures of every process. Where several daemons share one, each tells those of all.
pub const METRICS: &[Metric] = &[MEMORY, CPU, UPTIME, TASKS, THREADS, QUEUE, SPANS];

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// Resident memory; 0 where the kernel does not tell.
    pub memory_bytes: u64,
    /// CPU time, user and system; 0 where the kernel does not tell.
    pub cpu_seconds: f64,
    /// Since the first look, which daemons take when they start.
    pub uptime_seconds: f64,
    tasks: usize,
    threads: usize,
    queue: usize,
}

impl Process {
    /// Looks. Must run inside the runtime.
    pub fn now() -> Self {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let runtime = tokio::runtime::Handle::current();
        let runtime = runtime.metrics();
        Self {
            memory_bytes: memory().unwrap_or(0),
            cpu_seconds: cpu().unwrap_or(0.0),
            uptime_seconds: FIRST.get_or_init(Instant::now).elapsed().as_secs_f64(),
            tasks: runtime.num_alive_tasks(),
            threads: runtime.num_workers(),
            queue: runtime.global_queue_depth(),
        }
    }

    /// Lines for a person.
    pub(super) fn text(&self) -> String {
        let Self {
            memory_bytes,
            cpu_seconds,
            uptime_seconds,
            tasks,
            threads,
            queue,
        } = self;
        format!(
            "uptime_seconds {uptime_seconds:.1}\ncpu_seconds {cpu_seconds:.2}\nmemory_bytes {memory_bytes}\n\
             runtime_threads {threads}\ntasks_alive {tasks}\ntasks_queued {queue}\n"
        )
    }

    pub(super) fn write(&self, page: &mut Exposition) {
        page.one(&MEMORY, self.memory_bytes as f64);
        page.one(&CPU, self.cpu_seconds);
        page.one(&UPTIME, self.uptime_seconds);
        page.one(&TASKS, self.tasks as f64);
        page.one(&THREADS, self.threads as f64);
        page.one(&QUEUE, self.queue as f64);
        let (sent, dropped) = crate::telemetry::tally();
        page.metric(&SPANS)
            .sample(&[("result", "sent")], sent as f64)
            .sample(&[("result", "dropped")], dropped as f64);
    }
}

fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn cpu() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold blanks; what follows it begins with field 3.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system) as f64 / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_tells_memory_and_time_of_this_process() {
        let work: u64 = (0..30_000_000u64).fold(0, |sum, n| sum.wrapping_mul(31) ^ std::hint::black_box(n));
        let process = Process::now();
        assert!(process.memory_bytes > 1 << 20, "{process:?} {work}");
        assert!(cpu().is_some());
        let mut page = Exposition::default();
        process.write(&mut page);
        let text = page.into_text();
        assert!(METRICS.iter().all(|metric| text.contains(metric.name)), "{text}");
        assert!(process.text().contains("memory_bytes "));
    }
}
