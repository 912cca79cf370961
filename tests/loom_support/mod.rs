//! What all loom tests share: running a model, and proving that a broken one is rejected.
//!
//! **Writers on the main thread, readers spawned.** Loom runs the main thread until it blocks, and lets a relaxed load return every
//! store that coherence and happens-before permit, old ones too. A reader of this crate stores nothing, so writers run the same
//! whatever it does: a model in which the writers run first and the reader last already contains *every* behaviour of the pair, and
//! needs no preemption at all. (The other way round loom 0.7 misses most: it looks for races only against the last access to a
//! word, and a writer's load of its own word hides the reader's load before it.) Models in which several threads store are bounded
//! by preemptions, and say by how many.
//!
//! Loom keeps the last seven stores of a word: no model stores more often into one word, its initial zero included.
#![allow(dead_code)]

use shmetrics::sync::{AtomicU64, mutant};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Instant;

/// Zeroed words, as in a fresh segment. Plain `std::sync::Arc` around them is deliberate: loom's would only add synchronisation.
pub fn words(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

/// Explores `model`: every execution if `preemptions` is `None`, else those with at most that many involuntary switches.
pub fn explore(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

/// To be held by every test of a file: loom's coroutines swap the panic hook of the whole process, so tests must not overlap.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // The first coroutine puts a hook under all later ones that hides how coroutines end.
    static FIRST: Once = Once::new();
    FIRST.call_once(|| loom::model(|| {}));
    guard
}

/// An edge of a proof, and a model that must fail without it.
pub type Mutant = (&'static str, fn());

/// Breaks each edge in turn and asserts that its model then fails.
pub fn every_mutant_is_caught(mutants: &[Mutant]) {
    let _alone = alone();
    let mut survivors = Vec::new();
    for (name, model) in mutants {
        let started = Instant::now();
        // A caught mutant panics inside loom; its report would only hide the names that matter here.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let outcome = mutant::with(name, || catch_unwind(AssertUnwindSafe(model)));
        std::panic::set_hook(hook);
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Err(panic) => eprintln!("{name:24} caught {seconds:5.2} s  {}", first_line(&*panic)),
            Ok(()) => {
                eprintln!("{name:24} MISSED {seconds:5.2} s");
                survivors.push(*name);
            }
        }
    }
    assert!(
        survivors.is_empty(),
        "these mutants pass, so nothing shows that they are needed: {survivors:?}"
    );
}

/// What a model said when it failed: shows that a mutant fails for its own reason.
fn first_line(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("?")
        .lines()
        .take(3)
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" | ")
}
