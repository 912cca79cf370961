//! Memory stays what it is, however often and by however slow clients is scraped.

use std::io::Write;

use super::client::*;
use super::support::*;

/// Resident memory of the server.
fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.running.0.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn furnished(folder: &Folder) -> shmetrics::Segment {
    let segment = folder.segment("app");
    let family = segment.counter("filler_total").family(["number"]).unwrap();
    (0..200).for_each(|number| family.with([&*number.to_string()]).add(number));
    let histogram = segment.histogram("size").register().unwrap();
    (1..1000u64).for_each(|value| histogram.record(value * value));
    segment
}

#[test]
fn thousands_of_scrapes_leave_nothing_behind() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    let scrape = || {
        for headers in [
            &[][..],
            &["Accept-Encoding: gzip"],
            &["Accept: application/openmetrics-text; version=1.0.0"],
        ] {
            assert_eq!(server.ask("GET", "/metrics", headers).status, 200);
        }
        assert_eq!(server.get("/json").status, 200);
        assert_eq!(server.get("/nothing").status, 404);
    };
    (0..300).for_each(|_| scrape());
    let before = resident_kib(&server);
    (0..700).for_each(|_| scrape());
    let after = resident_kib(&server);
    assert!(after < before + 1024, "{before} KiB, then {after} KiB");
}

#[test]
fn clients_that_do_not_read_cannot_fill_it() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app", "--histogram.bounds=every"]);
    let length = server.get("/json").body.len();
    let mut stuck = Vec::new();
    for _ in 0..200 {
        let mut stream = server.connect();
        for path in ["/json", "/metrics", "/stats", "/metrics"] {
            stream
                .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
                .unwrap();
        }
        stuck.push(stream);
    }
    assert_eq!(server.get("/metrics").status, 200);
    // Each has one answer of its own at most, and what the kernel buffers is not ours.
    let most = 64 * 1024 + 200 * length as u64 / 1024;
    let resident = resident_kib(&server);
    assert!(resident < most, "{resident} KiB of at most {most}");
}

#[test]
fn when_slow_clients_hold_too_much_others_are_told_to_wait_until_they_let_go() {
    let folder = Folder::new();
    let _segment = large(&folder);
    let server = Server::start(&folder, &["app"]);
    let mut slow = Vec::new();
    // Each holds an answer of its own, of some 8 MB.
    wait_for("no more room", || {
        let mut stream = narrow(&server);
        // With a choice, so that it is not shared.
        stream
            .write_all(b"GET /metrics?name[]=filler_total HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        slow.push(stream);
        let reply = server.get("/metrics");
        assert!(
            reply.status == 200 || reply.header("retry-after") == Some("1"),
            "{reply:?}"
        );
        reply.status == 503
    });
    assert!(slow.len() > 3, "{}", slow.len());
    assert!(resident_kib(&server) < 400 * 1024);
    // What is small is answered on.
    assert_eq!(server.get("/health").status, 200);
    drop(slow);
    wait_for("room again", || server.get("/metrics").status == 200);
    assert!(server.samples().value("shmetrics_http_answers_refused_total") >= 1.0);
}
