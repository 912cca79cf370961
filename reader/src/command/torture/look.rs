//! One reader of the storm and its sequence: every snapshot is checked against the tally, the one before, and itself.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use rustix::time::{ClockId, clock_gettime};
use shmetrics::snapshot::Clocks;
use shmetrics::verify::{Severity, verify};
use shmetrics::{OpenError, Reader, Snapshot, Value};

use super::check::{Between, check_histograms, check_processes};
use super::follow::Follow;
use super::history::History;
use super::measure::MEASURES;
use super::statistics::KEYS;
use super::tally::{Count, Tally};
use crate::storm::sequence;

/// A reader's retries are bounded; this is more processor time than all of them together need, by far.
const LONGEST_SNAPSHOT_NS: u64 = 20_000_000_000;

/// Events of a batch: fewer than there may be.
const EVENTS_AT_ONCE: usize = 500;

/// A reader that looks on.
pub(super) struct Look<'a> {
    pub(super) reader: Reader,
    tally: &'a Tally,
    pub(super) era: usize,
    live: [Snapshot; 2],
    cuts: [Snapshot; 2],
    history: History,
    follow: Follow,
    /// Does nobody operate?
    quiet: bool,
}

impl<'a> Look<'a> {
    /// `None` if the name leads nowhere, or somewhere else meanwhile.
    pub(super) fn open(path: &Path, tally: &'a Tally, quiet: bool) -> Result<Option<Look<'a>>, OpenError> {
        let inode = || std::fs::metadata(path).map(|file| file.ino()).ok();
        let before = inode();
        let mut reader = match Reader::open_path(path) {
            Ok(reader) => reader,
            Err(OpenError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let same = before.filter(|inode_before| inode() == Some(*inode_before));
        let Some(era) = same.and_then(|inode| tally.era_of(inode)) else {
            return Ok(None);
        };
        reader.in_flight_entries(KEYS as usize);
        let live = Default::default();
        let cuts = Default::default();
        Ok(Some(Look {
            reader,
            tally,
            era,
            live,
            cuts,
            history: History::default(),
            follow: Follow::default(),
            quiet,
        }))
    }

    /// Takes a snapshot and checks it.
    pub(super) fn look(&mut self) -> Result<(&Snapshot, Between), String> {
        self.live.swap(0, 1);
        let done = self.tally.done(self.era);
        let least = std::array::from_fn(|measure| self.tally.least(self.era, measure, done[measure]));
        self.history.note(Clocks::read().monotonic_ns, least);
        let begun = processor_ns();
        let taken = self.reader.snapshot_into(&mut self.live[0]);
        self.note_time(processor_ns() - begun)?;
        taken.map_err(|error| error.to_string())?;
        let between = self.check(&self.live[0], &done)?;
        sequence::compare(&self.live[0], &self.live[1])?;
        Ok((&self.live[0], between))
    }

    /// Reads some of the events that came since, and checks them.
    pub(super) fn look_at_events(&mut self) -> Result<(), String> {
        self.follow.go_on(&mut self.reader, EVENTS_AT_ONCE).map(drop)
    }

    /// Reads all events from the first on; nobody writes meanwhile.
    pub(super) fn look_at_all_events(&mut self) -> Result<(), String> {
        let written = self.live[0]
            .series
            .iter()
            .filter_map(|series| match &series.value {
                Value::Events(events) => Some(events.written),
                _ => None,
            });
        let written = written.sum();
        let mut follow = Follow::default();
        while follow.go_on(&mut self.reader, EVENTS_AT_ONCE)? {}
        follow.check_all(written)
    }

    /// Takes a cut and checks it.
    pub(super) fn look_at_cut(&mut self) -> Result<(), String> {
        self.cuts.swap(0, 1);
        let taken = self.reader.cut_into(&mut self.cuts[0]);
        taken.map_err(|error| error.to_string())?;
        // What is not closed yet is not in it.
        let between = Between::new(self.tally, self.era, &[0; MEASURES]);
        for (measure, total) in super::measure::totals(&self.cuts[0]).into_iter().enumerate() {
            let (value, most) = (total.value, between.0[measure].1);
            if total.error == Some(0) && value > most {
                let name = super::measure::name(measure);
                return Err(format!("{name} has {value} in a cut, but {most} were begun"));
            }
        }
        sequence::compare(&self.cuts[0], &self.cuts[1]).map_err(|what| format!("in cuts, {what}"))
    }

    fn check(&self, snapshot: &Snapshot, done: &[u64; MEASURES]) -> Result<Between, String> {
        let between = Between::new(self.tally, self.era, done);
        if self.quiet {
            between.check(snapshot)?;
        } else {
            between
                .while_recording(snapshot.fill.lanes_touched)
                .check(snapshot)?;
        }
        check_processes(snapshot, self.tally, self.era)?;
        let bounded = check_histograms(snapshot, &between, &self.history)?;
        if !snapshot.skipped.is_empty() {
            return Err(format!("records were skipped: {:?}", snapshot.skipped));
        }
        self.tally.count(Count::Snapshots as usize).fetch_add(1, Relaxed);
        self.tally
            .count(Count::Bounded as usize)
            .fetch_add(bounded, Relaxed);
        Ok(between)
    }

    fn note_time(&self, took_ns: u64) -> Result<(), String> {
        self.tally
            .count(Count::Slowest as usize)
            .fetch_max(took_ns, Relaxed);
        if took_ns > LONGEST_SNAPSHOT_NS {
            let seconds = took_ns / 1_000_000_000;
            return Err(format!("a snapshot took {seconds} s of processor time"));
        }
        Ok(())
    }
}

/// The full check of a segment: errors, the first ones in words.
pub(super) fn check_file(path: &Path, tally: &Tally) -> Result<(), String> {
    let report = match verify(path) {
        Ok(report) => report,
        // Retired meanwhile.
        Err(OpenError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(format!("verify: {error}")),
    };
    tally.count(Count::Verified as usize).fetch_add(1, Relaxed);
    let errors = report.count(Severity::Error);
    if errors == 0 {
        return Ok(());
    }
    let first: Vec<String> = report
        .findings
        .iter()
        .take(errors.min(3))
        .map(ToString::to_string)
        .collect();
    Err(format!("verify found {errors} errors: {}", first.join("; ")))
}

/// Processor time of this thread.
fn processor_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
