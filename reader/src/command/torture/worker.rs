//! One process of the storm: a worker, or with other flags a reader or a race of creators.
//!
//! Its threads operate at full rate, each in bursts of one sort of operation; its main thread makes children, threads and signals, by
//! a plan that follows from seed and number alone. Every operation is noted in the tally before and after.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::Scope;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use shmetrics::{OpenError, RegisterError, Segment};

use super::child::{self, Parent};
use super::hands::{Act, Hands, Lie, With};
use super::kind::{Kind, Kinds};
use super::plan::Capacity;
use super::statistics::{self, Writer};
use super::system;
use super::tally::{Count, Shape, Tally};
use super::{measure, race, stage, witness};
use crate::cli::{TortureRole, TortureWorker};
use crate::exit::{Failure, THREADS, io_failure};
use crate::storm::process::die_with_parent;
use crate::storm::random::Random;

/// Operations of one sort, one after the other.
const LONGEST_BURST: u64 = 64;
/// Bursts of a thread that comes and goes.
const LONGEST_LIFE: u64 = 400;
/// Between two deeds of the main thread: its other threads shall operate, too.
const LONGEST_PAUSE_US: u64 = 1500;
/// Between two signals to one thread; the kernel adds some 50 µs.
const SIGNAL_PAUSE: Duration = Duration::from_micros(10);

/// What the main thread does, and how often.
const DEEDS: &[(Kind, u64)] = &[
    (Kind::Fork, 10),
    (Kind::Clone, 6),
    (Kind::Close, 3),
    (Kind::Exec, 1),
    (Kind::Nobody, 2),
    (Kind::Namespace, 1),
    (Kind::Thread, 4),
    (Kind::Signal, 2),
];

pub(crate) fn run(flags: &TortureWorker) -> Result<(), Failure> {
    die_with_parent(flags.parent, "torture")?;
    // Those that abort shall not fill a disk.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    let shape = Shape {
        workers: flags.workers,
        threads: flags.threads,
    };
    let tally = Tally::of_worker(shape)?;
    // Followed by the number: each process has its own.
    let mut random = Random::new(flags.seed ^ flags.number << 24);
    match flags.role {
        TortureRole::Reader => witness::run(&stage::segment(&flags.folder), &tally, &mut random),
        TortureRole::Race => race::run(flags, &mut random),
        TortureRole::Worker => work(flags, &tally, &mut random)?,
    }
    Ok(())
}

/// Tells the storm that something is wrong: standard output is a file to which everybody appends.
pub(super) fn complain(what: &str) {
    let line = format!("{}\n", what.replace('\n', " "));
    // One call: lines of several processes do not mix.
    let _ = rustix::io::write(rustix::stdio::stdout(), line.as_bytes());
}

/// The flags of a process like this one, below another parent.
pub(super) fn arguments(command: &mut Command, flags: &TortureWorker, parent: u32) {
    use std::os::unix::process::CommandExt;
    command.arg0("shmetrics").arg("torture-worker");
    command.arg("--folder").arg(&flags.folder);
    let role = match flags.role {
        TortureRole::Worker => "worker",
        TortureRole::Reader => "reader",
        TortureRole::Race => "race",
    };
    command.args(["--role", role]);
    let mut number = |flag: &str, value: u64| {
        command.arg(flag).arg(value.to_string());
    };
    number("--parent", u64::from(parent));
    number("--seed", flags.seed);
    number("--number", flags.number);
    number("--slot", flags.slot);
    number("--workers", flags.workers);
    number("--threads", flags.threads);
    number("--kinds", flags.kinds);
    number("--lanes", flags.lanes);
    number("--slots", flags.slots);
    number("--budget", flags.budget);
    if let Some(lie) = &flags.falsify {
        command.arg("--falsify").arg(lie);
    }
}

