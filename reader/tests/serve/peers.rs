//! A real Prometheus scrapes the server, with the configuration of README.md, and says what it got.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use shmetrics::Unit;

use super::client::*;
use super::support::*;

fn is_there(program: &str) -> bool {
    let ran = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

/// The answer of Prometheus to a query; `None` while it is not there yet.
fn query(address: SocketAddr, query: &str) -> Option<Json> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let answer: Json = serde_json::from_slice(&answer[body..]).ok()?;
    answer["data"]["result"]
        .get(0)
        .map(|result| result["value"][1].clone())
}

#[test]
fn prometheus_scrapes_counters_and_native_histograms() {
    if !is_there("prometheus") {
        return super::library::skip("there is no `prometheus` (apt install prometheus)");
    }
    let folder = Folder::new();
    let segment = folder.segment("app");
    let requests = segment
        .counter("http_requests_total")
        .label("code", "200")
        .register()
        .unwrap();
    requests.add(41);
    let latency = segment
        .histogram("latency_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    (0..7).for_each(|_| latency.record_duration(std::time::Duration::from_millis(4)));
    let server = Server::start(&folder, &["app"]);
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: app\n  static_configs:\n  - targets: ['{}']\n",
        server.address
    );
    std::fs::write(folder.path("prometheus.yml"), config).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", folder.path("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", folder.path("data")))
        .arg(format!("--web.listen-address={address}"))
        // Before 3.8 they are asked for so, and then protobuf is negotiated.
        .arg("--enable-feature=native-histograms")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Running(prometheus.unwrap());
    wait_for("a scrape", || {
        query(address, "http_requests_total") == Some("41".into())
    });
    assert_eq!(query(address, "up"), Some("1".into()));
    assert_eq!(query(address, "shmetrics_up"), Some("1".into()));
    assert_eq!(
        query(address, "histogram_count(latency_seconds)"),
        Some("7".into())
    );
    requests.inc();
    wait_for("the next scrape", || {
        query(address, "http_requests_total") == Some("42".into())
    });
}

#[test]
fn promtool_has_nothing_to_say_against_our_own_metrics() {
    if !is_there("promtool") {
        return super::library::skip("there is no `promtool` (apt install prometheus)");
    }
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(
        &folder,
        &["app", &folder.path("missing"), "--collector.per-process"],
    );
    let text = server.get("/metrics").text();
    let mut checking = Command::new("promtool");
    checking
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut checking = checking.spawn().unwrap();
    checking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = checking.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}{}\n{text}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
}
