//! Records and segments that do not belong together, stores that misbehave: no record is lost, none counts twice.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;

fn kept<'s>(segment: &'s Segment, store: &FolderStore) -> Builder<'s> {
    quiet(segment)
        .instance("news")
        .persistence(Persistence::Enabled)
        .store(store.clone())
}

/// Takes or frees the lock of a segment.
fn lock(file: &std::fs::File, operation: libc::c_int) {
    use std::os::fd::AsRawFd;
    // SAFETY: a descriptor that is open, and plain numbers.
    assert_eq!(unsafe { libc::flock(file.as_raw_fd(), operation) }, 0);
}

/// Some finished requests in a session that saves.
fn run(segment: &Segment, store: &FolderStore, count: u64) -> Result<Figures, RequestsError> {
    let requests = kept(segment, store).enter()?;
    for number in 0..count {
        done(&requests, &number.to_string(), 0, 1);
    }
    requests.leave()?;
    Ok(figures(segment.path().unwrap(), "news"))
}

fn key() -> String {
    default_state_key(DEFAULT_PREFIX, "news")
}

fn save_from(path: &Path, store: &FolderStore) -> Result<Figures, RequestsError> {
    let key = key();
    let mut reader = Reader::open_path(path).unwrap();
    save(
        &mut reader,
        DEFAULT_PREFIX,
        "news",
        Place::new(store, "default", &key),
    )
}

#[test]
fn a_04_a_record_of_another_segment_is_not_replaced_before_it_is_restored() {
    let _alone = alone();
    let scratch = Scratch::new("requests-replaced");
    let store = FolderStore::new(scratch.path("records"));
    let first = compact().create_at(scratch.path("first")).unwrap();
    run(&first, &store, 3).unwrap();
    let record = || store.get("default", &key()).unwrap().unwrap();
    let before = record();
    // A session that could not be entered has left its series, which are zero.
    let path = scratch.path("second");
    let second = compact().create_at(&path).unwrap();
    drop(quiet(&second).instance("news").enter().unwrap());
    let refused = save_from(&path, &store);
    assert!(
        matches!(refused, Err(RequestsError::NotRestored { .. })),
        "{refused:?}"
    );
    assert_eq!(record(), before);
    // Once it is restored, it is, again and again; the first segment's is so no more.
    let told = run(&second, &store, 2).unwrap();
    assert_eq!((told.requests_finished, told.restored), (5, true));
    assert_eq!(save_from(&path, &store).unwrap().requests_finished, 5);
    let refused = save_from(&scratch.path("first"), &store);
    assert!(matches!(refused, Err(RequestsError::NotRestored { .. })));
    // Without the lock nothing is.
    let before = record();
    let holder = std::fs::File::open(&path).unwrap();
    lock(&holder, libc::LOCK_EX);
    let busy = save_from(&path, &store);
    assert!(matches!(busy, Err(RequestsError::Busy { .. })), "{busy:?}");
    assert_eq!(record(), before);
}

#[test]
fn a_04_a_session_does_not_save_without_the_lock() {
    let _alone = alone();
    let scratch = Scratch::new("requests-unlocked");
    let path = scratch.path("segment");
    let store = FolderStore::new(scratch.path("records"));
    let segment = compact().create_at(&path).unwrap();
    let requests = kept(&segment, &store).enter().unwrap();
    let holder = std::fs::File::open(&path).unwrap();
    lock(&holder, libc::LOCK_EX);
    let busy = requests.persist();
    assert!(matches!(busy, Err(RequestsError::Busy { .. })), "{busy:?}");
    assert_eq!(store.get("default", &key()).unwrap(), None);
    lock(&holder, libc::LOCK_UN);
    requests.persist().unwrap();
    // Nobody else comes to a segment that has lost its name.
    std::fs::remove_file(&path).unwrap();
    done(&requests, "a", 0, 1);
    assert_eq!(requests.leave().unwrap().requests_finished, 1);
    let record = store.get("default", &key()).unwrap().unwrap();
    assert!(record.contains("\"requestsFinished\":1,"), "{record}");
}