fn work(flags: &TortureWorker, tally: &Tally, random: &mut Random) -> Result<(), Failure> {
    let kinds = Kinds::from_bits(flags.kinds);
    let capacity = Capacity {
        lanes: flags.lanes,
        slots: flags.slots,
        budget: flags.budget,
    };
    let path = stage::segment(&flags.folder);
    let role = measure::role(flags.number);
    let segment = match stage::options(capacity).role(role).open_or_create_at(&path) {
        Ok(segment) => segment,
        Err(error) => return refuse(tally, &error),
    };
    let Some(era) = own_era(&flags.folder, tally) else {
        return Ok(());
    };
    let hands = match Hands::register(&segment) {
        Ok(hands) => hands,
        Err(RegisterError::Full { .. } | RegisterError::Storage { .. }) if is_scarce(&segment) => {
            tally.count(Count::Refused as usize).fetch_add(1, Relaxed);
            std::thread::sleep(Duration::from_millis(5));
            return Ok(());
        }
        Err(error) => {
            complain(&format!("a worker could not register its series: {error}"));
            return Ok(());
        }
    };
    let passing = tally.seat(era, flags.slot, flags.threads);
    let parent = Parent {
        flags,
        hands: &hands,
        seat: passing,
        tally,
        series: kinds.has(Kind::Series),
        gauges: true,
    };
    if let Some(operations) = flags.operations {
        child::operate(&parent, random, operations + 1, true);
        return Ok(());
    }
    tally.note_start(era, flags.slot, flags.number);
    if parent.series {
        tally.count(Kind::Series as usize).fetch_add(1, Relaxed);
    }
    Worker {
        parent,
        era,
        lie: lie(flags),
        kinds,
        threads: (0..flags.threads).map(|_| AtomicU64::new(0)).collect(),
    }
    .run(random)
}

/// May the segment be too small even for the first series? Who dies without a slot takes records along (SPEC.md, section 18).
fn is_scarce(segment: &Segment) -> bool {
    segment.capacities().is_some_and(|capacities| {
        capacities.process_slots < Capacity::AMPLE.slots || capacities.budget < Capacity::AMPLE.budget
    })
}

fn lie(flags: &TortureWorker) -> Lie {
    match flags.falsify.as_deref() {
        Some("lose") => Lie::Lose,
        Some("double") => Lie::Double,
        Some("silent") => Lie::Of(statistics::Lie::Silent),
        Some("disordered") => Lie::Of(statistics::Lie::Disordered),
        Some("kept") => Lie::Of(statistics::Lie::Kept),
        Some("twice") => Lie::Of(statistics::Lie::Twice),
        Some("taken") => Lie::Of(statistics::Lie::Taken),
        _ => Lie::None,
    }
}

/// A segment that cannot be used is a fault, whatever the reason: all that could excuse it does not happen here.
fn refuse(tally: &Tally, error: &OpenError) -> Result<(), Failure> {
    tally.count(Count::Refused as usize).fetch_add(1, Relaxed);
    complain(&format!("a worker could not open the segment: {error}"));
    std::thread::sleep(Duration::from_millis(5));
    Ok(())
}

/// The era of the segment that this process has mapped; the name may lead elsewhere by now.
fn own_era(folder: &Path, tally: &Tally) -> Option<usize> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let folder = folder.display().to_string();
    // address, permissions, offset, device, inode, path
    let inode = maps
        .lines()
        .filter(|line| line.contains(&folder))
        .find_map(|line| line.split_ascii_whitespace().nth(4)?.parse().ok());
    let Some(inode) = inode else {
        complain("a worker has opened a segment and has not mapped it");
        return None;
    };
    tally.era_of(inode)
}

struct Worker<'a> {
    parent: Parent<'a>,
    era: usize,
    lie: Lie,
    kinds: Kinds,
    /// Ids of the threads, 0 for those that have ended.
    threads: Vec<AtomicU64>,
}

impl<'a> Worker<'a> {
    fn run(mut self, random: &mut Random) -> Result<(), Failure> {
        let nobody = self.kinds.has(Kind::Nobody) && random.below(16) == 0;
        // Not both: libc tells all threads of setuid(2) by a signal of its own, which it handles on the alternate stack. A handler that
        // interrupts that one finds 8 KiB there, too little for this program as it is compiled for tests.
        let signals = !nobody && self.kinds.has(Kind::Signal) && random.below(3) == 0;
        if nobody {
            // It could not open the segment again, nor could a program that a child becomes.
            self.kinds = self
                .kinds
                .without(Kind::Exec)
                .without(Kind::Nobody)
                .without(Kind::Namespace);
        }
        self.parent.gauges = !nobody;
        let this = &self;
        let handled = AtomicU64::new(0);
        let in_handler = || this.operate_in_handler(&handled);
        system::handling(&in_handler, || this.storm(random, signals, nobody))
    }

