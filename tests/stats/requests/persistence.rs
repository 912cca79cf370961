//! When a record is saved, and where.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::*;

/// A store in memory, which says what it was asked.
#[derive(Default)]
struct Memory {
    records: Mutex<Vec<String>>,
    is_broken: AtomicBool,
}

impl KeyValueStore for Memory {
    fn get(&self, _: &str, _: &str) -> io::Result<Option<String>> {
        Ok(self.records.lock().unwrap().last().cloned())
    }

    fn set(&self, kvs_name: &str, key: &str, record: &str) -> io::Result<()> {
        assert_eq!((kvs_name, key), ("crawls", "my-key"));
        if self.is_broken.load(Relaxed) {
            return Err(io::Error::other("the store is away"));
        }
        self.records.lock().unwrap().push(record.to_owned());
        Ok(())
    }

    fn delete(&self, _: &str, _: &str) -> io::Result<()> {
        self.records.lock().unwrap().clear();
        Ok(())
    }
}

impl Memory {
    fn saved(&self) -> usize {
        self.records.lock().unwrap().len()
    }

    fn finished(&self) -> Json {
        let records = self.records.lock().unwrap();
        serde_json::from_str::<Json>(records.last().unwrap()).unwrap()["requestsFinished"].clone()
    }
}

fn kept<'s>(segment: &'s Segment, store: &Arc<Memory>, persistence: Persistence) -> Builder<'s> {
    quiet(segment)
        .persistence(persistence)
        .store(Arc::clone(store))
        .persist_state_kvs_name("crawls")
        .persist_state_key("my-key")
        .persist_interval(Duration::from_secs(3600))
}

#[test]
fn a_04_it_is_saved_every_interval_when_asked_and_on_leaving() {
    let _alone = alone();
    let scratch = Scratch::new("requests-saves");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let store = Arc::new(Memory::default());
    let requests = kept(&segment, &store, Persistence::Enabled).enter().unwrap();
    assert_eq!(store.saved(), 0);
    done(&requests, "a", 0, 1);
    requests.persist().unwrap();
    assert_eq!((store.saved(), store.finished()), (1, json!(1)));
    done(&requests, "a", 0, 1);
    requests.leave().unwrap();
    assert_eq!((store.saved(), store.finished()), (2, json!(2)));
    // Every interval.
    let builder = kept(&segment, &store, Persistence::Enabled).persist_interval(ms(1));
    let requests = builder.enter().unwrap();
    poll("some saves", || (store.saved() >= 5).then_some(()));
    // A store that fails is said, and does not end it.
    store.is_broken.store(true, Relaxed);
    assert!(matches!(
        requests.persist(),
        Err(RequestsError::Store { operation: "set", .. })
    ));
    let errors = || look(segment.path().unwrap()).errors;
    poll("its error", || {
        let is_said = |error: &shmetrics::snapshot::ErrorEntry| error.message.ends_with("the store is away");
        errors().iter().any(is_said).then_some(())
    });
    assert!(requests.leave().is_err());
    store.is_broken.store(false, Relaxed);
    let before = store.saved();
    // Only when asked.
    let requests = kept(&segment, &store, Persistence::ExplicitOnly).enter().unwrap();
    done(&requests, "a", 0, 1);
    requests.persist().unwrap();
    requests.leave().unwrap();
    assert_eq!((store.saved(), store.finished()), (before + 1, json!(3)));
}

#[test]
fn a_04_what_was_asked_by_the_flag_just_before_the_end_is_saved_on_leaving() {
    let _alone = alone();
    let scratch = Scratch::new("requests-flag");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let store = Arc::new(Memory::default());
    for round in 1..=10 {
        let requests = kept(&segment, &store, Persistence::ExplicitOnly).enter().unwrap();
        done(&requests, "a", 0, 1);
        requests.persist_flag().store(true, Relaxed);
        requests.leave().unwrap();
        assert_eq!((store.saved(), store.finished()), (round, json!(round)));
    }
    // Without persistence there is no place, and it is no error.
    let requests = kept(&segment, &store, Persistence::Off).enter().unwrap();
    requests.persist_flag().store(true, Relaxed);
    requests.leave().unwrap();
    assert_eq!(store.saved(), 10);
}

