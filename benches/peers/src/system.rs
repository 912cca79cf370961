//! What is asked of the kernel: pinned threads, memory that two processes share, forked children.
//!
//! The only file with unsafe code.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::AtomicU64;

/// Processors that this process may use.
pub fn processors() -> Vec<usize> {
    // SAFETY: a set of processors is plain data, and all zeros is an empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a set of the size that is given.
    let failed = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) } != 0;
    if failed {
        return vec![0];
    }
    // SAFETY: `CPU_ISSET` checks the bounds of the set.
    (0..libc::CPU_SETSIZE as usize)
        .filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) })
        .collect()
}

/// Lets the calling thread run on one processor only. Where that is refused it runs where it likes.
pub fn pin(cpu: usize) {
    // SAFETY: a set of processors is plain data, and all zeros is an empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `CPU_SET` checks the bounds of the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer is to a set of the size that is given.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
}

/// How long the calling thread has worked, in ns: what others did on its processor meanwhile is not counted.
pub fn worked_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a time that is written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Words that children share with their parent, for as long as the process lives.
pub fn shared_words(count: usize) -> &'static [AtomicU64] {
    // SAFETY: a new anonymous mapping, at an address that the kernel chooses.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            count * 8,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert!(address != libc::MAP_FAILED, "no memory to share");
    // SAFETY: `count` words of zeros, aligned to a page, that are never unmapped and only accessed as atomics.
    unsafe { std::slice::from_raw_parts(address.cast(), count) }
}

/// Resident bytes of a mapping of the whole file, for a memory copy of it.
pub fn mapped(file: &std::fs::File, length: usize) -> &'static [AtomicU64] {
    // SAFETY: a new mapping of a file that is open and at least this long, at an address that the kernel chooses.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert!(address != libc::MAP_FAILED, "the segment cannot be mapped");
    // SAFETY: whole words within the mapping, which is never unmapped; loaded only, by `copy`.
    unsafe { std::slice::from_raw_parts(address.cast(), length / 8) }
}

/// `memcpy` of words that nobody writes meanwhile.
pub fn copy(from: &[AtomicU64], to: &mut [u64]) {
    assert!(to.len() >= from.len());
    // SAFETY: both are valid for as many words, and do not overlap: one is borrowed mutably. Callers copy lanes at rest.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr().cast::<u64>(), to.as_mut_ptr(), from.len()) };
}

/// Bytes of the heap that are in use.
pub fn heap() -> u64 {
    // SAFETY: it only reads counters of the allocator.
    let of = unsafe { libc::mallinfo2() };
    (of.uordblks + of.hblkhd) as u64
}

/// A forked child, which is killed when this is dropped.
pub struct Child {
    id: libc::pid_t,
    from: std::fs::File,
    /// Closed when this is dropped, which the child notices.
    _to: std::fs::File,
}

/// How a child talks to its parent.
pub struct Parent {
    from: std::fs::File,
    to: std::fs::File,
}

/// Forks; the child does `work` and ends. Call it while no other thread holds a lock, as all between two measurements.
pub fn fork(work: impl FnOnce(Parent)) -> Child {
    let (child_from, to) = pipe();
    let (from, child_to) = pipe();
    // SAFETY: no other thread of this program is running code of its own now, so no lock stays locked in the child; threads of
    // libraries sleep (the ticker).
    match unsafe { libc::fork() } {
        -1 => panic!("no process: {}", std::io::Error::last_os_error()),
        0 => {
            // So that an end is seen: only the parent holds the other ends.
            drop((from, to));
            let parent = Parent {
                from: child_from,
                to: child_to,
            };
            // A panic must not run the destructors of the parent's variables, which remove its files.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(parent)));
            // SAFETY: it ends the process, without what the parent registered to be done at its own end.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
        id => Child { id, from, _to: to },
    }
}

fn pipe() -> (std::fs::File, std::fs::File) {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to two descriptors.
    let failed = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0;
    assert!(!failed, "no pipe: {}", std::io::Error::last_os_error());
    // SAFETY: both were opened just now, and belong to nobody else.
    let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (read.into(), write.into())
}

impl Parent {
    /// Tells a number.
    pub fn tell(&mut self, number: u64) {
        let _ = self.to.write_all(&number.to_ne_bytes());
    }

    /// Waits until the parent is gone.
    pub fn wait(&mut self) {
        let _ = self.from.read(&mut [0]);
    }
}

impl Child {
    /// What the child tells next; none if it ended.
    pub fn hear(&mut self) -> Option<u64> {
        let mut bytes = [0; 8];
        self.from.read_exact(&mut bytes).ok()?;
        Some(u64::from_ne_bytes(bytes))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: a child of this process that nobody has waited for yet, so its id is still its own.
        unsafe {
            libc::kill(self.id, libc::SIGKILL);
            libc::waitpid(self.id, std::ptr::null_mut(), 0);
        }
    }
}
