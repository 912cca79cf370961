//! Several segments, folders and patterns: what appears, vanishes, is replaced, or is bad.

use super::client::*;
use super::support::*;

fn count(segment: &shmetrics::Segment, value: u64) {
    segment.counter("c_total").register().unwrap().add(value);
}

#[test]
fn several_segments_are_told_apart_by_a_label() {
    let folder = Folder::new();
    let (a, b) = (folder.segment("a"), folder.segment("b"));
    count(&a, 1);
    count(&b, 2);
    let server = Server::start(&folder, &["a", &folder.path("b")]);
    let samples = server.samples();
    assert_eq!(samples.value("c_total{segment=\"a\"}"), 1.0);
    assert_eq!(samples.value("c_total{segment=\"b\"}"), 2.0);
    assert_eq!(samples.value("shmetrics_up{segment=\"b\"}"), 1.0);
    let (status, all) = server.json("/json");
    assert_eq!(status, 200);
    assert_eq!(series(&all["segments"]["b"], "c_total")["value"], 2);
    let (_, one) = server.json("/json?segment=a");
    assert_eq!(series(&one, "c_total")["value"], 1);
    let (_, stats) = server.json("/stats");
    assert_eq!(
        stats["stats"],
        serde_json::json!({"c_total{segment=\"a\"}": 1, "c_total{segment=\"b\"}": 2})
    );
    assert_eq!(
        server.json("/stats?segment=b").1["stats"],
        serde_json::json!({"c_total": 2})
    );
}

#[test]
fn the_same_name_in_two_folders_is_two_segments() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("other")).unwrap();
    let (a, b) = (folder.segment("app"), folder.segment("other/app"));
    count(&a, 1);
    count(&b, 2);
    // Given twice, it is one.
    let server = Server::start(&folder, &["app", &folder.path("app"), &folder.path("other/")]);
    let samples = server.samples();
    assert_eq!(samples.value("c_total{segment=\"app\"}"), 1.0);
    let long = folder.path("other/app");
    assert_eq!(samples.value(&format!("c_total{{segment=\"{long}\"}}")), 2.0);
    let ups = samples
        .0
        .keys()
        .filter(|series| series.starts_with("shmetrics_up{"))
        .count();
    assert_eq!(ups, 2);
}

#[test]
fn in_a_folder_segments_appear_vanish_and_are_replaced() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("web")).unwrap();
    let server = Server::start(&folder, &[&folder.path("web")]);
    // Nothing there yet: no series is no failure of the scrape, but of the set-up.
    assert!(!server.samples().has("shmetrics_up"));
    assert_eq!(server.json("/health").0, 503);
    // What is no segment is no matter.
    std::fs::write(folder.path("web/notes.txt"), "nothing to see").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path("web/link")).unwrap();
    let first = folder.segment("web/one");
    count(&first, 10);
    wait_for("the first", || server.samples().has("c_total{segment=\"one\"}"));
    let samples = server.samples();
    assert_eq!(samples.value("c_total{segment=\"one\"}"), 10.0);
    assert!(
        !samples.has("shmetrics_up{segment=\"notes.txt\"}") && !samples.has("shmetrics_up{segment=\"link\"}")
    );
    assert_eq!(server.json("/health").0, 200);

    let second = folder.segment("web/two");
    count(&second, 20);
    wait_for("the second", || {
        server.samples().get("c_total{segment=\"two\"}") == Some(20.0)
    });

    // Replaced: the new one's counts, which begin anew, and its later start says so.
    let begun = server
        .samples()
        .value("shmetrics_segment_created_timestamp_seconds{segment=\"two\"}");
    let third = folder.segment("new");
    count(&third, 3);
    std::fs::rename(folder.path("new"), folder.path("web/two")).unwrap();
    wait_for("the third", || {
        server.samples().get("c_total{segment=\"two\"}") == Some(3.0)
    });
    assert!(
        server
            .samples()
            .value("shmetrics_segment_created_timestamp_seconds{segment=\"two\"}")
            > begun
    );

    first.retire().unwrap();
    wait_for("the first to go", || {
        !server.samples().has("shmetrics_up{segment=\"one\"}")
    });
    assert!(!server.samples().has("c_total{segment=\"one\"}"));
    wait_for("health", || server.json("/health").0 == 200);
}