/// What the handler sets.
static FLAG: AtomicPtr<AtomicBool> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn on_term(_: libc::c_int) {
    // SAFETY: null, or a flag that is leaked and so lives as long as the process.
    if let Some(flag) = unsafe { FLAG.load(Relaxed).as_ref() } {
        flag.store(true, Relaxed);
    }
}

/// A store that panics once.
struct Panicking(AtomicBool, Arc<Memory>);

impl KeyValueStore for Panicking {
    fn get(&self, kvs_name: &str, key: &str) -> io::Result<Option<String>> {
        self.1.get(kvs_name, key)
    }

    fn set(&self, kvs_name: &str, key: &str, record: &str) -> io::Result<()> {
        assert!(self.0.swap(true, Relaxed), "on purpose");
        self.1.set(kvs_name, key, record)
    }

    fn delete(&self, kvs_name: &str, key: &str) -> io::Result<()> {
        self.1.delete(kvs_name, key)
    }
}

#[test]
fn a_04_a_store_that_panics_is_asked_again() {
    let _alone = alone();
    let scratch = Scratch::new("requests-panics");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let store = Arc::new(Memory::default());
    let builder = kept(&segment, &store, Persistence::Enabled).persist_interval(ms(1));
    let panicking = Panicking(AtomicBool::new(false), Arc::clone(&store));
    let _requests = builder.store(panicking).enter().unwrap();
    poll("a save", || (store.saved() > 0).then_some(()));
    let errors = look(segment.path().unwrap()).errors;
    assert!(
        errors
            .iter()
            .any(|error| error.message.ends_with("the store panicked"))
    );
}

/// A store that panics when it is read, until it is mended.
struct PanickingOnGet(Arc<AtomicBool>);

impl KeyValueStore for PanickingOnGet {
    fn get(&self, _: &str, _: &str) -> io::Result<Option<String>> {
        assert!(self.0.load(Relaxed), "on purpose");
        Ok(None)
    }

