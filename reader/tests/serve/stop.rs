//! The clean end: what runs is finished, who idles is let go, and nothing is left.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::client::*;
use super::support::*;

#[test]
fn it_ends_at_once_when_nobody_is_there_or_all_idle() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut server = Server::start(&folder, &["app"]);
        // Nothing said, a part said, and something answered.
        let silent = server.connect();
        let mut partial = server.connect();
        partial.write_all(b"GET /metr").unwrap();
        let mut answered = server.connect();
        answered
            .write_all(b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert_eq!(Reply::read(&mut BufReader::new(&answered), false).status, 200);
        server.running.signal(signal);
        assert_eq!(server.running.code(), 0);
        for stream in [silent, partial, answered] {
            rest(stream);
        }
        assert!(server.errors.is_over());
    }
}

#[test]
fn an_answer_that_is_under_way_is_finished() {
    let folder = Folder::new();
    let _segment = large(&folder);
    let mut server = Server::start(&folder, &["app"]);
    let mut slow: Vec<TcpStream> = (0..3).map(|_| narrow(&server)).collect();
    let mut first = [0; 1];
    for stream in &mut slow {
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut first).unwrap();
    }
    server.running.signal(Signal::TERM);
    wait_for("nobody to listen", || TcpStream::connect(server.address).is_err());
    assert!(
        server.running.0.try_wait().unwrap().is_none(),
        "it still has something to say"
    );
    for stream in slow {
        let bytes = [&first[..], &rest(stream)].concat();
        // Reading panics if it is cut off.
        let reply = Reply::read(&mut &bytes[..], false);
        assert_eq!(reply.status, 200);
        assert_eq!(
            Samples::parse(&reply.text())
                .0
                .keys()
                .filter(|series| series.starts_with("filler_total"))
                .count(),
            8000
        );
    }
    assert_eq!(server.running.code(), 0);
}

#[test]
fn somebody_who_does_not_read_does_not_keep_it_for_ever() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    let family = segment
        .gauge("filler")
        .help(&"x".repeat(200))
        .family(["number"])
        .unwrap();
    (0..100).for_each(|number| family.with([&*number.to_string()]).set(number));
    let mut server = Server::start(&folder, &["app"]);
    let mut stuck = server.connect();
    stuck.set_nonblocking(true).unwrap();
    // Until neither side takes any more.
    let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100);
    let mut refused = 0;
    wait_for("a full connection", || {
        refused = if stuck.write(&request).is_err() {
            refused + 1
        } else {
            0
        };
        refused > 100
    });
    server.running.signal(Signal::TERM);
    assert_eq!(server.running.code(), 0);
}
