//! `save` and `restore`: a record that outlives its segment.

use shmetrics::Segment;
use shmetrics::stats::requests::{Requests, View};

use super::support::*;

fn session(segment: &Segment, instance: &str) -> Requests {
    let builder = Requests::builder(segment).instance(instance).max_in_flight(64);
    builder.without_log().enter().unwrap()
}

fn finished(folder: &Folder, segment: &str, instance: &str) -> Option<u64> {
    let mut reader = shmetrics::Reader::open(folder.path(segment)).unwrap();
    let snapshot = reader.snapshot().unwrap();
    let told = View::new(&snapshot).figures(instance);
    told.map(|told| told.requests_finished)
}

#[test]
fn a_04_what_is_saved_is_restored_once_and_each_says_what_it_did() {
    let folder = Folder::new();
    let records = folder.path("records");
    let dir = ["--dir", &*records];
    let run = |command: &str, segment: &str, more: &[&str]| {
        folder.run(&[&[command, segment][..], &dir[..], more].concat())
    };
    let segment = folder.segment("app");
    // Without any statistics.
    let ended = run("save", "app", &[]);
    assert_eq!((ended.code, ended.stderr.lines().count()), (1, 1), "{ended:?}");
    let requests = ["news", "shop"].map(|instance| session(&segment, instance));
    for number in 0..3 {
        let _ = requests[0].finish(requests[0].start(&number.to_string()));
    }
    assert_eq!(run("save", "app", &["--instance", "other"]).code, 1);
    let ended = run("save", "app", &[]);
    assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("saved news: 3 finished, 0 failed, run time "),
        "{ended:?}"
    );
    assert!(
        ended.stdout.contains("default/SDK_CRAWLER_STATISTICS_shop.json"),
        "{ended:?}"
    );
    // Into the segment that it is of: nothing.
    let ended = run("restore", "app", &["--instance", "news"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("made from this segment"), "{ended:?}");

    folder.segment("moved");
    for says in ["restored news: 3 finished", "restored into this segment already"] {
        let ended = run("restore", "moved", &[]);
        assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
        assert!(ended.stdout.contains(says), "{ended:?}");
        assert_eq!(ended.stdout.lines().count(), 2, "both instances: {ended:?}");
        assert_eq!(finished(&folder, "moved", "news"), Some(3));
    }

    // A key of one's own, another store; what is not there; what is no record.
    let own = ["--instance", "news", "--key", "mine", "--kvs", "other"];
    assert_eq!(run("restore", "moved", &own[..4]).code, 0);
    folder.segment("third");
    assert_eq!(run("restore", "third", &own).code, 1);
    assert_eq!(run("save", "app", &own).code, 0);
    assert_eq!(run("restore", "third", &own).code, 0);
    assert_eq!(finished(&folder, "third", "news"), Some(3));
    std::fs::write(format!("{records}/other/mine.json"), "[]").unwrap();
    folder.segment("fourth");
    assert_refused(&run("restore", "fourth", &own), "is no statistics record");
    assert_eq!(finished(&folder, "fourth", "news"), None);
    assert_refused(&run("save", "app", &["--key", "mine"]), "--instance");
    assert_refused(&run("save", "none", &[]), "none");
}

#[test]
fn a_04_what_was_done_is_said_before_the_record_that_fails_and_no_other_past_is_replaced() {
    let folder = Folder::new();
    let records = folder.path("records");
    let run = |command: &str, segment: &str| folder.run(&[command, segment, "--dir", &records]);
    let segment = folder.segment("app");
    let _requests = ["news", "shop"].map(|instance| session(&segment, instance));
    assert_eq!(run("save", "app").code, 0);
    let record = |instance: &str| format!("{records}/default/SDK_CRAWLER_STATISTICS_{instance}.json");
    // One of another segment, into which nothing was restored.
    let other = folder.segment("other");
    drop(["news", "shop"].map(|instance| session(&other, instance)));
    std::fs::remove_file(record("news")).unwrap();
    let before = std::fs::read_to_string(record("shop")).unwrap();
    let ended = run("save", "other");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stdout.starts_with("saved news: "), "{ended:?}");
    assert!(ended.stderr.contains("not restored into this one"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(record("shop")).unwrap(), before);

    std::fs::write(record("shop"), "{\"statsId\":\"shop\"}").unwrap();
    folder.segment("moved");
    let ended = run("restore", "moved");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stdout.starts_with("restored news: "), "{ended:?}");
    assert!(ended.stderr.contains("requestsFinished"), "{ended:?}");
}

#[test]
fn a_segment_that_may_only_be_read_is_saved() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let requests = session(&segment, "news");
    let _ = requests.finish(requests.start("a"));
    drop(requests);
    drop(segment);
    let file = std::fs::File::open(folder.path("app")).unwrap();
    let mut permissions = file.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.path("app"), permissions).unwrap();
    let bytes = std::fs::read(folder.path("app")).unwrap();
    let ended = folder.run(&["save", "app", "--dir", &folder.path("records")]);
    assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
    assert_eq!(std::fs::read(folder.path("app")).unwrap(), bytes);
}