    fn set(&self, _: &str, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn delete(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_10_whose_store_panicked_on_entering_has_not_entered_and_can() {
    let _alone = alone();
    let scratch = Scratch::new("requests-enter-panics");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let is_mended = Arc::new(AtomicBool::new(false));
    let enter = || {
        let store = PanickingOnGet(Arc::clone(&is_mended));
        quiet(&segment)
            .persistence(Persistence::Enabled)
            .store(store)
            .enter()
    };
    for _ in 0..2 {
        let entered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(enter));
        // It is no matter here whether the panic is caught.
        if let Ok(entered) = entered {
            assert!(matches!(entered, Err(RequestsError::Store { .. })), "{entered:?}");
        }
        assert_eq!(figures(segment.path().unwrap(), DEFAULT_INSTANCE).processes, 0);
    }
    is_mended.store(true, Relaxed);
    enter().unwrap();
}

#[test]
fn a_04_it_is_saved_when_sigterm_comes_by_a_handler_that_only_sets_a_flag() {
    let _alone = alone();
    let name = "persistence::a_04_it_is_saved_when_sigterm_comes_by_a_handler_that_only_sets_a_flag";
    let store_of = |path: &Path| FolderStore::new(path.with_file_name("records"));
    if let Some(argument) = child_argument() {
        let path = Path::new(&argument);
        let segment = compact().open_at(path).unwrap();
        let builder = quiet(&segment)
            .persistence(Persistence::Enabled)
            .store(store_of(path));
        let requests = builder.enter().unwrap();
        FLAG.store(Arc::into_raw(requests.persist_flag()).cast_mut(), Relaxed);
        let handler: extern "C" fn(libc::c_int) = on_term;
        // SAFETY: the handler does what a handler may: it loads and stores atomics.
        unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
        done(&requests, "a", 0, 1);
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("requests-sigterm");
    let path = scratch.path("segment");
    drop(compact().create_at(&path).unwrap());
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    poll("a request", || {
        let snapshot = look(&path);
        (View::new(&snapshot).figures(DEFAULT_INSTANCE)?.requests_finished == 1).then_some(())
    });
    let key = default_state_key(DEFAULT_PREFIX, DEFAULT_INSTANCE);
    assert_eq!(store_of(&path).get("default", &key).unwrap(), None);
    // SAFETY: a signal to a child of ours that was not waited for yet.
    unsafe { libc::kill(worker.0.id() as libc::pid_t, libc::SIGTERM) };
    let record = poll("the record", || store_of(&path).get("default", &key).unwrap());
    assert_eq!(
        serde_json::from_str::<Json>(&record).unwrap()["requestsFinished"],
        1
    );
    worker.kill();
}

#[test]
fn a_04_what_is_saved_is_the_old_record_or_the_new_one_while_savers_are_killed() {
    let _alone = alone();
    let name = "persistence::a_04_what_is_saved_is_the_old_record_or_the_new_one_while_savers_are_killed";
    let store_of = |path: &Path| FolderStore::new(path.with_file_name("records"));
    if let Some(argument) = child_argument() {
        let path = Path::new(&argument);
        let segment = compact().open_at(path).unwrap();
        let builder = quiet(&segment)
            .persistence(Persistence::Enabled)
            .store(store_of(path));
        let requests = builder.enter().unwrap();
        loop {
            done(&requests, &std::process::id().to_string(), 0, 1);
            requests.persist().unwrap();
        }
    }
    let scratch = Scratch::new("requests-save-kills");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let key = default_state_key(DEFAULT_PREFIX, DEFAULT_INSTANCE);
    let mut last = 0;
    let mut saved = || {
        let record = store_of(&path).get("default", &key).unwrap();
        let finished = record.map_or(0, |record| {
            serde_json::from_str::<Json>(&record).unwrap()["requestsFinished"]
                .as_u64()
                .unwrap()
        });
        assert!(finished >= last, "{finished} after {last}");
        last = finished;
        finished
    };
    for _ in 0..10 {
        let mut workers = [(); 2].map(|()| Worker::spawn(name, path.to_str().unwrap()));
        let before = saved();
        poll("some saves", || (saved() >= before + 20).then_some(()));
        workers.iter_mut().for_each(Worker::kill);
        assert!(saved() <= figures(&path, DEFAULT_INSTANCE).requests_finished);
    }
    // A reset also removes what the killed ones left.
    let builder = quiet(&segment)
        .persistence(Persistence::Enabled)
        .store(store_of(&path));
    let requests = builder.enter().unwrap();
    requests.reset().unwrap();
    let left = std::fs::read_dir(scratch.path("records").join("default")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_12_without_persistence_the_numbers_are_the_same_and_nothing_is_left() {
    let _alone = alone();
    let scratch = Scratch::new("requests-off");
    let told = [Persistence::Off, Persistence::Enabled].map(|persistence| {
        let path = scratch.path("segment");
        let segment = compact().create_at(&path).unwrap();
        let records = scratch.path("records");
        let builder = quiet(&segment).store(FolderStore::new(&records));
        let requests = builder.persistence(persistence).enter().unwrap();
        done(&requests, "a", 1, 20);
        requests.register_status_code(200);
        requests.persist().unwrap();
        let last = requests.leave().unwrap();
        assert_eq!(records.exists(), persistence == Persistence::Enabled);
        drop(segment);
        std::fs::remove_file(&path).unwrap();
        (
            last.requests_total,
            last.retry_histogram,
            last.request_total_duration,
        )
    });
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], (1, vec![0, 1], ms(20)));
    let left: Vec<_> = std::fs::read_dir(scratch.path("")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the records that were asked for: {left:?}");
}
