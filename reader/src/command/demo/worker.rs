//! One worker process of the demo: counts, and notes around each operation what it began and what it has done.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use shmetrics::{Counter, Histogram, Segment, Unit};

use super::tally::{Cell, Tally};
use super::{COUNTER, HISTOGRAM, WORKER_LABEL};
use crate::cli::DemoWorker;
use crate::exit::{Failure, THREADS, io_failure};
use crate::storm::process::die_with_parent;
use crate::storm::random::Random;

pub(crate) fn run(flags: &DemoWorker) -> Result<(), Failure> {
    die_with_parent(flags.parent, "demo")?;
    let tally = Tally::of_worker(flags.processes * flags.threads)?;
    let worker = flags.worker.to_string();
    let segment = Segment::options()
        .role(format!("demo-{worker}"))
        .open_at(&flags.segment)?;
    let counter = segment
        .counter(COUNTER)
        .help("Operations of the demo")
        .label(WORKER_LABEL, &worker)
        .register()?;
    let histogram = match flags.record {
        true => Some(
            segment
                .histogram(HISTOGRAM)
                .help("Made-up durations of the demo's operations")
                .unit(Unit::Seconds)
                .register()?,
        ),
        false => None,
    };
    let cells = tally.process(flags.process, flags.threads);
    let before = flags
        .after
        .map(|process| tally.process(process, flags.threads))
        .unwrap_or_default();
    std::thread::scope(|scope| {
        for (thread, cell) in cells.iter().enumerate() {
            let (done, recorded) = before
                .get(thread)
                .map_or((0, 0), |cell| (cell.counts.done(), cell.records.done()));
            let work = Work {
                counter: &counter,
                histogram: histogram.as_ref(),
                random: Random::new(flags.process << 32 | thread as u64),
                cell,
                amount: flags.increments.saturating_sub(done),
                // Killed between the two.
                owed: if flags.record {
                    done.saturating_sub(recorded)
                } else {
                    0
                },
                hold_at: flags.hold_at.unwrap_or(u64::MAX),
            };
            let started = std::thread::Builder::new()
                .name(format!("worker-{worker}-{thread}"))
                .spawn_scoped(scope, move || work.run());
            started.map_err(|error| io_failure("start a thread", &error, THREADS))?;
        }
        Ok(())
    })
}

/// What one thread does.
struct Work<'a> {
    counter: &'a Counter,
    histogram: Option<&'a Histogram>,
    random: Random,
    cell: &'a Cell,
    amount: u64,
    /// Records that are missing for counts already done.
    owed: u64,
    /// Where to wait to be killed.
    hold_at: u64,
}

impl Work<'_> {
    fn run(mut self) {
        let begun = processor_ns();
        let last = self.amount.min(self.hold_at);
        match self.histogram {
            None => self.count(last),
            Some(histogram) => self.count_and_record(histogram, last),
        }
        if self.hold_at < self.amount {
            // Until it is killed: by the demo, or by the kernel if the demo is gone.
            loop {
                std::thread::park();
            }
        }
        self.cell.processor_ns.store(processor_ns() - begun, Relaxed);
        self.cell.finished.store(self.amount, Relaxed);
    }

    fn count(&self, last: u64) {
        for n in 1..=last {
            self.cell.counts.begin(n);
            self.counter.inc();
            self.cell.counts.end(n);
        }
    }

    fn count_and_record(&mut self, histogram: &Histogram, last: u64) {
        let (mut records, mut sum) = (0, 0);
        for _ in 0..self.owed {
            self.record(histogram, &mut records, &mut sum);
        }
        for n in 1..=last {
            self.cell.counts.begin(n);
            self.counter.inc();
            self.cell.counts.end(n);
            self.record(histogram, &mut records, &mut sum);
        }
    }

    #[inline(always)]
    fn record(&mut self, histogram: &Histogram, records: &mut u64, sum: &mut u64) {
        let nanoseconds = duration(self.random.next());
        *records += 1;
        *sum += nanoseconds;
        self.cell.sums.begin(*sum);
        self.cell.records.begin(*records);
        histogram.record_duration(Duration::from_nanos(nanoseconds));
        self.cell.records.end(*records);
        self.cell.sums.end(*sum);
    }
}

/// A made-up duration: 16 µs and more, each octave half as often as the one below, up to 134 ms.
fn duration(random: u64) -> u64 {
    let octave = 1u64 << (14 + (random & 0xfff | 0x1000).trailing_zeros());
    octave + (random >> 20) % octave
}

/// Processor time of this thread, nanoseconds.
fn processor_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
