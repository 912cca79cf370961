//! A segment that is truncated under the server: whoever may write it may do that, and it must not end whoever reads.

use std::fs::File;

use super::client::*;
use super::support::*;

#[test]
fn a_truncated_segment_is_named_and_the_others_are_served_on() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("web")).unwrap();
    let good = folder.segment("web/good");
    good.counter("c_total").register().unwrap().add(1);
    let mut server = Server::start(&folder, &[&folder.path("web")]);
    // Nothing left, less than the header says, and a little less.
    for length in [0, 4096, 100_000] {
        let made = folder.run(&["create", &folder.path("web/bad")]);
        assert_eq!(made.code, 0, "{made:?}");
        wait_for("the segment", || {
            server.samples().get("shmetrics_up{segment=\"bad\"}") == Some(1.0)
        });
        let file = File::options().write(true).open(folder.path("web/bad")).unwrap();
        file.set_len(length).unwrap();
        wait_for("the loss to be seen", || {
            server.samples().get("shmetrics_up{segment=\"bad\"}") == Some(0.0)
        });
        let samples = server.samples();
        assert!(samples.has("shmetrics_problem{segment=\"bad\","), "{samples:?}");
        assert_eq!(samples.value("c_total{segment=\"good\"}"), 1.0);
        assert_eq!(server.json("/health").0, 503);
        std::fs::remove_file(folder.path("web/bad")).unwrap();
        wait_for("it to be gone", || {
            !server.samples().has("shmetrics_up{segment=\"bad\"}")
        });
    }
    // A proper one again.
    let again = folder.segment("web/bad");
    again.counter("c_total").register().unwrap().add(2);
    wait_for("the new one", || {
        server.samples().get("c_total{segment=\"bad\"}") == Some(2.0)
    });
    wait_for("health", || server.json("/health").0 == 200);
    server.running.signal(rustix::process::Signal::TERM);
    assert_eq!(server.running.code(), 0);
}

#[test]
fn truncation_at_full_rate_never_ends_it() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[&folder.path("app")]);
    std::thread::scope(|scope| {
        let scraping = scope.spawn(|| {
            for _ in 0..300 {
                assert_eq!(server.get("/metrics").status, 200);
            }
        });
        while !scraping.is_finished() {
            let segment = folder.segment("app");
            segment.counter("c_total").register().unwrap().inc();
            drop(segment);
            File::options()
                .write(true)
                .open(folder.path("app"))
                .unwrap()
                .set_len(8192)
                .unwrap();
            std::fs::remove_file(folder.path("app")).unwrap();
        }
    });
    let _segment = folder.segment("app");
    wait_for("the last one", || {
        server.samples().get("shmetrics_up{segment=\"app\"}") == Some(1.0)
    });
}
