//! The operations that are stepped through, each with what the child does before.

use std::path::Path;
use std::process::ExitCode;

use shmetrics::{Merge, SegmentOptions};

use crate::scene::{self, Handles};
use crate::tracee::{be_traced, mark};

/// What must hold besides the rules for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Series change, from what they were to what they are.
    Changes,
    /// As `Changes`, in the shared lane: a writer that dies in there leaves its histogram bounded by one (SPEC.md 10.14).
    Shares,
    /// No series changes.
    Keeps,
    /// Counters and histograms count from zero: all of them are as before, or all are as after, at every instruction.
    Resets,
    /// The segment appears under its name.
    Creates,
    /// As `Creates`, under a shared-memory name, which is there before its content is: nobody else may read it early, and whoever comes
    /// next finishes what a dead creator left.
    Publishes,
    /// A file of an earlier boot is replaced: under the name there is the old segment or the new one, whole.
    Replaces,
    /// The segment goes from its name.
    Retires,
    /// Another process registers the same series and counts in it, at any moment.
    Races,
    /// A process died before, in the middle of a record, at any of its steps; this one takes its lane over.
    Adopts,
}

/// What an operation does to a series: the second opinion, which does not come from the code that is stepped through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Nothing that a reader shows, or nothing that is the same each time.
    None,
    /// Adds to a counter, or to count and sum of a histogram.
    Adds {
        name: &'static str,
        count: f64,
        sum: f64,
    },
    /// Makes a counter, or count and sum of a histogram, 0.
    Zeroes { names: &'static [&'static str] },
    /// Makes a gauge this.
    Sets { name: &'static str, value: f64 },
    /// Makes a text this.
    Tells {
        name: &'static str,
        text: Option<&'static str>,
    },
}

const fn adds(name: &'static str, count: f64, sum: f64) -> Effect {
    Effect::Adds { name, count, sum }
}

const fn sets(name: &'static str, value: f64) -> Effect {
    Effect::Sets { name, value }
}

pub struct Operation {
    pub name: &'static str,
    pub about: &'static str,
    pub kind: Kind,
    pub effect: Effect,
    /// Runs in the child, untraced; what it returns is stepped through.
    prepare: fn(&Path) -> Prepared,
}

type Prepared = Box<dyn FnOnce()>;

/// An operation on the handles of a furnished segment. Everything it needs stays alive until the child is killed.
fn on_handles(path: &Path, operation: fn(&Handles)) -> Prepared {
    let (segment, handles) = scene::furnish(path).unwrap();
    std::mem::forget(segment);
    let handles: &'static Handles = Box::leak(Box::new(handles));
    Box::new(move || operation(handles))
}

/// Logs an error in a furnished segment in which these were logged before. Without handles that are used: no series changes.
fn on_errors(path: &Path, before: &[&str], error: &'static str) -> Prepared {
    let (segment, handles) = scene::furnish(path).unwrap();
    std::mem::forget(handles);
    before.iter().for_each(|error| segment.log_error(error));
    Box::new(move || {
        segment.log_error(error);
        std::mem::forget(segment);
    })
}

/// Starts a key, which stays in flight.
fn leave(handles: &Handles, key: &str) {
    let _token = handles.working.start(key);
}

/// Starts a key in a bucket that is full, of keys in flight or with one that is parked.
fn fill_bucket(path: &Path, parks: bool) -> Prepared {
    let (segment, handles) = scene::furnish(path).unwrap();
    std::mem::forget(segment);
    let more = 8 - scene::HELD.len();
    (0..more).for_each(|key| leave(&handles, &format!("more {key}")));
    if parks {
        handles.working.retry_key_later("held").unwrap();
    }
    Box::new(move || assert_eq!(handles.working.start("one more").is_overflow(), !parks))
}