#[test]
fn a_04_back_in_an_earlier_segment_nothing_counts_twice_and_nothing_is_lost() {
    let _alone = alone();
    let scratch = Scratch::new("requests-back");
    let store = FolderStore::new(scratch.path("records"));
    let [zeroth, first, second, third] =
        ["zeroth", "first", "second", "third"].map(|name| compact().create_at(scratch.path(name)).unwrap());
    let finished = |told: Figures| told.requests_finished;
    let record = || store.get("default", &key()).unwrap().unwrap();
    let is_diverged = |segment: &Segment| {
        let before = record();
        let refused = run(segment, &store, 1);
        assert!(
            matches!(refused, Err(RequestsError::Diverged { .. })),
            "{refused:?}"
        );
        assert_eq!(record(), before);
    };
    assert_eq!(finished(run(&zeroth, &store, 1).unwrap()), 1);
    // Nothing was restored into `zeroth`; into `first` it was.
    assert_eq!(finished(run(&first, &store, 2).unwrap()), 3);
    is_diverged(&zeroth);
    assert_eq!(finished(run(&second, &store, 4).unwrap()), 7);
    is_diverged(&zeroth);
    is_diverged(&first);
    // What the message says: its counts are reset, and then it goes on there.
    let path = scratch.path("first");
    reset(&path, DEFAULT_PREFIX, "news", None).unwrap();
    assert_eq!(finished(run(&first, &store, 8).unwrap()), 15);
    is_diverged(&second);
    // All that were before are known in the next one.
    assert_eq!(finished(run(&third, &store, 16).unwrap()), 31);
    is_diverged(&zeroth);
    is_diverged(&second);
}

#[test]
fn a_08_what_was_restored_and_then_reset_is_not_restored_again() {
    let _alone = alone();
    let scratch = Scratch::new("requests-reset-past");
    let store = FolderStore::new(scratch.path("records"));
    let old = compact().create_at(scratch.path("old")).unwrap();
    run(&old, &store, 3).unwrap();
    let path = scratch.path("new");
    let new = compact().create_at(&path).unwrap();
    let key = key();
    let again = || restore(&new, DEFAULT_PREFIX, "news", Place::new(&store, "default", &key)).unwrap();
    drop(quiet(&new).instance("news").enter().unwrap());
    assert!(matches!(again(), Restored::Done(_)));
    // By who knows of no record.
    reset(&path, DEFAULT_PREFIX, "news", None).unwrap();
    assert_eq!(again(), Restored::Reset);
    assert_eq!(run(&new, &store, 1).unwrap().requests_finished, 1);
    assert_eq!(again(), Restored::SameSegment);
}

#[test]
fn a_04_means_are_the_same_in_another_segment() {
    let _alone = alone();
    let scratch = Scratch::new("requests-means");
    let store = FolderStore::new(scratch.path("records"));
    let [old, new] = ["old", "new"].map(|name| compact().create_at(scratch.path(name)).unwrap());
    let requests = kept(&old, &store).enter().unwrap();
    done(&requests, "a", 0, 30);
    let failed = requests.start_at("b", 0);
    requests.fail_at(failed, 10 * MS).unwrap();
    // Of these no duration is known.
    for key in ["c", "d"] {
        assert!(requests.retry_later(requests.start(key)));
    }
    requests.finish_key("c").unwrap();
    requests.fail_key("d").unwrap();
    requests.leave().unwrap();
    let means = |path: &Path| {
        let told = figures(path, "news");
        assert_eq!((told.requests_finished, told.requests_failed), (2, 2));
        [
            told.request_avg_finished_duration(),
            told.request_avg_failed_duration(),
        ]
    };
    let before = means(old.path().unwrap());
    assert_eq!(before, [Some(ms(30)), Some(ms(10))]);
    drop(kept(&new, &store).enter().unwrap());
    assert_eq!(means(new.path().unwrap()), before);
}

