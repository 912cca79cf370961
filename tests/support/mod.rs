//! What tests of several processes share: scratch segments that clean up after themselves, children that end with their test, and
//! polling with a deadline.
#![allow(dead_code, unsafe_code)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use shmetrics::{Reader, Snapshot, Value};

/// How long anything may take before a test gives up. Generous: machines are shared.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// A folder of its own on tmpfs, removed with everything in it.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes the folder. `name` tells tests apart.
    pub fn new(name: &str) -> Scratch {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let base = if Path::new("/dev/shm").is_dir() {
            "/dev/shm".into()
        } else {
            std::env::temp_dir()
        };
        let number = NEXT.fetch_add(1, Relaxed);
        let folder = base.join(format!("shmetrics-test-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch { folder }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Says that a test, or a part of it, cannot run here, and why. It is seen although the test passes: the harness captures what is
/// printed by macros, not what is written to the stream. With `SHMETRICS_NO_SKIPS=1` it fails instead.
#[track_caller]
pub fn skip(reason: &str) {
    let forbidden = std::env::var_os("SHMETRICS_NO_SKIPS").is_some_and(|value| value == "1");
    assert!(
        !forbidden,
        "skipped: {reason}; with SHMETRICS_NO_SKIPS=1 nothing may be"
    );
    let _ = std::io::stderr().write_all(format!("skipped: {reason}\n").as_bytes());
}

/// Polls until `ready` gives something.
#[track_caller]
pub fn poll<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(begun.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A child process that is killed when the test ends.
#[derive(Debug)]
pub struct Worker(pub Child);

impl Worker {
    /// Runs `test` of this test binary again as a child, with `SHMETRICS_TEST_CHILD` = `argument`.
    pub fn spawn(test: &str, argument: &str) -> Worker {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env("SHMETRICS_TEST_CHILD", argument)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Worker(child)
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Stops it with SIGSTOP, wherever it is; afterwards it stands still.
    pub fn stop(&self) {
        let pid = self.0.id();
        // SAFETY: a signal to a child of ours that was not waited for yet.
        unsafe { libc::kill(pid as libc::pid_t, libc::SIGSTOP) };
        // A signal is on its way for a while: a thread on another core goes on until it arrives.
        poll("a child to stop", || {
            // SAFETY: `siginfo_t` is plain data for which zeros are valid.
            let mut told: libc::siginfo_t = unsafe { core::mem::zeroed() };
            let flags = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
            // SAFETY: `told` is a valid `siginfo_t` that the kernel writes. Without WEXITED the child is not waited for.
            let found = unsafe { libc::waitid(libc::P_PID, pid, &mut told, flags) };
            // SAFETY: after `waitid`, or zeros: then nobody is told of.
            (found == 0 && unsafe { told.si_pid() } != 0).then_some(())
        });
    }

    /// Waits until it ends by itself, successfully.
    #[track_caller]
    pub fn finish(&mut self) {
        let status = poll("a child's end", || self.0.try_wait().unwrap());
        assert!(status.success(), "child: {status}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The argument of this process, if it is a [`Worker`].
pub fn child_argument() -> Option<String> {
    std::env::var("SHMETRICS_TEST_CHILD").ok()
}

/// One test at a time: a child that another test forks takes slots of every segment that is open then, also that of somebody who just
/// died, whose lock byte is then seen taken; it keeps locks that it inherited; and a process can have 15 segments open.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Forks. The child runs `child` and ends with its result; the parent gets the pid.
pub fn fork(child: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child only runs `child` and then `_exit`; the library's own at-fork handlers are what is tested here.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        end(child);
    }
    pid
}

/// A child made by the bare system call: no at-fork handler runs.
pub fn raw_clone(child: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: as in `fork`; without CLONE_VM the child has its own copy of everything.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as libc::pid_t;
    assert!(pid >= 0, "clone failed");
    if pid == 0 {
        end(child);
    }
    pid
}

fn end(child: impl FnOnce() -> i32) -> ! {
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
    // SAFETY: ends this process at once; the harness of the copied test must not go on.
    unsafe { libc::_exit(code) }
}

/// Waits for a forked child; its exit code, or minus the signal that ended it.
pub fn wait(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is valid; the pid is a child of this process.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {}
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -libc::WTERMSIG(status)
    }
}

/// Words shared with children: what threads say they have begun and done.
#[derive(Debug)]
pub struct SharedWords {
    base: *mut AtomicU64,
    length: usize,
}

// SAFETY: made of atomics only.
unsafe impl Sync for SharedWords {}
// SAFETY: as for `Sync`.
unsafe impl Send for SharedWords {}

impl SharedWords {
    /// Maps a file of `length` words, made if need be; a child finds the same by the same path.
    pub fn open(path: &Path, length: usize) -> SharedWords {
        use std::os::fd::AsRawFd;
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .unwrap();
        file.set_len(length as u64 * 8).unwrap();
        // SAFETY: a new shared mapping of a file that nobody truncates; checked below.
        let base = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(
                std::ptr::null_mut(),
                length * 8,
                access,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED);
        SharedWords {
            base: base.cast(),
            length,
        }
    }

    /// One word.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.length);
        // SAFETY: inside the mapping, aligned, never unmapped before `self` goes.
        unsafe { &*self.base.add(index) }
    }

    /// Sum of the words `from, from + step, …`.
    pub fn sum(&self, from: usize, step: usize) -> u64 {
        (from..self.length)
            .step_by(step)
            .map(|index| self.word(index).load(Relaxed))
            .sum()
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: mapped by `open` with this length.
        unsafe { libc::munmap(self.base.cast(), self.length * 8) };
    }
}

/// A snapshot of the segment at `path`.
pub fn snapshot(path: &Path) -> Snapshot {
    Reader::open_path(path).unwrap().snapshot().unwrap()
}

/// The value of a whole-number counter; 0 if there is none of that name.
pub fn counter(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> u64 {
    match snapshot.find(name, labels).map(|series| &series.value) {
        Some(Value::CounterU64(value)) => *value,
        None => 0,
        other => panic!("{name} is {other:?}"),
    }
}

/// Count, sum and whether it is exact, of a histogram.
pub fn histogram(snapshot: &Snapshot, name: &str) -> (u64, f64, bool) {
    match snapshot.find(name, &[]).map(|series| &series.value) {
        Some(Value::Histogram(histogram)) => {
            let is_exact = histogram.quality == shmetrics::snapshot::Quality::Exact;
            (histogram.count, histogram.sum, is_exact)
        }
        other => panic!("{name} is {other:?}"),
    }
}
