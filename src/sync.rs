//! Layer 0: the only file that names the atomics of `core` or of loom.
//!
//! Every algorithm above imports its atomics from here, so that the same code runs on a mapping, on a heap slice and under the
//! loom model checker (`--cfg shmetrics_loom`). Loom's atomics have another size in memory than a `u64`: they can never be cast
//! out of mapped bytes, which is why algorithms take word slices.
//!
//! Orderings that matter are written as `edge!` and `fence_at!` with a name. In a normal build these are the ordering and the
//! fence, nothing else. Under loom a test may *weaken* one by its name (`mutant`), to show that the proof needs it.

#[cfg(not(shmetrics_loom))]
pub use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst},
    compiler_fence, fence,
};

#[cfg(shmetrics_loom)]
pub use loom::sync::atomic::{
    AtomicU64,
    Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// The memory ordering of a named edge of a proof.
///
/// `edge!("record.w1", Release)` is `Release`; under loom it is `Relaxed` while the mutant of that name is active.
macro_rules! edge {
    ($name:literal, $order:expr) => {{
        #[cfg(not(shmetrics_loom))]
        {
            $order
        }
        #[cfg(shmetrics_loom)]
        {
            if $crate::sync::mutant::active($name) {
                $crate::sync::Relaxed
            } else {
                $order
            }
        }
    }};
}

/// A named fence of a proof; under loom it vanishes while the mutant of that name is active.
macro_rules! fence_at {
    ($name:literal, $order:expr) => {{
        #[cfg(not(shmetrics_loom))]
        {
            $crate::sync::fence($order)
        }
        #[cfg(shmetrics_loom)]
        {
            if !$crate::sync::mutant::active($name) {
                $crate::sync::fence($order)
            }
        }
    }};
}

/// True only under loom while the named mutant is active: lets a protocol carry the wrong variant that its test must reject.
macro_rules! mutated {
    ($name:literal) => {{
        #[cfg(not(shmetrics_loom))]
        {
            false
        }
        #[cfg(shmetrics_loom)]
        {
            $crate::sync::mutant::active($name)
        }
    }};
}

pub(crate) use {edge, fence_at, mutated};

/// Which edge of which proof is broken on purpose (loom only).
#[cfg(shmetrics_loom)]
pub mod mutant {
    use std::cell::Cell;

    std::thread_local! {
        // Loom runs all threads of a model on the OS thread that called it, so a thread-local selects per test.
        static ACTIVE: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Is this edge broken in the running model?
    pub fn active(name: &str) -> bool {
        ACTIVE.with(|active| active.get() == Some(name))
    }

    /// Runs `model` with the edge `name` broken.
    pub fn with<R>(name: &'static str, model: impl FnOnce() -> R) -> R {
        struct Restore;
        impl Drop for Restore {
            fn drop(&mut self) {
                ACTIVE.with(|active| active.set(None));
            }
        }
        let _restore = Restore;
        ACTIVE.with(|active| active.set(Some(name)));
        model()
    }
}