#[test]
fn a_bad_one_is_named_and_disturbs_no_other() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("web")).unwrap();
    let good = folder.segment("web/good");
    count(&good, 1);
    drop(folder.segment("web/bad"));
    // Looks like a segment, and is none.
    let bytes = std::fs::read(folder.path("web/bad")).unwrap();
    let mut damaged = bytes[..8192].to_vec();
    damaged[100] ^= 0xff;
    std::fs::write(folder.path("web/bad"), &damaged).unwrap();
    let server = Server::start(
        &folder,
        &[
            &folder.path("web"),
            &folder.path("nowhere/"),
            &folder.path("missing"),
        ],
    );
    let samples = server.samples();
    assert_eq!(samples.value("c_total{segment=\"good\"}"), 1.0);
    assert_eq!(samples.value("shmetrics_up{segment=\"good\"}"), 1.0);
    assert_eq!(samples.value("shmetrics_up{segment=\"bad\"}"), 0.0);
    assert_eq!(
        samples.value("shmetrics_problem{segment=\"bad\",problem=\"refused\"}"),
        1.0
    );
    assert_eq!(
        samples.value("shmetrics_problem{segment=\"missing\",problem=\"missing\"}"),
        1.0
    );
    let nowhere = folder.path("nowhere/");
    assert_eq!(
        samples.value(&format!(
            "shmetrics_problem{{segment=\"{nowhere}\",problem=\"missing\"}}"
        )),
        1.0
    );
    let (status, health) = server.json("/health");
    assert_eq!((status, &health["segments"]), (503, &1.into()), "{health}");
    let (_, all) = server.json("/json");
    assert_eq!(all["segments"]["bad"]["problem"], "refused");
    assert_eq!(server.json("/json?segment=bad").0, 503);
    assert_eq!(server.json("/json?segment=good").0, 200);

    // Mended.
    std::fs::remove_file(folder.path("web/bad")).unwrap();
    let mended = folder.segment("web/bad");
    count(&mended, 5);
    wait_for("the mended one", || {
        server.samples().get("c_total{segment=\"bad\"}") == Some(5.0)
    });
}

#[test]
fn a_pattern_chooses_files_by_name() {
    let folder = Folder::new();
    let (one, two, other) = (
        folder.segment("web-1"),
        folder.segment("web-2"),
        folder.segment("db"),
    );
    [&one, &two, &other]
        .into_iter()
        .for_each(|segment| count(segment, 1));
    for pattern in [folder.path("web-?"), "web-*".to_owned()] {
        let server = Server::start(&folder, &[&pattern]);
        let samples = server.samples();
        assert_eq!(samples.value("c_total{segment=\"web-1\"}"), 1.0, "{pattern}");
        assert_eq!(samples.value("c_total{segment=\"web-2\"}"), 1.0, "{pattern}");
        assert!(!samples.has("c_total{segment=\"db\"}"), "{pattern}");
    }
    // Without a word: all that have names.
    let server = Server::start(&folder, &[]);
    assert_eq!(server.samples().value("c_total{segment=\"db\"}"), 1.0);
    let third = folder.segment("web-3");
    count(&third, 1);
    wait_for("another one", || {
        server.samples().has("c_total{segment=\"web-3\"}")
    });
}

#[test]
fn more_segments_than_can_be_read_are_told_and_do_no_harm() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("many")).unwrap();
    // As many as are guarded against truncation, with a place for a successor that is opened; and a few more.
    let most = shmetrics::sigbus::MOST_GUARDED - 1;
    for number in 0..most + 6 {
        let made = folder.run(&[
            "create",
            &folder.path(&format!("many/{number:02}")),
            "--preset=compact",
            "--lanes=4",
        ]);
        assert_eq!(made.code, 0, "{made:?}");
    }
    let server = Server::start(&folder, &[&folder.path("many")]);
    let samples = server.samples();
    assert_eq!(samples.value("shmetrics_segments_ignored"), 6.0);
    assert_eq!(
        samples.value(&format!("shmetrics_up{{segment=\"{}\"}}", most - 1)),
        1.0
    );
    assert!(!samples.has(&format!("shmetrics_up{{segment=\"{most}\"}}")));
    assert_eq!(server.json("/health").0, 503);
}
