//! Without a path: which segment is meant.

use super::support::*;

#[test]
fn without_a_path_the_only_segment_is_taken() {
    let folder = Folder::new();
    let _one = folder.segment("one");
    // Not segments: passed over.
    std::fs::write(folder.path("text"), "x".repeat(10_000)).unwrap();
    std::fs::create_dir(folder.path("folder")).unwrap();
    std::os::unix::fs::symlink(folder.path("one"), folder.path("link")).unwrap();
    std::fs::copy(folder.path("one"), folder.path(".hidden")).unwrap();
    // The last search folder is everybody's: it may hold segments of others.
    let shared = format!("/dev/shm/shmetrics-{}", rustix::process::geteuid().as_raw());
    if std::fs::read_dir(shared).map_or(0, Iterator::count) == 0 {
        let snapshot = folder.json::<&str>(&["snapshot"]);
        assert_eq!(snapshot["segment"]["path"], *folder.path("one"));
        assert_eq!(folder.run::<&str>(&["inspect"]).code, 0);
    }
    let _two = folder.segment("two");
    let ended = folder.run::<&str>(&["snapshot"]);
    assert_refused(&ended, "segments found");
    assert!(
        ended.stderr.contains(&folder.path("one")) && ended.stderr.contains(&folder.path("two")),
        "{ended:?}"
    );
    assert!(
        !ended.stderr.contains("text") && !ended.stderr.contains("link"),
        "{ended:?}"
    );
}
