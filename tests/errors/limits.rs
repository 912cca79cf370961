//! Limits of the process and of the machine.

use super::*;

#[test]
fn a_file_size_limit_is_an_error_and_never_a_signal() {
    let _alone = alone();
    let scratch = Scratch::new("fsize");
    let (path, existing) = (scratch.path("segment"), scratch.path("existing"));
    closed_segment(&existing);
    let limit_files = || {
        let limit = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: 1 << 20,
        };
        // SAFETY: a valid limit, for this (child) process only.
        let limited = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
        assert_eq!(limited, 0);
    };
    let told = told_by_child(|| {
        limit_files();
        [
            shown(compact().create_at(&path)),
            shown(compact().open_or_create_at(&path)),
            shown(Segment::options().open_or_create_at(&path)),
        ]
        .join("\0")
    });
    let needed = std::fs::metadata(&existing).unwrap().len();
    let told: Vec<_> = told.split('\0').collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for told in &told {
        assert!(told.starts_with("FileSizeLimit {"), "{told}");
        assert_says(
            told,
            &["RLIMIT_FSIZE", "1048576 bytes", "raise the limit", "compact"],
        );
    }
    assert_says(&told[0], &[&needed.to_string()]);
    assert!(!path.exists());
    // A segment that is there has its length already: nothing needs to grow.
    let told = told_by_child(|| {
        limit_files();
        let segment = compact().open_at(&existing).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        for n in 0..1000 {
            events.inc();
            latency.record(n);
        }
        "fine".to_owned()
    });
    assert_eq!(told, "fine");
    let taken = snapshot(&existing);
    assert_eq!(counter(&taken, "events_total", &[]), 1000);
    assert_eq!(taken.losses.storage_refused, 0);
}

#[test]
fn locked_memory_is_refused_unless_it_is_allowed() {
    let _alone = alone();
    let scratch = Scratch::new("locked");
    let (path, allowed, early) = (
        scratch.path("segment"),
        scratch.path("allowed"),
        scratch.path("early"),
    );
    let lock = || {
        // SAFETY: changes how this (child) process maps from now on.
        unsafe { libc::mlockall(libc::MCL_FUTURE) == 0 }
    };
    let told = told_by_child(|| {
        // Open before it is locked: no error.
        let segment = compact().create_at(&early).unwrap();
        let events = segment.counter("events_total").register().unwrap();
        if !lock() {
            return "skipped".to_owned();
        }
        events.inc();
        let big = shown(Segment::options().open_or_create_at(&path));
        let small = shown(compact().open_or_create_at(&path));
        let opened = shown(compact().open_at(&early));
        let segment = match compact().allow_locked_memory().open_or_create_at(&allowed) {
            Ok(segment) => segment,
            Err(error) => return format!("{error:?}"),
        };
        segment.counter("events_total").register().unwrap().add(3);
        let latency = segment
            .histogram("latency_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        latency.record(5);
        [big, small, opened].join("\0")
    });
    if told == "skipped" {
        skip("memory cannot be locked here");
        return;
    }
    let told: Vec<_> = told.split('\0').collect();
    assert_eq!(told.len(), 3, "{told:?}");
    let needed = std::fs::metadata(&early).unwrap().len().to_string();
    for told in &told {
        assert!(told.starts_with("LockedMemory {"), "{told}");
        assert_says(
            told,
            &[
                "mlockall",
                "MCL_FUTURE",
                &format!("({needed} bytes)"),
                "before mlockall",
            ],
        );
    }
    assert_says(&told[1], &[&format!("its {needed} bytes")]);
    assert!(!path.exists());
    assert_eq!(counter(&snapshot(&early), "events_total", &[]), 1);
    let taken = snapshot(&allowed);
    assert_eq!(counter(&taken, "events_total", &[]), 3);
    assert_eq!(histogram(&taken, "latency_seconds").0, 1);
}

#[test]
fn more_segments_than_a_process_can_have_are_an_error_until_one_is_dropped() {
    let _alone = alone();
    let scratch = Scratch::new("many");
    let told = told_by_child(|| {
        let open = |n: usize| compact().open_or_create_at(scratch.path(&n.to_string()));
        let mut segments = Vec::new();
        let error = loop {
            match open(segments.len()) {
                Ok(segment) => segments.push(segment),
                Err(error) => break error,
            }
        };
        assert_eq!(segments.len(), 15);
        segments.pop();
        segments.push(open(99).unwrap());
        shown(Err::<(), _>(error))
    });
    assert!(told.starts_with("TooManySegments { limit: 15 }"), "{told}");
    assert_says(&told, &["15 segments", "drop one"]);
}