#[test]
fn a_04_groups_of_errors_stay_within_their_limit_from_segment_to_segment() {
    let _alone = alone();
    let scratch = Scratch::new("requests-groups");
    let store = FolderStore::new(scratch.path("records"));
    for round in 1..=4u64 {
        let segment = compact()
            .create_at(scratch.path(&format!("segment-{round}")))
            .unwrap();
        let requests = kept(&segment, &store).max_error_groups(3).enter().unwrap();
        for class in 0..3 {
            let class = format!("E{round}.{class}");
            requests.record_error(ErrorStage::Final, &ErrorReport::new(&class, ""));
        }
        requests.leave().unwrap();
        let told = figures(segment.path().unwrap(), "news");
        assert_eq!(told.errors.total, 3 * round);
        // Those of this segment, and the restored ones.
        assert!(told.errors.groups.len() <= 6, "{told:?}");
    }
}

/// A store that panics when it is told to.
struct Panicking(FolderStore, std::sync::Arc<AtomicBool>);

impl Panicking {
    fn asked(&self) -> &FolderStore {
        assert!(!self.1.load(Relaxed), "on purpose");
        &self.0
    }
}

impl KeyValueStore for Panicking {
    fn get(&self, kvs_name: &str, key: &str) -> io::Result<Option<String>> {
        self.asked().get(kvs_name, key)
    }

    fn set(&self, kvs_name: &str, key: &str, record: &str) -> io::Result<()> {
        self.asked().set(kvs_name, key, record)
    }

    fn delete(&self, kvs_name: &str, key: &str) -> io::Result<()> {
        self.asked().delete(kvs_name, key)
    }
}

#[test]
fn a_04_a_store_that_panics_fails_and_the_session_is_as_after_any_failure() {
    let _alone = alone();
    let scratch = Scratch::new("requests-store-panics");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let panics = std::sync::Arc::new(AtomicBool::new(true));
    let enter = || {
        let store = Panicking(
            FolderStore::new(scratch.path("records")),
            std::sync::Arc::clone(&panics),
        );
        kept(&segment, &FolderStore::new("unused")).store(store).enter()
    };
    let failed = enter();
    assert!(
        matches!(failed, Err(RequestsError::Store { operation: "get", .. })),
        "{failed:?}"
    );
    panics.store(false, Relaxed);
    let requests = enter().unwrap();
    panics.store(true, Relaxed);
    let failed = requests.reset();
    assert!(matches!(
        failed,
        Err(RequestsError::Store {
            operation: "delete",
            ..
        })
    ));
    // Dropped by a panic of the user's, the store panics once more: the process goes on.
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _requests = requests;
        panic!("on purpose, too");
    }));
    assert!(unwound.is_err());
    panics.store(false, Relaxed);
    enter().unwrap().leave().unwrap();
}

#[test]
fn a_04_of_those_who_save_at_once_each_writes_its_own_file() {
    let scratch = Scratch::new("requests-files");
    let store = FolderStore::new(scratch.path("records"));
    let record = |number: usize| number.to_string().repeat(50_000);
    store.set("default", "key", &record(0)).unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (store, record) = (&store, &record);
            scope.spawn(move || {
                for _ in 0..50 {
                    store.set("default", "key", &record(number)).unwrap();
                    let found = store.get("default", "key").unwrap().unwrap();
                    assert!((0..4).any(|number| found == record(number)), "torn");
                }
            });
        }
    });
    let left = std::fs::read_dir(scratch.path("records").join("default")).unwrap();
    assert_eq!(left.count(), 1);
}

#[test]
fn a_05_instances_of_two_prefixes_have_two_records() {
    let key = default_state_key(DEFAULT_PREFIX, "news");
    assert_eq!(key, "SDK_CRAWLER_STATISTICS_news");
    assert_eq!(
        default_state_key("crawl", "news"),
        "crawl.SDK_CRAWLER_STATISTICS_news"
    );
    let _alone = alone();
    let scratch = Scratch::new("requests-prefixes");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let store = FolderStore::new(scratch.path("records"));
    let sessions =
        [DEFAULT_PREFIX, "crawl"].map(|prefix| kept(&segment, &store).prefix(prefix).enter().unwrap());
    done(&sessions[1], "a", 0, 1);
    sessions.into_iter().for_each(drop);
    let left = std::fs::read_dir(scratch.path("records").join("default")).unwrap();
    assert_eq!(left.count(), 2);
}
