//! Writers at full rate, resetters that are killed at any moment, and readers that check every number.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::*;

const WRITERS: usize = 2;
const RESETTERS: usize = 40;
/// Of each writer, on lines of its own: begun and done.
const WORDS: usize = 16;
const STOP: usize = WRITERS * WORDS;
/// Resets that came to their end, over all resetters.
const RESETS: usize = STOP + 1;
const LENGTH: usize = STOP + 2;
const TEST: &str = "storm::resetters_are_killed_at_any_moment_and_no_number_is_half";

fn writer(segment: &str, tally: &SharedWords, number: usize) {
    let segment = Segment::options().open_at(segment).unwrap();
    let events = segment.counter("events").register().unwrap();
    let sizes = segment.histogram("sizes").register().unwrap();
    let mut n = 0;
    while tally.word(STOP).load(Relaxed) == 0 {
        for _ in 0..100 {
            n += 1;
            tally.word(number * WORDS).store(n, Release);
            events.inc();
            sizes.record(n % 1000);
            tally.word(number * WORDS + 1).store(n, Release);
        }
    }
}

fn resetter(path: &Path, tally: &SharedWords) {
    while tally.word(STOP).load(Relaxed) == 0 {
        let done = reset_all(path);
        tally.word(RESETS).fetch_max(done.resets, Relaxed);
    }
}

/// One reader's view of the sequence.
struct Witness {
    reader: Reader,
    resets: u64,
    since: u64,
    counts: [u64; 2],
    exact: u64,
    taken: u64,
}

impl Witness {
    fn new(path: &Path) -> Witness {
        Witness {
            reader: Reader::open_path(path).unwrap(),
            resets: 0,
            since: 0,
            counts: [0; 2],
            exact: 0,
            taken: 0,
        }
    }

    fn look(&mut self, tally: &SharedWords) {
        let snapshot = self.reader.snapshot().unwrap();
        let begun: u64 = (0..WRITERS).map(|n| tally.word(n * WORDS).load(Relaxed)).sum();
        let events = counter(&snapshot, "events", &[]);
        let (sizes, _, is_exact) = histogram(&snapshot, "sizes");
        let since = snapshot.find("events", &[]).unwrap().since_ns;
        assert!(events <= begun, "{events} shown, {begun} begun");
        assert!(sizes <= begun, "{sizes} shown, {begun} begun");
        assert!(snapshot.resets >= self.resets, "an older reset came back");
        if self.taken == 0 {
            self.since = since;
        } else if snapshot.resets == self.resets {
            assert_eq!(since, self.since, "of one reset there is one start");
            assert!(
                [events, sizes]
                    .iter()
                    .zip(self.counts)
                    .all(|(is, was)| *is >= was),
                "within reset {}: {:?} -> {events}, {sizes}",
                self.resets,
                self.counts
            );
        } else {
            assert!(since > self.since, "a reset has a later start");
        }
        // Both were reset together.
        assert!(snapshot.resets == 0 || since == snapshot.find("sizes", &[]).unwrap().since_ns);
        (self.resets, self.since, self.counts) = (snapshot.resets, since, [events, sizes]);
        self.exact += u64::from(is_exact);
        self.taken += 1;
    }
}

/// Whatever a resetter is in the middle of, or died in: a verifier has nothing against it.
fn check(path: &Path) {
    let report = shmetrics::verify::verify(path).unwrap();
    let is_error =
        |finding: &&shmetrics::verify::Finding| finding.severity == shmetrics::verify::Severity::Error;
    assert_eq!(report.findings.iter().find(is_error), None, "{report}");
}

/// The counter's cells added up, and the baseline in force: with what is shown they must agree to the unit.
fn raw(path: &Path) -> (u64, u64) {
    use std::os::unix::fs::FileExt;
    let reader = Reader::open_path(path).unwrap();
    let geometry = reader.facts().geometry;
    let file = std::fs::File::open(path).unwrap();
    let word = |offset: u64| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    };
    // The only counter has placement 0.
    let lanes = (1..=geometry.capacities.lanes)
        .map(|lane| word(geometry.lane_offset(lane) + geometry.lane_counters_offset));
    let cells = lanes.sum::<u64>() + word(geometry.shared_counters_offset);
    let number = word(shmetrics::layout::header::RESET_OFFSET);
    (cells, word(geometry.reset_counter_offset(number & 1, 0)))
}

#[test]
fn resetters_are_killed_at_any_moment_and_no_number_is_half() {
    if let Some(argument) = child_argument() {
        let parts: Vec<&str> = argument.split(' ').collect();
        let tally = SharedWords::open(parts[2].as_ref(), LENGTH);
        return match parts[0] {
            "writer" => writer(parts[1], &tally, parts[3].parse().unwrap()),
            _ => resetter(parts[1].as_ref(), &tally),
        };
    }
    let scratch = Scratch::new("reset-storm");
    let (path, tally_path) = (scratch.path("segment"), scratch.path("tally"));
    let segment = create(&path);
    segment.counter("events").register().unwrap();
    segment.histogram("sizes").register().unwrap();
    drop(segment);
    let tally = SharedWords::open(&tally_path, LENGTH);
    let spawn = |role: &str, number: usize| {
        let argument = format!("{role} {} {} {number}", path.display(), tally_path.display());
        Worker::spawn(TEST, &argument)
    };
    let mut writers: Vec<Worker> = (0..WRITERS).map(|number| spawn("writer", number)).collect();
    let mut old = Witness::new(&path);
    poll("both writers", || {
        old.look(&tally);
        (0..WRITERS)
            .all(|n| tally.word(n * WORDS + 1).load(Relaxed) > 1000)
            .then_some(())
    });
    for _ in 0..RESETTERS {
        let before = tally.word(RESETS).load(Relaxed);
        let mut resetter = spawn("resetter", 0);
        let mut fresh = Witness::new(&path);
        // At another moment each time, as the scheduler has it.
        poll("some resets", || {
            old.look(&tally);
            fresh.look(&tally);
            (tally.word(RESETS).load(Relaxed) > before + 2).then_some(())
        });
        check(&path);
        resetter.kill();
        check(&path);
        old.look(&tally);
        fresh.look(&tally);
        assert!(fresh.resets > before);
    }
    tally.word(STOP).store(1, Relaxed);
    writers.iter_mut().for_each(Worker::finish);
    old.look(&tally);
    Witness::new(&path).look(&tally);

    // With nobody at work all adds up.
    let done: u64 = (0..WRITERS)
        .map(|n| tally.word(n * WORDS + 1).load(Relaxed))
        .sum();
    let (cells, baseline) = raw(&path);
    assert_eq!(cells, done, "writers do not notice resets");
    let told = snapshot(&path);
    assert_eq!(baseline + counter(&told, "events", &[]), cells);
    let (sizes, _, is_exact) = histogram(&told, "sizes");
    assert!(is_exact && sizes <= done, "{sizes} of {done}");
    assert!(old.exact > 0, "no histogram was exact in {} looks", old.taken);
    assert!(told.resets >= tally.word(RESETS).load(Relaxed));
    // And it is reset once more, by somebody who lives.
    reset_all(&path);
    let told = snapshot(&path);
    assert_eq!(
        (counter(&told, "events", &[]), histogram(&told, "sizes").0),
        (0, 0)
    );
    assert_eq!(raw(&path).1, done);
}
