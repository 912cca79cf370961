//! Restores that are cut short, at every step and by kills, and those that must wait.

use super::*;

/// A record with so many codes.
fn long_record(finished: u64, codes: u64) -> String {
    let codes: std::collections::BTreeMap<String, u64> =
        (0..codes).map(|code| (code.to_string(), 7)).collect();
    json!({"requestsFinished": finished, "requestsFailed": 0, "requestRetryHistogram": [finished],
        "requestsWithStatusCode": codes})
    .to_string()
}

/// Labels and values of what a restore stores, in its order.
fn stored(path: &Path) -> Vec<(Vec<(String, String)>, i64)> {
    let snapshot = look(path);
    let series = snapshot
        .series
        .iter()
        .filter(|series| series.description.name == "requests_restored");
    series
        .map(|series| match series.value {
            shmetrics::Value::Number(shmetrics::snapshot::Number::I64(value)) => {
                (series.description.labels.clone(), value)
            }
            ref other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_04_whoever_restores_and_dies_at_whatever_step_leaves_nothing_half() {
    let _alone = alone();
    let scratch = Scratch::new("requests-restore-steps");
    let store = FolderStore::new(scratch.path("records"));
    let (first, second) = (long_record(1_000, 12), long_record(1_001, 7));
    let whole = {
        let path = scratch.path("whole");
        let segment = compact().create_at(&path).unwrap();
        store.set("default", "record", &first).unwrap();
        restore(
            &segment,
            DEFAULT_PREFIX,
            "news",
            Place::new(&store, "default", "record"),
        )
        .unwrap();
        stored(&path)
    };
    assert!(whole.len() > 15);
    // What is still to be stored after the last value that is not 0, changes nothing.
    let enough = 1 + whole.iter().rposition(|(_, value)| *value != 0).unwrap();
    for step in 0..=whole.len() {
        let path = scratch.path("segment");
        let segment = compact().create_at(&path).unwrap();
        let number = |labels: &'_ [(String, String)]| {
            let builder = segment.number("requests_restored");
            let labels = labels.iter().map(|(name, value)| (&**name, &**value));
            builder.labels(labels).register().unwrap()
        };
        // All are registered, then one is set after the other.
        let numbers: Vec<_> = whole.iter().map(|(labels, _)| number(labels)).collect();
        for (number, (_, value)) in numbers.iter().zip(&whole).take(step) {
            number.set(*value);
        }
        let told = figures(&path, "news");
        let is_whole = step >= enough;
        assert_eq!(
            (told.restored, told.requests_finished),
            (is_whole, if is_whole { 1_000 } else { 0 })
        );
        let codes = |told: &Figures| told.requests_with_status_code.values().sum::<u64>();
        assert_eq!(codes(&told), if is_whole { 12 * 7 } else { 0 }, "after {step}");
        // Whoever comes next restores it, also if another record is there by now.
        let is_second = step % 2 == 1;
        store
            .set("default", "record", if is_second { &second } else { &first })
            .unwrap();
        let came = restore(
            &segment,
            DEFAULT_PREFIX,
            "news",
            Place::new(&store, "default", "record"),
        )
        .unwrap();
        assert_eq!(matches!(came, Restored::Already), is_whole, "{came:?}");
        let expected = if is_second && !is_whole {
            (1_001, 7 * 7)
        } else {
            (1_000, 12 * 7)
        };
        let told = figures(&path, "news");
        assert_eq!((told.requests_finished, codes(&told)), expected, "after {step}");
        std::fs::remove_file(&path).unwrap();
    }
}

/// Setting a number looks at every lane that was ever used: with many it takes its time, and there is more to be seen of a restore.
fn use_lanes(segment: &Segment) {
    let barrier = std::sync::Barrier::new(400);
    std::thread::scope(|scope| {
        for _ in 0..400 {
            scope.spawn(|| {
                segment.attach_thread();
                barrier.wait();
            });
        }
    });
}

#[test]
fn a_04_restorers_are_killed_and_no_reader_sees_half_of_it() {
    let _alone = alone();
    let name = "half::a_04_restorers_are_killed_and_no_reader_sees_half_of_it";
    let room = || {
        let room = compact().counters(1_024).series(1_024).text_length(1 << 17);
        room.lanes(1_024).budget(256 << 20)
    };
    if let Some(argument) = child_argument() {
        let path = Path::new(&argument);
        let segment = room().open_at(path).unwrap();
        let store = FolderStore::new(path.with_file_name("records"));
        let place = Place::new(&store, "default", "record");
        restore(&segment, DEFAULT_PREFIX, "news", place).unwrap();
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("requests-restore-kills");
    let store = FolderStore::new(scratch.path("records"));
    store.set("default", "record", &long_record(1_000, 200)).unwrap();
    for round in 0..8 {
        let path = scratch.path("segment");
        let segment = room().create_at(&path).unwrap();
        use_lanes(&segment);
        let mut worker = Worker::spawn(name, path.to_str().unwrap());
        let mut reader = Reader::open_path(&path).unwrap();
        // Sooner or later: while it registers, while it stores, and after that.
        poll("some of it", || {
            let snapshot = reader.snapshot().unwrap();
            let told = View::new(&snapshot).figures("news").unwrap_or_default();
            let codes: u64 = told.requests_with_status_code.values().sum();
            let seen = (told.requests_finished, codes);
            assert!([(0, 0), (1_000, 1_400)].contains(&seen), "half: {seen:?}");
            let series = snapshot.series.iter();
            let restored = series.filter(|series| series.description.name == "requests_restored");
            (restored.count() >= 29 * round && (round < 4 || codes > 0)).then_some(())
        });
        worker.kill();
        let told = View::new(&look(&path)).figures("news").unwrap_or_default();
        let place = Place::new(&store, "default", "record");
        let came = restore(&segment, DEFAULT_PREFIX, "news", place).unwrap();
        assert_eq!(matches!(came, Restored::Already), told.restored, "{came:?}");
        let told = figures(&path, "news");
        let codes: u64 = told.requests_with_status_code.values().sum();
        assert_eq!((told.requests_finished, codes), (1_000, 1_400));
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_04_who_finds_the_lock_taken_for_seconds_says_so_and_changes_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("requests-lock");
    let path = scratch.path("segment");
    let store = FolderStore::new(scratch.path("records"));
    let segment = compact().create_at(&path).unwrap();
    let key = default_state_key(DEFAULT_PREFIX, "news");
    let place = || Place::new(&store, "default", &key);
    store.set("default", &key, &long_record(5, 1)).unwrap();
    let holder = std::fs::File::open(&path).unwrap();
    let lock = |operation| {
        use std::os::fd::AsRawFd;
        // SAFETY: a descriptor that is open, and plain numbers.
        unsafe { libc::flock(holder.as_raw_fd(), operation) }
    };
    assert_eq!(lock(libc::LOCK_EX), 0);
    let busy = restore(&segment, DEFAULT_PREFIX, "news", place());
    assert!(matches!(busy, Err(RequestsError::Busy { .. })), "{busy:?}");
    let busy = reset(&path, DEFAULT_PREFIX, "news", Some(place()));
    assert!(matches!(busy, Err(RequestsError::Busy { .. })), "{busy:?}");
    assert_eq!(store.get("default", &key).unwrap(), Some(long_record(5, 1)));
    assert_eq!(View::new(&look(&path)).figures("news"), None);
    // Where nothing is to be restored, one goes on without.
    let requests = quiet(&segment).instance("other").enter().unwrap();
    done(&requests, "a", 0, 1);
    assert_eq!(requests.figures().unwrap().requests_finished, 1);
    assert_eq!(lock(libc::LOCK_UN), 0);
    let came = restore(&segment, DEFAULT_PREFIX, "news", place()).unwrap();
    assert!(matches!(came, Restored::Done(figures) if figures.requests_finished == 5));
}
