//! Creation, capacities, replacement.

use super::*;

#[test]
fn racing_creators_end_up_on_one_segment() {
    const CREATORS: usize = 16;
    let _alone = alone();
    let scratch = Scratch::new("race");
    for round in 0..20 {
        let folder = scratch.path(&format!("round{round}"));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("segment");
        let words = SharedWords::open(&scratch.path(&format!("words{round}")), 1 + CREATORS);
        let children: Vec<_> = (0..CREATORS)
            .map(|creator| {
                fork(|| {
                    words.word(0).fetch_add(1, Relaxed);
                    poll("the others", || {
                        (words.word(0).load(Relaxed) == CREATORS as u64).then_some(())
                    });
                    let segment = compact().open_or_create_at(&path).unwrap();
                    segment.counter("events_total").register().unwrap().inc();
                    let facts = Reader::open_path(&path).unwrap().facts().origin;
                    words.word(1 + creator).store(facts.segment_id, Relaxed);
                    0
                })
            })
            .collect();
        assert!(children.into_iter().all(|pid| wait(pid) == 0));
        assert_eq!(counter(&snapshot(&path), "events_total", &[]), CREATORS as u64);
        let id = word_of(&path, SEGMENT_ID_OFFSET);
        assert!((0..CREATORS).all(|creator| words.word(1 + creator).load(Relaxed) == id));
        // And the losers left nothing.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }
}

#[test]
fn other_capacities_than_the_files_are_reported_and_the_files_hold() {
    let _alone = alone();
    let scratch = Scratch::new("capacities");
    let path = scratch.path("segment");
    let options = || compact().lanes(17).gauges(5);
    let first = options().open_or_create_at(&path).unwrap();
    assert_eq!(first.differences(), []);
    let same = options().open_or_create_at(&path).unwrap();
    assert_eq!(same.differences(), []);
    let epoch = Duration::from_secs(3);
    let other = compact()
        .lanes(40)
        .series(100)
        .epoch(epoch)
        .open_or_create_at(&path)
        .unwrap();
    let found: Vec<_> = other
        .differences()
        .iter()
        .map(|difference| (difference.option, difference.wanted, difference.found))
        .collect();
    let expected = [
        ("lanes", 40, 17),
        ("series", 100, 512),
        ("gauges", 128, 5),
        ("epoch_length_ns", 3_000_000_000, 10_000_000_000),
    ];
    assert_eq!(found, expected);
    let capacities = other.capacities().unwrap();
    assert_eq!(
        (capacities.lanes, capacities.series, capacities.gauges),
        (17, 512, 5)
    );
    // It is the same segment, and it works.
    first.counter("events_total").register().unwrap().inc();
    other.counter("events_total").register().unwrap().inc();
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 2);
}

