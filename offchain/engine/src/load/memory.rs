//! How much memory a process may still take.

use std::path::{Path, PathBuf};

/// Bytes that can be taken without swapping, the limits of this process's control groups considered. `None` where the
/// system does not say.
pub(super) fn available() -> Option<u64> {
    let machine = meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let groups = group.map_or_else(Vec::new, |group| {
        let root = Path::new("/sys/fs/cgroup");
        let full = root.join(group);
        full.ancestors()
            .filter(|path| path.starts_with(root))
            .map(Path::to_owned)
            .collect()
    });
    Some(groups.into_iter().filter_map(left_in_group).fold(machine, u64::min))
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// What a control group may still take: its limit less what it uses, file pages that can be dropped not counted.
fn left_in_group(group: PathBuf) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(group.join(name)).ok();
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    let files = read("memory.stat").and_then(|text| inactive_file(&text)).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

fn inactive_file(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("inactive_file "))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        let text = "MemTotal:       24689500 kB\nMemFree:         4 kB\nMemAvailable:   22020096 kB\n";
        assert_eq!(meminfo(text), Some(22_020_096 * 1024));
        assert_eq!(meminfo("MemTotal: 5 kB\n"), None);
    }

    #[test]
    fn a_group_counts_what_it_cannot_drop() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(left_in_group(folder.path().to_owned()), None);
        write("memory.current", "700\n");
        write("memory.max", "max\n");
        assert_eq!(left_in_group(folder.path().to_owned()), None);
        write("memory.max", "1000\n");
        assert_eq!(left_in_group(folder.path().to_owned()), Some(300));
        write("memory.stat", "anon 500\ninactive_file 150\n");
        assert_eq!(left_in_group(folder.path().to_owned()), Some(450));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_says_how_much_there_is() {
        assert!(available().unwrap() > 1 << 20);
    }
}
