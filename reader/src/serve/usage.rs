//! What `/proc` tells of a process: processor time, memory, descriptors, threads.
//!
//! A process is the one meant if its pid namespace is ours and it began when its slot says; of others nothing is told rather than
//! something false.

use std::fs;
use std::os::unix::fs::MetadataExt;

use shmetrics::snapshot::Process;

/// Descriptors that are counted one by one, where the kernel does not tell their number (before Linux 6.2).
const MOST_LISTED: usize = 65_536;

/// What `/proc` tells of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// User and system time, in clock ticks.
    pub(super) cpu_ticks: u64,
    pub(super) resident_bytes: u64,
    /// `None`: they are another user's, and not told.
    pub(super) descriptors: Option<u64>,
    pub(super) threads: u64,
    /// Since 1970.
    pub(super) started_seconds: f64,
}

/// Which process: its pid, and when it began in clock ticks since boot.
pub(super) type Identity = (u64, u64);

/// Facts of this machine.
#[derive(Debug)]
pub(super) struct Host {
    /// Inode of our pid namespace; 0 if `/proc` does not tell.
    pid_namespace: u64,
    boot_seconds: f64,
    ticks_per_second: f64,
    page_bytes: u64,
}

impl Host {
    pub(super) fn learn() -> Host {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let boot = stat.lines().find_map(|line| line.strip_prefix("btime "));
        Host {
            pid_namespace: fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino()),
            boot_seconds: boot.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0),
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
            page_bytes: rustix::param::page_size() as u64,
        }
    }

    pub(super) fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_second
    }

    pub(super) fn stat(&self, (pid, start_ticks): Identity) -> Option<Usage> {
        // A name may be no UTF-8.
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // proc_pid_stat(5): the name is in parentheses and may have some itself; the third field comes after the last.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        // A zombie has ended.
        if field(22)? != start_ticks || matches!(fields.first(), Some(&"Z" | &"X")) {
            return None;
        }
        Some(Usage {
            cpu_ticks: field(14)?.checked_add(field(15)?)?,
            resident_bytes: field(24)? * self.page_bytes,
            descriptors: None,
            threads: field(20)?,
            started_seconds: self.boot_seconds + self.seconds(start_ticks),
        })
    }

    pub(super) fn usage(&self, process: &Process) -> Option<Usage> {
        if process.pid_namespace != self.pid_namespace || self.pid_namespace == 0 {
            return None;
        }
        let usage = self.stat((process.pid, process.start_ticks))?;
        Some(Usage {
            descriptors: descriptors(process.pid),
            ..usage
        })
    }
}

fn descriptors(pid: u64) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    // proc_pid_fd(5): since Linux 6.2 the size of the folder is the number of descriptors.
    match fs::metadata(&folder).ok()?.len() {
        0 => fs::read_dir(&folder)
            .ok()
            .map(|entries| entries.take(MOST_LISTED).count() as u64),
        size => {
            // The size is told to anybody; what is in it only to those who may look. The same rule for both.
            fs::read_dir(&folder).ok()?;
            Some(size)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Of this process.
    pub(in crate::serve) fn own_identity() -> Identity {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_ascii_whitespace()
            .collect();
        (u64::from(std::process::id()), fields[19].parse().unwrap())
    }

    #[test]
    fn a_process_is_known_by_its_pid_and_its_start() {
        let host = Host::learn();
        let (pid, start) = own_identity();
        let usage = host.stat((pid, start)).unwrap();
        assert!(usage.threads > 0 && usage.resident_bytes > 0, "{usage:?}");
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        assert!(
            usage.started_seconds > 1e9 && usage.started_seconds <= now.as_secs_f64() + 2.0,
            "{usage:?}"
        );
        assert!(descriptors(pid).unwrap() > 2);
        // Another one that has its pid now.
        assert_eq!(host.stat((pid, start + 1)), None);
    }
}