#[test]
fn the_mode_is_as_configured_whatever_the_umask() {
    let _alone = alone();
    let scratch = Scratch::new("mode");
    for umask in [0, 0o022, 0o077, 0o777] {
        for mode in [0o600, 0o640, 0o664, 0o666] {
            let path = scratch.path(&format!("{umask:o}-{mode:o}"));
            let told = told_by_child(|| {
                // SAFETY: changes this (child) process only.
                unsafe { libc::umask(umask) };
                shown(compact().mode(mode).open_or_create_at(&path))
            });
            assert_eq!(told, "fine");
            assert_eq!(
                std::fs::metadata(&path).unwrap().mode() & 0o7777,
                mode,
                "umask {umask:o}"
            );
        }
    }
    let path = scratch.path("default");
    closed_segment(&path);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn a_retired_segment_loses_its_name_and_nobody_its_handles() {
    let _alone = alone();
    let scratch = Scratch::new("retire");
    let path = scratch.path("segment");
    let old = compact().create_at(&path).unwrap();
    let old_events = old.counter("events_total").register().unwrap();
    let family = old.counter("requests_total").family(["code"]).unwrap();
    old_events.inc();
    let mut reader = Reader::open_path(&path).unwrap();
    assert!(!reader.replaced() && !reader.snapshot().unwrap().retired);
    old.retire().unwrap();
    assert!(!path.exists());
    assert!(reader.replaced());
    assert!(reader.snapshot().unwrap().retired);

    let new = compact().open_or_create_at(&path).unwrap();
    let new_events = new.counter("events_total").register().unwrap();
    new_events.add(100);
    // Old handles go on: in this thread, others, children; also with series that are new.
    old_events.add(10);
    std::thread::scope(|scope| drop(scope.spawn(|| old_events.add(10))));
    let told = told_by_child(|| {
        old_events.add(10);
        family.with(["200"]).inc();
        new_events.add(100);
        "fine".to_owned()
    });
    assert_eq!(told, "fine");
    old.histogram("late").register().unwrap().record(3);
    assert_eq!(counter(&reader.snapshot().unwrap(), "events_total", &[]), 31);
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 200);
    // Retiring the old one again does not touch the new one's name.
    old.retire().unwrap();
    drop((old, old_events, family));
    assert!(path.exists());
    let after = snapshot(&path);
    assert!(!after.retired);
    assert_eq!(after.series.len(), 1);
    // Nothing was left beside it.
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_retired_segment_that_still_has_its_name_is_told_and_replaced() {
    let _alone = alone();
    let scratch = Scratch::new("retired");
    let path = scratch.path("segment");
    let old = compact().create_at(&path).unwrap();
    old.counter("events_total").register().unwrap().add(5);
    let id = word_of(&path, SEGMENT_ID_OFFSET);
    put(&path, &[(RETIRED_OFFSET, 1)]);
    let error = compact().open_at(&path).unwrap_err();
    assert!(
        matches!(&error, OpenError::Retired { path: named } if *named == path),
        "{error:?}"
    );
    assert_says(
        &error,
        &[path.to_str().unwrap(), "retired", "open its name again"],
    );
    assert!(snapshot(&path).retired);
    let new = compact().open_or_create_at(&path).unwrap();
    new.counter("events_total").register().unwrap().inc();
    assert_ne!(word_of(&path, SEGMENT_ID_OFFSET), id);
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 1);
}

#[test]
fn a_segment_on_disk_that_survived_a_reboot_is_begun_anew() {
    let _alone = alone();
    struct Folder(PathBuf);
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
    // One of these is on disk nearly everywhere.
    let places = [std::env::temp_dir(), env!("CARGO_TARGET_TMPDIR").into()];
    let folders =
        places.map(|place| Folder(place.join(format!("shmetrics-test-reboot-{}", std::process::id()))));
    let is_on_disk = |folder: &&Folder| {
        std::fs::create_dir_all(&folder.0).unwrap();
        let segment = compact().create_at(folder.0.join("segment")).unwrap();
        !segment.is_in_memory()
    };
    let Some(folder) = folders.iter().find(is_on_disk) else {
        return skip("the folders for temporary files are in memory");
    };
    let path = folder.0.join("segment");
    // Of this boot: gone on with.
    compact()
        .open_or_create_at(&path)
        .unwrap()
        .counter("events_total")
        .register()
        .unwrap()
        .inc();
    compact()
        .open_or_create_at(&path)
        .unwrap()
        .counter("events_total")
        .register()
        .unwrap()
        .inc();
    assert_eq!(counter(&snapshot(&path), "events_total", &[]), 2);
    std::fs::remove_file(&path).unwrap();
    forged(&path, &[(BOOT_ID_LOW_OFFSET, 12_345)]);
    let id = word_of(&path, SEGMENT_ID_OFFSET);
    compact()
        .open_or_create_at(&path)
        .unwrap()
        .counter("events_total")
        .register()
        .unwrap()
        .inc();
    assert_ne!(word_of(&path, SEGMENT_ID_OFFSET), id);
    let taken = snapshot(&path);
    assert_eq!(
        taken.find("events_total", &[]).unwrap().value,
        Value::CounterU64(1)
    );
}
