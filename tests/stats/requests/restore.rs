//! The record that outlives the segment: nothing is lost, nothing counts twice, nothing is half.

use std::io::{Read, Seek, SeekFrom, Write};

use shmetrics::layout::Fnv;
use shmetrics::layout::header::{BOOT_ID_HIGH_OFFSET, CHECKSUM_OFFSET};

use super::*;

fn kept<'s>(segment: &'s Segment, store: &FolderStore) -> Builder<'s> {
    quiet(segment)
        .instance("news")
        .extra("mine")
        .persistence(Persistence::Enabled)
        .store(store.clone())
}

/// Makes the segment one of another boot.
fn set_boot_id(path: &Path, boot_id: u64) {
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut head = vec![0; CHECKSUM_OFFSET as usize];
    file.read_exact(&mut head).unwrap();
    let at = BOOT_ID_HIGH_OFFSET as usize;
    head[at..at + 8].copy_from_slice(&boot_id.to_ne_bytes());
    let words = head
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    let checksum = words.fold(Fnv::new(), |hash, word| hash.word(word)).finish();
    head.extend_from_slice(&checksum.to_ne_bytes());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&head).unwrap();
}

fn some_work(requests: &Requests) {
    done(requests, "a", 0, 20);
    done(requests, "b", 2, 30);
    let failed = requests.start_at("c", 0);
    requests.fail_at(failed, 3_000).unwrap();
    requests.register_status_code(200);
    requests.register_status_code(404);
    requests.record_error(ErrorStage::Final, &ErrorReport::new("Timeout", "").at("a.rs:7"));
    requests.record_error(ErrorStage::Retried, &ErrorReport::new("Reset", "by peer"));
    requests.extra("mine").unwrap().add(3);
}

/// What must go on, apart from times.
fn counted(told: &Figures) -> Json {
    let mut state = state(told);
    for member in [
        "crawlerStartedAt",
        "crawlerLastStartTimestamp",
        "crawlerFinishedAt",
        "crawlerRuntimeMillis",
        "statsPersistedAt",
        "requestsFailedPerMinute",
        "requestsFinishedPerMinute",
        "requestDurationPercentilesMillis",
        "segmentId",
        "segmentIds",
    ] {
        state.as_object_mut().unwrap().remove(member);
    }
    state
}

#[test]
fn a_04_every_field_goes_on_in_another_segment_of_another_boot_and_never_twice() {
    let _alone = alone();
    let scratch = Scratch::new("requests-migrates");
    let store = FolderStore::new(scratch.path("records"));
    let (old, new) = (scratch.path("old"), scratch.path("new"));
    let before = {
        drop(compact().create_at(&old).unwrap());
        set_boot_id(&old, 1);
        let segment = compact().open_at(&old).unwrap();
        let requests = kept(&segment, &store).enter().unwrap();
        some_work(&requests);
        requests.leave().unwrap();
        figures(&old, "news")
    };
    std::fs::remove_file(&old).unwrap();
    let down = std::time::Instant::now();
    poll("down time", || (down.elapsed() > ms(200)).then_some(()));

    drop(compact().create_at(&new).unwrap());
    set_boot_id(&new, 2);
    let segment = compact().open_at(&new).unwrap();
    let requests = kept(&segment, &store).enter().unwrap();
    let after = figures(&new, "news");
    assert!(after.restored && !before.restored);
    assert_eq!(counted(&after), counted(&before));
    assert_eq!(after.crawler_started_at_ns, before.crawler_started_at_ns);
    assert!(after.crawler_last_started_at_ns > before.crawler_finished_at_ns);
    assert_eq!(after.crawler_finished_at_ns, None);
    // What was run before, and since it was entered.
    let start = after.crawler_last_started_at_ns.unwrap();
    assert_runs_since(&after, before.crawler_runtime, start);

    // It counts on, is saved again, and restored again by whomever: nothing counts twice.
    some_work(&requests);
    requests.persist().unwrap();
    let again = |instance: &str| {
        let key = default_state_key(DEFAULT_PREFIX, instance);
        restore(
            &segment,
            DEFAULT_PREFIX,
            "news",
            Place::new(&store, "default", &key),
        )
        .unwrap()
    };
    assert_eq!(again("news"), Restored::Already);
    let pid = fork(|| i32::from(again("news") != Restored::Already));
    assert_eq!(wait(pid), 0);
    let twice = figures(&new, "news");
    assert_eq!((twice.requests_finished, twice.requests_failed), (4, 2));
    assert_eq!(twice.request_retry_histogram, [4, 0, 2]);
    assert_eq!((twice.errors.total, twice.errors.unique()), (2, 1));
    assert_eq!(state(&twice)["mine"], 6);
    assert_eq!(twice.request_max_duration, Some(ms(30)));
    requests.leave().unwrap();
    drop(kept(&segment, &store).enter().unwrap());
    assert_eq!(counted(&figures(&new, "news")), counted(&twice));

    // A third segment has all of it once, too.
    let last = figures(&new, "news");
    std::fs::remove_file(&new).unwrap();
    let third = compact().create_at(scratch.path("third")).unwrap();
    let requests = kept(&third, &store).enter().unwrap();
    let told = requests.figures().unwrap();
    assert_eq!(counted(&told), counted(&last));
    assert!(told.crawler_runtime >= last.crawler_runtime);

    // A reset removes the record, and the past.
    requests.reset().unwrap();
    let path = store
        .path("default", &default_state_key(DEFAULT_PREFIX, "news"))
        .unwrap();
    assert!(!path.exists());
    let told = requests.figures().unwrap();
    assert_eq!((told.requests_total(), told.restored), (0, false));
    assert_eq!(told.errors, ErrorCounts::default());
}

#[test]
fn a_04_a_record_is_not_restored_on_top_of_the_segment_that_it_was_made_from() {
    let _alone = alone();
    let scratch = Scratch::new("requests-same");
    let path = scratch.path("segment");
    let store = FolderStore::new(scratch.path("records"));
    let segment = compact().create_at(&path).unwrap();
    for round in 1..=3 {
        let requests = kept(&segment, &store).enter().unwrap();
        some_work(&requests);
        drop(requests);
        let told = figures(&path, "news");
        assert_eq!((told.requests_finished, told.restored), (2 * round, false));
    }
    let key = default_state_key(DEFAULT_PREFIX, "news");
    let place = || Place::new(&store, "default", &key);
    let again = restore(&segment, DEFAULT_PREFIX, "news", place()).unwrap();
    assert_eq!(again, Restored::SameSegment);
    // Another instance has no record.
    let none = Place::new(&store, "default", "other");
    assert_eq!(
        restore(&segment, DEFAULT_PREFIX, "x", none).unwrap(),
        Restored::NoRecord
    );
    // What is no record is said so, and nothing is entered.
    std::fs::write(store.path("default", &key).unwrap(), "{}").unwrap();
    let damaged = kept(&segment, &store).enter();
    assert!(
        matches!(damaged, Err(RequestsError::Record { .. })),
        "{damaged:?}"
    );
    assert_eq!(figures(&path, "news").processes, 0);
}
