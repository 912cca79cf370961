//! `/metrics` in the formats that clients ask for, whole or in part, compressed or not.

use std::io::{BufReader, Write};

use shmetrics::Unit;

use super::client::*;
use super::support::*;

fn furnished(folder: &Folder) -> shmetrics::Segment {
    let segment = folder.segment("app");
    segment
        .counter("requests_total")
        .help("Requests")
        .label("code", "200")
        .register()
        .unwrap()
        .add(3);
    segment.counter("errors_total").register().unwrap().add(1);
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    latency.record_duration(std::time::Duration::from_millis(4));
    segment
}

#[test]
fn the_format_is_what_the_client_asks_for() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    let of = |accept: &str| server.ask("GET", "/metrics", &[&format!("Accept: {accept}")]);
    for (accept, content_type) in [
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html", "text/plain; version=0.0.4"),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0",
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            "application/vnd.google.protobuf",
        ),
    ] {
        let reply = of(accept);
        assert_eq!(reply.status, 200);
        let found = reply.header("content-type").unwrap();
        assert!(found.starts_with(content_type), "{accept}: {found}");
        assert_eq!(reply.header("vary"), Some("accept, accept-encoding"));
    }
    let text = of("text/plain").text();
    assert!(text.contains("\nrequests_total{code=\"200\"} 3\n"), "{text}");
    assert!(text.contains("\nlatency_seconds_count 1\n"), "{text}");
    assert!(text.contains("\nshmetrics_build_info{version=\""), "{text}");
    let open = of("application/openmetrics-text; version=1.0.0").text();
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    assert!(
        open.contains("requests_created{code=\"200\"}") && !text.contains("requests_created"),
        "{open}"
    );
    // No timestamps: each line is a series and its value.
    Samples::parse(&text);
    let protobuf =
        of("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited");
    assert!(protobuf.body.windows(15).any(|bytes| bytes == b"latency_seconds"));
    // Several header lines are one list.
    let headers = [
        "Accept: application/json",
        "Accept: application/openmetrics-text; version=1.0.0",
    ];
    let both = server.ask("GET", "/metrics", &headers);
    assert!(both.text().ends_with("\n# EOF\n"), "{both:?}");
}

#[test]
fn counters_of_the_server_tell_since_when_they_count() {
    let folder = Folder::new();
    let segment = furnished(&folder);
    segment.log_error("the disk is full");
    let server = Server::start(&folder, &["app", "--collector.per-process"]);
    let reply = server.ask(
        "GET",
        "/metrics",
        &["Accept: application/openmetrics-text; version=1.0.0"],
    );
    let text = reply.text();
    let counts: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("shmetrics_"))
        .filter(|line| line.contains("_total{") || line.contains("_total "))
        .collect();
    let value = |series: &str| -> f64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}"))
            .parse()
            .unwrap()
    };
    let segment_began = value("shmetrics_segment_created_timestamp_seconds{segment=\"app\"}");
    for (family, began) in [
        ("shmetrics_http_answers_refused_total", None),
        ("shmetrics_segment_torn_reads_total", None),
        ("shmetrics_process_cpu_seconds_total", None),
        ("shmetrics_processes_cpu_seconds_total", None),
        ("shmetrics_segment_losses_total", Some(segment_began)),
        ("shmetrics_segment_adoptions_total", Some(segment_began)),
        ("shmetrics_segment_errors_total", Some(segment_began)),
    ] {
        let of: Vec<&&str> = counts.iter().filter(|line| line.starts_with(family)).collect();
        assert!(!of.is_empty(), "no {family} in {text}");
        for line in of {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let created = value(&series.replacen("_total", "_created", 1));
            assert!(created > 1e9, "{line}");
            if let Some(began) = began {
                assert!((created - began).abs() < 1e-3, "{line}: {created}, not {began}");
            }
        }
    }
}

#[test]
fn names_choose_families() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    let names = |query: &str| -> Vec<String> {
        let reply = server.get(&format!("/metrics?{query}"));
        assert_eq!(reply.status, 200);
        let samples = Samples::parse(&reply.text());
        let mut names: Vec<String> = samples
            .0
            .keys()
            .map(|series| series.split('{').next().unwrap().to_owned())
            .collect();
        names.dedup();
        names
    };
    assert_eq!(names("name[]=requests_total"), ["requests_total"]);
    assert_eq!(
        names("name%5B%5D=requests_total&name[]=errors_total"),
        ["errors_total", "requests_total"]
    );
    assert_eq!(names("name[]=shmetrics_up"), ["shmetrics_up"]);
    assert_eq!(names("name[]=nothing"), [""; 0]);
    // A sample's name gives its whole family.
    let latency = names("name[]=latency_seconds_count");
    assert!(
        latency.contains(&"latency_seconds_bucket".to_owned()),
        "{latency:?}"
    );
    // Other parameters are of no account.
    assert!(names("x=y").len() > 10);
}

#[test]
fn whoever_takes_gzip_gets_it_and_the_same_content() {
    let folder = Folder::new();
    let _segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    for path in ["/metrics?name[]=latency_seconds", "/json?segment=app"] {
        let plain = server.get(path);
        let packed = server.ask("GET", path, &["Accept-Encoding: deflate, gzip;q=0.5"]);
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{packed:?}");
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(packed.header("content-type"), plain.header("content-type"));
        assert!(packed.body.len() < plain.body.len());
        if path.starts_with("/metrics") {
            assert_eq!(packed.text(), plain.text());
        }
        assert_eq!(
            server
                .ask("GET", path, &["Accept-Encoding: gzip;q=0"])
                .header("content-encoding"),
            None
        );
    }
    // Too short to gain anything.
    let short = server.ask("GET", "/metrics?name[]=errors_total", &["Accept-Encoding: gzip"]);
    assert_eq!(short.header("content-encoding"), None);
}

#[test]
fn a_connection_is_used_again() {
    let folder = Folder::new();
    let segment = furnished(&folder);
    let server = Server::start(&folder, &["app"]);
    let mut stream = server.connect();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let counter = segment.counter("errors_total").register().unwrap();
    for round in 0..100 {
        counter.inc();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
            .unwrap();
        let reply = Reply::read(&mut reader, false);
        assert_eq!(reply.status, 200, "{round}");
    }
    // Several at once, answered in order.
    stream
        .write_all(b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(Reply::read(&mut reader, false).status, 200);
    assert_eq!(Reply::read(&mut reader, false).status, 404);
    wait_for("all to be told", || {
        server.samples().value("errors_total") == 101.0
    });
}

#[test]
fn a_burst_shares_one_reading_and_nobody_gets_an_old_one() {
    let folder = Folder::new();
    let segment = furnished(&folder);
    let counter = segment.counter("errors_total").register().unwrap();
    let server = Server::start(&folder, &["app"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut before = 0.0;
                for _ in 0..50 {
                    let now = server.samples().value("errors_total");
                    assert!(now >= before);
                    before = now;
                }
            });
        }
        for number in 2..=20u32 {
            counter.inc();
            wait_for("the increment", || {
                server.samples().value("errors_total") == f64::from(number)
            });
        }
    });
}