macro_rules! operations {
    ($($name:literal, $about:literal, $kind:ident, $effect:expr, $prepare:expr;)*) => {
        pub const OPERATIONS: &[Operation] =
            &[$(Operation { name: $name, about: $about, kind: Kind::$kind, effect: $effect, prepare: $prepare }),*];
    };
}

operations! {
    "counter_inc", "an increment", Changes, adds("whole", 1.0, 0.0), |path| on_handles(path, |handles| handles.whole.inc());
    "counter_add", "an addition", Changes, adds("whole", (1u64 << 40) as f64, 0.0), |path| on_handles(path, |handles| handles.whole.add(1 << 40));
    "float_add", "an addition to a float counter", Changes, adds("float", 0.1, 0.0), |path| on_handles(path, |handles| handles.float.add(0.1));
    "gauge_set", "a gauge is set", Changes, sets("depth", -9.0), |path| on_handles(path, |handles| handles.depth.set(-9));
    "gauge_add", "a gauge is raised", Changes, sets("depth", 11.0), |path| on_handles(path, |handles| handles.depth.add(4));
    "gauge_max", "a greatest value", Changes, sets("peak", 77.0), |path| on_handles(path, |handles| handles.peak.set_max(77));
    "gauge_last", "a float gauge of which the last value counts", Changes, sets("last", -2.5), |path| on_handles(path, |handles| handles.last.set(-2.5));
    "mark", "a time mark", Changes, sets("begun", 9.0), |path| on_handles(path, |handles| handles.begun.mark_at_ns(9));
    "state_same", "the same status again", Changes, sets("health", 2.0), |path| on_handles(path, |handles| handles.health.set(1));
    "state_other", "another status", Changes, sets("health", 1.0), |path| on_handles(path, |handles| handles.health.set(0));
    "next_id", "an id is given", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || {
            assert_eq!(segment.next_id(), Ok(1));
            std::mem::forget(segment);
        })
    };
    "next_of_block", "a block of ids is taken, and one given", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        let ids = segment.block_ids();
        Box::new(move || {
            assert_eq!((ids.next(), ids.next()), (Ok(1), Ok(2)));
            std::mem::forget((segment, ids));
        })
    };
    "record_integer", "a record of a whole number", Changes, adds("timed", 1.0, 0.005), |path| on_handles(path, |handles| handles.timed.record(5_000_000));
    "record_wider", "a record outside of all there were", Changes, adds("timed", 1.0, 3.0), |path| on_handles(path, |handles| handles.timed.record(3_000_000_000));
    "record_float", "a record of a float", Changes, adds("size", 1.0, 9.25), |path| on_handles(path, |handles| handles.size.record(9.25));
    "record_classic", "a record in buckets with given bounds", Changes, adds("classic", 1.0, 4.0), |path| on_handles(path, |handles| handles.classic.record(4.0));
    "record_invalid", "a value that is no observation", Changes, Effect::None, |path| on_handles(path, |handles| handles.size.record(f64::NAN));
    "event", "an event is written", Changes, adds("jobs", 1.0, 0.0), |path| on_handles(path, |handles| handles.job(9));
    "event_over", "an event overwrites another", Changes, adds("jobs", 1.0, 0.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        (0..scene::EVENTS + 3).for_each(|number| handles.job(number));
        Box::new(move || handles.job(9))
    };
    "number_add", "an addition to a number", Changes, adds("balance", -3.0, 0.0), |path| on_handles(path, |handles| handles.balance.add(-3));
    "number_float", "the first float that is added to a number", Changes, adds("balance", 0.25, 0.0), |path| on_handles(path, |handles| handles.balance.add_float(0.25));
    "sample", "a sample where there is room", Changes, adds("recent", 1.0, 0.0), |path| on_handles(path, |handles| handles.recent.record_at(scene::RECENT_NS, 7.5));
    "sample_over", "a sample that overwrites an older one", Changes, adds("recent", 1.0, 0.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        (0..9).for_each(|number| handles.recent.record_at(scene::RECENT_NS + number, number as f64));
        Box::new(move || handles.recent.record_at(scene::RECENT_NS + 9, 9.0))
    };
    "sample_invalid", "a value that is no sample", Changes, Effect::None, |path| on_handles(path, |handles| handles.recent.record(f64::NAN));
    "group_add", "an update of a group", Changes, adds("deliveries", 1.0, 6.0), |path| on_handles(path, |handles| handles.deliveries.add(scene::DELIVERY));
    "group_round", "an update of a group whose copies went round", Changes, adds("deliveries", 1.0, 6.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        (0..70).for_each(|_| handles.deliveries.add(scene::DELIVERY));
        Box::new(move || handles.deliveries.add(scene::DELIVERY))
    };
    "group_shared", "an update of a group without a lane: all are taken", Shares, adds("deliveries", 1.0, 6.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        let handles: &'static Handles = Box::leak(Box::new(handles));
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            handles.whole.inc();
            ready.send(()).unwrap();
            std::thread::park();
        });
        is_ready.recv().unwrap();
        std::mem::forget(segment);
        Box::new(move || {
            std::thread::spawn(|| handles.deliveries.add(scene::DELIVERY)).join().unwrap();
        })
    };
    "first_update", "the first update of a group: its block is committed", Changes, adds("deliveries", 1.0, 6.0), |path| {
        let segment = scene::open(path).unwrap();
        let handles = Handles::register(&segment).unwrap();
        handles.whole.inc();
        std::mem::forget(segment);
        Box::new(move || handles.deliveries.add(scene::DELIVERY))
    };
    "register_group", "a new group", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || std::mem::forget(segment.group("new").fields(["a", "b"]).register().unwrap()))
    };
    "record_shared", "a record without a lane: all are taken", Shares, adds("timed", 1.0, 0.005), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        let handles: &'static Handles = Box::leak(Box::new(handles));
        // The second lane goes to a thread that stays; a third finds none.
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            handles.whole.inc();
            ready.send(()).unwrap();
            std::thread::park();
        });
        is_ready.recv().unwrap();
        std::mem::forget(segment);
        Box::new(move || {
            std::thread::spawn(|| handles.timed.record(5_000_000)).join().unwrap();
        })
    };
    "seal", "the record at which a histogram is sealed", Changes, adds("timed", 1.0, 0.005), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        let before = shmetrics::protocol::latch::SEAL_INTERVAL - 1 - scene::timed_before();
        (0..before).for_each(|number| handles.timed.record(1_000_000 + number));
        Box::new(move || handles.timed.record(5_000_000))
    };
    "rotation", "the first record of an epoch", Changes, adds("timed", 1.0, 0.006), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        // Several rotations, so that every slot of the ring was used.
        for _ in 0..5 {
            next_epoch(&segment);
            handles.timed.record(5_000_000);
        }
        next_epoch(&segment);
        std::mem::forget(segment);
        Box::new(move || handles.timed.record(6_000_000))
    };
    "register_new", "a new family and series", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || std::mem::forget(segment.counter("new").label("b", "2").register().unwrap()))
    };
    "register_histogram", "a new histogram", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || std::mem::forget(segment.histogram("new").scale(0).range(0, 4).register().unwrap()))
    };
    "register_existing", "a series that is there", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || std::mem::forget(segment.counter("whole").label("a", "1").register().unwrap()))
    };
    "register_full", "one series too many", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        let names: Vec<String> = (0..30).map(|number| format!("more_{number}")).collect();
        while names.iter().all(|name| segment.gauge(name).merge(Merge::Max).register().is_ok()) {}
        Box::new(move || assert!(segment.gauge("too_many").merge(Merge::Max).register().is_err()))
    };
    "register_race", "another registers the same series at any moment", Races, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || {
            let new = segment.counter("new").label("b", "2").register().unwrap();
            new.add(RACER_ADDS);
            std::mem::forget((new, segment));
        })
    };
    "log_new", "an error is logged that was not logged before", Keeps, Effect::None, |path| on_errors(path, &["one"], "two");
    "log_known", "an error is logged that is known", Keeps, Effect::None, |path| on_errors(path, &["one", "two"], "two");
    "log_full", "an error is logged for which there is no entry", Keeps, Effect::None, |path| on_errors(path, &["one", "two", "three"], "four");
    "start_key", "a key is started for the first time", Changes, sets("working", 3.0), |path| on_handles(path, |handles| leave(handles, "new"));
    "start_again", "a key that is in flight is started again", Keeps, Effect::None, |path| on_handles(path, |handles| leave(handles, "held, too"));
    "start_parked", "a key that is parked is started again", Changes, sets("working", 2.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        handles.working.retry_key_later("held").unwrap();
        Box::new(move || leave(&handles, "held"))
    };
    "start_full", "a key finds its bucket full", Changes, sets("working", 8.0), |path| fill_bucket(path, false);
    "start_forgets", "a key takes the entry of one that is parked, as its bucket is full", Changes, sets("working", 8.0), |path| fill_bucket(path, true);
    "finish_key", "a key is done", Changes, sets("working", 1.0), |path| on_handles(path, |handles| assert!(handles.working.finish_key("held").is_some()));
    "finish_token", "a key is done, by its token", Changes, sets("working", 1.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        let token = handles.working.start("held");
        Box::new(move || assert!(handles.working.finish(token)))
    };
    "retry_later", "a key is parked", Changes, sets("working", 1.0), |path| on_handles(path, |handles| assert!(handles.working.retry_key_later("held").is_some()));
    "text_set", "a text replaces another", Changes, Effect::Tells { name: "phase", text: Some("after, and longer than before") }, |path| {
        on_handles(path, |handles| assert!(handles.phase.set_at_ns("after, and longer than before", 2)))
    };
    "text_cut", "a text is set that is too long", Changes, Effect::Tells { name: "phase", text: Some("0123456789012345678901234567890123456789") }, |path| {
        on_handles(path, |handles| assert!(handles.phase.set_at_ns(&"0123456789".repeat(5), 2)))
    };
    "text_delete", "a text is deleted", Changes, Effect::Tells { name: "phase", text: None }, |path| on_handles(path, |handles| assert!(handles.phase.delete()));
    "text_again", "a text is set after all slots were used", Changes, Effect::Tells { name: "phase", text: Some("again") }, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(segment);
        (0..8).for_each(|number| assert!(handles.phase.set_at_ns(&format!("number {number}"), number)));
        Box::new(move || assert!(handles.phase.set_at_ns("again", 9)))
    };
    "first_use", "the first increment of a process: a lane is claimed and committed", Changes, adds("whole", 1.0, 0.0), |path| {
        let segment = scene::open(path).unwrap();
        let handles = Handles::register(&segment).unwrap();
        std::mem::forget(segment);
        Box::new(move || handles.whole.inc())
    };
    "first_record", "the first record into a histogram: its block is committed", Changes, adds("timed", 1.0, 0.005), |path| {
        let segment = scene::open(path).unwrap();
        let handles = Handles::register(&segment).unwrap();
        handles.whole.inc();
        std::mem::forget(segment);
        Box::new(move || handles.timed.record(5_000_000))
    };
    "first_sample", "the first sample: its block is committed", Changes, adds("recent", 1.0, 0.0), |path| {
        let segment = scene::open(path).unwrap();
        let handles = Handles::register(&segment).unwrap();
        handles.whole.inc();
        std::mem::forget(segment);
        Box::new(move || handles.recent.record_at(scene::RECENT_NS, 7.5))
    };
    "register_number", "a new number: two words", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || std::mem::forget(segment.number("new").register().unwrap()))
    };
    "thread_exit", "a thread counts, ends, and gives its lane back", Changes, adds("whole", 1.0, 0.0), |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        let handles: &'static Handles = Box::leak(Box::new(handles));
        std::mem::forget(segment);
        Box::new(move || std::thread::spawn(|| handles.whole.inc()).join().unwrap())
    };
    "close", "a segment is closed: lanes and slot are given back", Keeps, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        Box::new(move || drop((segment, handles)))
    };
    "adopt_counters", "the lane of a dead process is taken over", Adopts, adds("whole", 1.0, 0.0), |path| {
        let segment = scene::open(path).unwrap();
        let handles = Handles::register(&segment).unwrap();
        std::mem::forget(segment);
        Box::new(move || handles.whole.inc())
    };
    "open", "a process opens a segment whose last owner died", Keeps, Effect::None, |path| {
        let path = path.to_owned();
        Box::new(move || std::mem::forget(scene::options().open_at(path).unwrap()))
    };
    "create", "a segment is made", Creates, Effect::None, |path| {
        let path = path.to_owned();
        Box::new(move || std::mem::forget(scene::options().create_at(path).unwrap()))
    };
    "create_named", "a segment is made under a shared-memory name", Publishes, Effect::None, |path| {
        let place = format!("shm:{}", path.file_name().unwrap().display());
        Box::new(move || std::mem::forget(scene::options().create(&place).unwrap()))
    };
    "replace", "a segment on disk of an earlier boot is replaced", Replaces, Effect::None, |path| {
        let path = path.to_owned();
        Box::new(move || std::mem::forget(scene::options().open_or_create_at(path).unwrap()))
    };
    "reset", "all series are reset for the first time", Resets, Effect::Zeroes { names: COUNTED }, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget((segment, handles));
        let path = path.to_owned();
        Box::new(move || assert_eq!(shmetrics::reset::at_path(&path, |_| true).unwrap().series, COUNTED.len() as u64))
    };
    "reset_again", "a reset after two, of which the last was of others", Resets, Effect::Zeroes { names: &["whole", "timed"] }, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        let chosen = |name: &str| ["whole", "timed"].contains(&name);
        shmetrics::reset::at_path(path, |_| true).unwrap();
        handles.use_all();
        shmetrics::reset::at_path(path, |series| !chosen(&series.name)).unwrap();
        handles.use_all();
        std::mem::forget((segment, handles));
        let path = path.to_owned();
        Box::new(move || {
            let done = shmetrics::reset::at_path(&path, |series| chosen(&series.name)).unwrap();
            assert_eq!((done.series, done.resets), (2, 3));
        })
    };
    "retire", "a segment is given up", Retires, Effect::None, |path| {
        let (segment, handles) = scene::furnish(path).unwrap();
        std::mem::forget(handles);
        Box::new(move || {
            segment.retire().unwrap();
            std::mem::forget(segment);
        })
    };
}

/// What can be reset of the scene.
const COUNTED: &[&str] = &[
    "whole",
    "float",
    "timed",
    "size",
    "classic",
    "balance",
    "deliveries",
];

/// What each side of `register_race` counts.
pub const RACER_ADDS: u64 = 3;

fn next_epoch(segment: &shmetrics::Segment) {
    // Epochs are a millisecond; the coarse clock of some kernels moves every four.
    std::thread::sleep(std::time::Duration::from_millis(9));
    segment.tick();
}

/// The child's part.
pub fn child(task: &str) -> ExitCode {
    let (name, path) = task.split_once(':').unwrap();
    let operation = OPERATIONS
        .iter()
        .find(|operation| operation.name == name)
        .unwrap();
    be_traced();
    let run = (operation.prepare)(Path::new(path));
    mark();
    run();
    mark();
    ExitCode::SUCCESS
}

/// Options of openers that are not traced.
pub fn adopter() -> SegmentOptions {
    scene::options()
}
