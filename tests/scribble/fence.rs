//! Memory without access right before and behind a mapping that is about to be made: what is read or written outside of it ends the
//! process at once, as it would with the allocator's own fences around memory of the heap.

use std::path::Path;

/// Of the lower fence; what is nearer to a mapping than a page is met by any.
const FENCE_LENGTH: usize = 1 << 16;

pub struct Fences(Vec<(*mut libc::c_void, usize)>);

fn reserve(at: usize, length: usize) -> Option<*mut libc::c_void> {
    // SAFETY: a new mapping without access, where there is none (MAP_FIXED_NOREPLACE; without an address, where the kernel wants).
    let fence = unsafe {
        let fixed = if at == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | fixed;
        libc::mmap(at as *mut libc::c_void, length, libc::PROT_NONE, flags, -1, 0)
    };
    (fence != libc::MAP_FAILED).then_some(fence)
}

impl Fences {
    /// Leaves a gap of exactly `length` bytes between two fences, where the kernel puts the next mapping that is so long.
    pub fn around_the_next(length: u64) -> Fences {
        let length = length as usize;
        let mut fences = Vec::new();
        let mut upper = reserve(0, length).unwrap();
        loop {
            fences.push((upper, length));
            // Where the kernel puts the next one: below the last, unless there was another gap.
            let next = reserve(0, length).unwrap();
            let lower = match next.addr() + length == upper.addr() {
                true => reserve(next.addr() - FENCE_LENGTH, FENCE_LENGTH),
                false => None,
            };
            if let Some(lower) = lower {
                fences.push((lower, FENCE_LENGTH));
                // SAFETY: mapped just now, used by nobody.
                unsafe { libc::munmap(next, length) };
                return Fences(fences);
            }
            upper = next;
        }
    }

    /// Maps by `open`, between two fences: again if another thread mapped something at the wrong moment.
    pub fn around<T>(path: &Path, length: u64, open: impl Fn() -> T) -> (Fences, T) {
        for _ in 0..100 {
            let fences = Fences::around_the_next(length);
            let opened = open();
            if Fences::hold(path) {
                return (fences, opened);
            }
        }
        panic!("no mapping of {} came between its fences", path.display());
    }

    /// Is each end of each mapping of this file at such a fence?
    pub fn hold(path: &Path) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let name = path.to_str().unwrap();
        let lines: Vec<(&str, &str, bool)> = maps
            .lines()
            .map(|line| {
                let (range, rest) = line.split_once(' ').unwrap();
                let (start, end) = range.split_once('-').unwrap();
                (start, end, rest.starts_with("---"))
            })
            .collect();
        // Mappings without access are those that keep a lock.
        let of_file = |line: &str| line.ends_with(name) && !line.contains(" ---");
        maps.lines()
            .zip(&lines)
            .filter(|(line, _)| of_file(line))
            .all(|(_, (start, end, _))| {
                let fenced =
                    |at: &dyn Fn(&(&str, &str, bool)) -> bool| lines.iter().any(|line| line.2 && at(line));
                fenced(&|line| line.1 == *start) && fenced(&|line| line.0 == *end)
            })
    }
}

impl Drop for Fences {
    fn drop(&mut self) {
        for (fence, length) in &self.0 {
            // SAFETY: mapped by `around_the_next`, used by nobody.
            unsafe { libc::munmap(*fence, *length) };
        }
    }
}
