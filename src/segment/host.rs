//! Facts about this machine and this process: boot id, clocks, limits, identity.

use std::io;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::error::OpenError;
use crate::sync::{AtomicU64, Relaxed};

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// Wall clock, nanoseconds since 1970. Through the vDSO: no system call where the clock source allows it.
pub(crate) fn wall_ns() -> u64 {
    nanoseconds(ClockId::Realtime)
}

/// What a time namespace adds to `CLOCK_MONOTONIC` in this process, as nanoseconds modulo 2^64; see [`learn_time_namespace`].
static MONOTONIC_OFFSET_NS: AtomicU64 = AtomicU64::new(0);

/// Reads how far this process' time namespace shifts `CLOCK_MONOTONIC` (time_namespaces(7)), so that epochs are the same in all
/// containers of a machine. Called before the first segment is used.
pub(crate) fn learn_time_namespace() {
    let text = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    MONOTONIC_OFFSET_NS.store(monotonic_offset(&text).unwrap_or(0) as u64, Relaxed);
}

/// The line `monotonic SECONDS NANOSECONDS`.
fn monotonic_offset(text: &str) -> Option<i64> {
    let mut fields = text
        .lines()
        .find(|line| line.starts_with("monotonic"))?
        .split_whitespace()
        .skip(1);
    let (seconds, nanoseconds): (i64, i64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// `CLOCK_MONOTONIC` of the machine, which epochs are counted on: the same in all processes, and no step of the wall clock moves it.
pub(crate) fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic).wrapping_sub(MONOTONIC_OFFSET_NS.load(Relaxed))
}

/// As [`monotonic_ns`], a few milliseconds coarse and four times cheaper: for epochs on slow paths.
pub(crate) fn monotonic_coarse_ns() -> u64 {
    nanoseconds(ClockId::MonotonicCoarse).wrapping_sub(MONOTONIC_OFFSET_NS.load(Relaxed))
}

/// The machine's boot id; zero if it cannot be read.
pub(crate) fn boot_id() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    let half = |range: std::ops::Range<usize>| {
        hex.get(range)
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .unwrap_or(0)
    };
    [half(0..16), half(16..32)]
}

/// 64 random bits, to tell segments of one name apart.
pub(crate) fn random_id() -> u64 {
    use std::io::Read;
    let mut bytes = [0; 8];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    let mixed = monotonic_ns() ^ u64::from(std::process::id()) << 40;
    if read.is_ok() {
        u64::from_ne_bytes(bytes)
    } else {
        mixed
    }
}

/// Has this process more rights than its caller (set-user-id, capabilities)? The kernel says so in the auxiliary vector: pairs of
/// words, of which `AT_SECURE` (23) is not 0 then.
pub(crate) fn is_secure_execution() -> bool {
    const AT_SECURE: u64 = 23;
    let auxiliary = std::fs::read("/proc/self/auxv").unwrap_or_default();
    let (words, _) = auxiliary.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    pairs
        .iter()
        .any(|[key, value]| u64::from_ne_bytes(*key) == AT_SECURE && u64::from_ne_bytes(*value) != 0)
}

/// Would a file of this length exceed RLIMIT_FSIZE? Extending beyond it kills the process by SIGXFSZ.
pub(crate) fn check_file_size_limit(needed: u64) -> Result<(), OpenError> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < needed => Err(OpenError::FileSizeLimit { limit, needed }),
        _ => Ok(()),
    }
}

/// Who this process is, for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) pid: u64,
    pub(crate) pid_namespace: u64,
    pub(crate) start_ticks: u64,
}

impl Identity {
    /// Reads it from /proc without the heap: a forked child may be in a place where it cannot allocate.
    pub(crate) fn of_this_process() -> Identity {
        let mut buffer = [0; 1024];
        let start_ticks = read_small("/proc/self/stat", &mut buffer)
            .and_then(start_ticks)
            .unwrap_or(0);
        let pid_namespace = rustix::fs::stat("/proc/self/ns/pid")
            .map(|stat| stat.st_ino)
            .unwrap_or(0);
        let pid = u64::from(rustix::process::getpid().as_raw_nonzero().get().unsigned_abs());
        Identity {
            pid,
            pid_namespace,
            start_ticks,
        }
    }
}

/// Reads at most a buffer's length of a file, without the heap.
pub(crate) fn read_small<'a>(path: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut length = 0;
    while length < buffer.len() {
        match rustix::io::read(&file, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(_) => return None,
        }
    }
    Some(&buffer[..length])
}

/// Field 22 of /proc/PID/stat; the second field is in parentheses and may contain anything.
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')?;
    let field = stat[after_name + 1..]
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty())
        .nth(19)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The operation of mapping, for [`file_error`].
pub(crate) const MAP: &str = "map";

/// The error of a file operation as one that tells what to do.
pub(crate) fn file_error(operation: &'static str, path: &Path, error: io::Error) -> OpenError {
    use rustix::io::Errno;
    let path = path.to_owned();
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => OpenError::NotFound { path },
        Some(Errno::ACCESS | Errno::PERM) => OpenError::Permission { operation, path },
        Some(Errno::ROFS) => OpenError::ReadOnlyFileSystem { operation, path },
        // mmap(2): "No memory is available", or too many mappings, or "the process's RLIMIT_AS limit"; of a file it is the limits.
        Some(Errno::NOMEM) if operation == MAP => OpenError::AddressSpace { path },
        Some(Errno::LOOP) => OpenError::WrongFileType {
            path,
            found: "a link",
        },
        Some(Errno::ISDIR) => OpenError::WrongFileType {
            path,
            found: "a folder",
        },
        Some(Errno::NXIO) => OpenError::WrongFileType {
            path,
            // open(2): "The file is a UNIX domain socket", or "no corresponding device exists".
            found: "a socket or a device",
        },
        Some(Errno::EXIST) => OpenError::Exists { path },
        _ => OpenError::Io {
            operation,
            path,
            source: error,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_this_machine_are_found() {
        assert_ne!(boot_id(), [0, 0]);
        assert_ne!(random_id(), random_id());
        let identity = Identity::of_this_process();
        assert_eq!(identity.pid, u64::from(std::process::id()));
        assert!(identity.start_ticks > 0 && identity.pid_namespace > 0);
        assert!(monotonic_ns() > 0 && wall_ns() > 1_700_000_000_000_000_000);
    }

    #[test]
    fn a_time_namespace_is_understood() {
        assert_eq!(
            monotonic_offset("monotonic           0         0\nboottime 0 0"),
            Some(0)
        );
        assert_eq!(monotonic_offset("monotonic -5 500000000\n"), Some(-4_500_000_000));
        assert_eq!(monotonic_offset(""), None);
    }

    #[test]
    fn a_process_name_cannot_shift_the_start_time() {
        let stat = b"12 (a) b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(start_ticks(stat), Some(4242));
        assert_eq!(start_ticks(b"garbage"), None);
    }
}
