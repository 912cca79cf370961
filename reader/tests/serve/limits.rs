//! Clients that are slow, silent, many, or wrong: nobody else notices.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::client::*;
use super::support::*;

#[test]
fn a_thousand_idle_connections_keep_nobody_out() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(&folder, &["app"]);
    let mut idle: Vec<TcpStream> = Vec::new();
    for number in 0..1000 {
        let mut stream = server.connect();
        // Silent, or in the middle of a word.
        if number % 2 == 0 {
            stream.write_all(b"GET /metr").unwrap();
        }
        idle.push(stream);
    }
    wait_for("an answer with all of them there", || {
        let samples = server.samples();
        assert!(samples.value("shmetrics_http_connections") <= 512.0);
        samples.value("shmetrics_http_connections_displaced_total") >= 489.0
    });
    for _ in 0..20 {
        assert_eq!(server.get("/metrics").status, 200);
    }
}

#[test]
fn the_longest_idle_one_makes_room() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(&folder, &["app", "--web.max-connections=3"]);
    let request = b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut streams: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(request).unwrap();
            assert_eq!(Reply::read(&mut BufReader::new(&stream), false).status, 200);
            stream
        })
        .collect();
    // Not the first any more.
    streams[0].write_all(request).unwrap();
    assert_eq!(Reply::read(&mut BufReader::new(&streams[0]), false).status, 200);
    assert_eq!(server.get("/-/ready").status, 200);
    assert_eq!(rest(streams.remove(1)), b"");
    for mut stream in streams {
        stream.write_all(request).unwrap();
        assert_eq!(Reply::read(&mut BufReader::new(&stream), false).status, 200);
    }
}

#[test]
fn whoever_sends_a_head_drop_by_drop_is_cut_off() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(&folder, &["app"]);
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    let silent = server.connect();
    // As long as it is taken, another header.
    wait_for("the end of patience", || {
        slow.write_all(b"X-A: b\r\n").is_err() || is_closed(&slow)
    });
    assert_eq!(rest(silent), b"");
    assert_eq!(server.get("/metrics").status, 200);
}

fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let closed =
        !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    closed
}

#[test]
fn requests_that_are_none_are_refused_and_closed() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(&folder, &["app"]);
    let huge_field = format!(
        "GET /metrics HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let many_fields = format!(
        "GET /metrics HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(1000)
    );
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100_000));
    let endless = "x".repeat(1 << 20);
    for (request, statuses) in [
        ("\r\n\r\nnonsense\r\n\r\n", &[400][..]),
        ("GET\r\n\r\n", &[400]),
        ("GET /metrics HTTP/9.9\r\n\r\n", &[400]),
        ("GET /metrics HTTP/1.1\r\nbad header\r\n\r\n", &[400]),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            &[400],
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            &[400],
        ),
        (
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}",
            &[400],
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            &[413],
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &[413],
        ),
        (&huge_field, &[431]),
        (&many_fields, &[431]),
        (&long_path, &[414, 431]),
        (&endless, &[400, 414, 431]),
    ] {
        let start: String = request.chars().take(60).collect();
        let mut stream = server.connect();
        // It may be closed before all of it is sent.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let bytes = rest(stream);
        assert!(
            !bytes.is_empty(),
            "{start:?} of {} bytes got no answer",
            request.len()
        );
        let reply = Reply::read(&mut &bytes[..], false);
        assert!(statuses.contains(&reply.status), "{start:?}: {reply:?}");
    }
    assert_eq!(server.get("/metrics").status, 200);
}

#[test]
fn old_clients_get_an_answer_too() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(&folder, &["app"]);
    let mut stream = server.connect();
    stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n").unwrap();
    let bytes = rest(stream);
    assert!(
        bytes.starts_with(b"HTTP/1.0 200 ") || bytes.starts_with(b"HTTP/1.1 200 "),
        "{bytes:?}"
    );
    assert!(bytes.ends_with(b"shmetrics is ready\n"));
}
