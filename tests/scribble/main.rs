//! A hostile peer at work: another process stores random words and plausible structures into a segment, at full speed, while readers
//! read it and writers of the library count in it.
//!
//! Readers always come back, with an error or a result that is bounded by the geometry they validated: heap, output, time. Writers
//! may count wrongly, as SPEC.md section 13 says, but touch nothing outside of the mapping and never end their process. Around the
//! mappings are pages without access ([`fence`]); `ci/hostile.sh` runs this under the address sanitizer, too.
#![cfg(not(shmetrics_loom))]
#![allow(unsafe_code)]

mod bounds;
mod fence;
#[path = "../support/memory.rs"]
mod memory;
#[path = "../support/random.rs"]
mod random;
mod readers;
mod scribbler;
#[path = "../support/mod.rs"]
mod support;
mod writers;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shmetrics::layout::geometry::Capacities;
use shmetrics::layout::kind::{Kind, Merge};
use shmetrics_conformance::image::{Family, Image, Owner, Parameters, SHARED};
use support::{Scratch, SharedWords, Worker, child_argument, poll};

/// A hundred times what a test takes. Whoever is not back by then hangs.
const HANGS: Duration = Duration::from_secs(900);

/// One test at a time: threads of one would take lanes of the other's segments.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process unless it is dropped in time: a test that hangs cannot fail by itself.
struct Watchdog(#[allow(dead_code)] Sender<()>);

impl Watchdog {
    fn new(what: &'static str) -> Watchdog {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            if receiver.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{what} did not end within {HANGS:?}");
                std::process::abort();
            }
        });
        Watchdog(sender)
    }
}

/// A small segment with something of every kind in it.
fn furnished() -> Image {
    let mut image = Image::new(Capacities {
        process_slots: 4,
        lanes: 4,
        series: 32,
        text_length: 8192,
        counters: 24,
        gauges: 24,
        blocks_length: 128 << 10,
        errors: 8,
        reset_tables: 2,
        budget: 1 << 30,
        epoch_length_ns: 1_000_000,
    })
    .unwrap();
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web).take(2, web);
    let plain = Parameters::plain();
    let hits = image.family(
        &Family::new("hits_total", Kind::CounterU64)
            .help("How often")
            .unit("hits"),
    );
    for method in ["GET", "PUT"] {
        let hits = image.series(hits, &[("method", method)], &plain);
        image.count(&hits, 1, 3u64).count(&hits, SHARED, 1u64);
    }
    let seconds = image.single(&Family::new("seconds_total", Kind::CounterF64), &plain);
    image.count(&seconds, 2, 1.5);
    for (name, merge) in [("sum", Merge::Sum), ("last", Merge::Last), ("each", Merge::Each)] {
        let gauge = image.single(&Family::new(name, Kind::GaugeI64).merge(merge), &plain);
        image.set_gauge(&gauge, 0, 5i64 as u64);
    }
    let timed = image.family(&Family::new("timed", Kind::HistogramInteger));
    for (scale, low, high) in [(3, -2, 12), (0, -20, 4)] {
        let timed = image.series(timed, &[], &Parameters::exponential(scale, low, high).ring(3));
        for epoch in 5..9 {
            image.record_in(&timed, 1, epoch, 7u64);
        }
    }
    let sizes = image.single(
        &Family::new("sizes", Kind::HistogramClassic),
        &Parameters::classic(&[1.0, 2.0]),
    );
    image.record(&sizes, 2, 1.0);
    image
}

/// The segment, and the process that scribbles over it.
struct Scene {
    path: PathBuf,
    turns: SharedWords,
    scribbler: Worker,
    _scratch: Scratch,
}

impl Scene {
    /// The segment alone: nobody scribbles yet.
    fn segment(name: &str) -> (Scratch, PathBuf) {
        let scratch = Scratch::new(name);
        let path = scratch.path("segment");
        furnished().write_to(&path).unwrap();
        (scratch, path)
    }

    /// Lets the other process begin: `test` of this binary, which calls [`scribble_if_child`].
    fn begin(test: &str, (scratch, path): (Scratch, PathBuf)) -> Scene {
        let turns = scratch.path("turns");
        let argument = format!("{} {} {}", random::seed(), path.display(), turns.display());
        let turns = SharedWords::open(&turns, 1);
        let scribbler = Worker::spawn(test, &argument);
        let scene = Scene {
            path,
            turns,
            scribbler,
            _scratch: scratch,
        };
        scene.await_turns(1000);
        scene
    }

    /// Waits until so much more was scribbled.
    fn await_turns(&self, more: u64) {
        let before = self.turns.word(0).load(Relaxed);
        poll("scribbles", || {
            (self.turns.word(0).load(Relaxed) >= before + more).then_some(())
        });
    }

    /// It must have been at work to the end.
    fn end(mut self) {
        self.await_turns(1000);
        self.scribbler.kill();
    }
}

/// The other process.
fn scribble_if_child() {
    let Some(argument) = child_argument() else { return };
    let mut parts = argument.split(' ');
    let mut part = || parts.next().unwrap();
    let (seed, path, turns) = (part().parse().unwrap(), part(), part());
    scribbler::Scribbler::new(Path::new(path), Path::new(turns), &furnished(), seed).run();
}