    fn storm(&self, random: &mut Random, signals: bool, nobody: bool) -> Result<(), Failure> {
        let this = self;
        let seed = random.next();
        std::thread::scope(|scope| {
            let starts = AtomicU64::new(0);
            for thread in 0..this.threads.len() {
                this.start(scope, thread, seed)?;
            }
            if signals {
                this.spawn(scope, || this.send_signals())?;
            }
            if nobody && system::become_nobody().is_ok() {
                die_with_parent(this.parent.flags.parent, "torture")?;
                this.count(Kind::Nobody);
            }
            while !this.must_leave() {
                for (thread, id) in this.threads.iter().enumerate() {
                    if id.load(Relaxed) == 0 {
                        // Every start has numbers of its own.
                        let start = starts.fetch_add(1, Relaxed) + 1;
                        this.start(scope, thread, seed ^ start << 8)?;
                    }
                }
                match this.kinds.draw(DEEDS, random) {
                    None => {}
                    Some(Kind::Thread) => this.pass(scope, random, false)?,
                    Some(Kind::Signal) => this.pass(scope, random, true)?,
                    Some(kind) => child::make(kind, &this.parent, random),
                }
                std::thread::sleep(Duration::from_micros(random.below(LONGEST_PAUSE_US)));
            }
            Ok(())
        })
    }

    fn operate_in_handler(&self, handled: &AtomicU64) {
        let mut random = Random::new(handled.fetch_add(1, Relaxed));
        let Parent {
            hands, seat, tally, ..
        } = self.parent;
        let with = With {
            tally,
            bound: None,
            writer: &Writer::default(),
            blocks: None,
            lie: Lie::None,
        };
        hands.act(Act::plain(&mut random), &mut random, &seat, &with);
        tally.count(Count::Handled as usize).fetch_add(1, Relaxed);
    }

    fn must_leave(&self) -> bool {
        let flags = self.parent.flags;
        self.parent.tally.must_leave(flags.slot, flags.number)
    }

    fn count(&self, kind: Kind) {
        self.parent.tally.count(kind as usize).fetch_add(1, Relaxed);
    }

    fn spawn<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        work: impl FnOnce() + Send + 'scope,
    ) -> Result<(), Failure> {
        let started = std::thread::Builder::new().spawn_scoped(scope, work);
        started
            .map(drop)
            .map_err(|error| io_failure("start a thread", &error, THREADS))
    }

    /// A thread with a seat of its own.
    fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        thread: usize,
        seed: u64,
    ) -> Result<(), Failure> {
        // Not 0 from now on, so that it is started once.
        self.threads[thread].store(u64::MAX, Relaxed);
        self.spawn(scope, move || {
            self.threads[thread].store(system::thread_id(), Relaxed);
            self.operate(thread, &mut Random::new(seed ^ thread as u64));
            self.threads[thread].store(0, Relaxed);
        })
    }

    /// Full rate, until it is time to go.
    fn operate(&self, thread: usize, random: &mut Random) {
        let Parent {
            flags,
            hands,
            tally,
            series,
            ..
        } = self.parent;
        let seat = tally.seat(self.era, flags.slot, thread as u64);
        let blocks = hands.segment.block_ids();
        let bound = (random.below(2) == 0).then(|| hands.events.bind());
        let with = With {
            tally,
            bound: bound.as_ref(),
            writer: &Writer::default(),
            blocks: Some(&blocks),
            lie: self.lie,
        };
        let bursts = if self.kinds.has(Kind::Thread) {
            random.below(LONGEST_LIFE)
        } else {
            u64::MAX
        };
        for _ in 0..bursts {
            if self.must_leave() {
                return;
            }
            let act = Act::any(random, series, true);
            for _ in 0..=random.below(LONGEST_BURST) {
                hands.act(act, random, &seat, &with);
            }
            // What handlers interrupt shall often be the heap.
            let garbage: Vec<String> = (0..random.below(8))
                .map(|n| "x".repeat(n as usize * 100))
                .collect();
            std::hint::black_box(garbage);
        }
    }

    /// A thread that comes, operates, and goes; `signalled`: its very first operation is in a signal handler.
    fn pass<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        random: &mut Random,
        signalled: bool,
    ) -> Result<(), Failure> {
        let mut own = Random::new(random.next());
        self.count(if signalled { Kind::Signal } else { Kind::Thread });
        self.spawn(scope, move || {
            if signalled {
                system::block_signal(true);
                system::signal_thread(system::thread_id());
                system::block_signal(false);
            }
            child::operate(&self.parent, &mut own, 200, true);
        })
    }

    fn send_signals(&self) {
        while !self.must_leave() {
            for thread in &self.threads {
                match thread.load(Relaxed) {
                    0 | u64::MAX => {}
                    id => system::signal_thread(id),
                }
            }
            std::thread::sleep(SIGNAL_PAUSE);
        }
    }
}
