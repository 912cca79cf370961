//! A running server, and a client that knows as much of HTTP as a test needs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use shmetrics::{Preset, Segment};

use super::support::{Folder, Lines, Running};

/// Far more than any answer takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server, ended with its test.
pub struct Server {
    pub running: Running,
    pub address: SocketAddr,
    pub errors: Lines,
}

impl Server {
    /// On any free port of loopback.
    pub fn start(folder: &Folder, arguments: &[&str]) -> Server {
        let mut command = folder.command(&["serve", "--web.listen-address", "127.0.0.1:0"]);
        command.args(arguments);
        Server::run(command)
    }

    /// Any command that becomes a server, and says on stderr where it listens.
    pub fn run(mut command: Command) -> Server {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let errors = Lines::of(running.0.stderr.take().unwrap());
        let line = errors.next();
        let address = line.strip_prefix("shmetrics: listening on http://");
        let address = address.and_then(|text| text.trim_end_matches('/').parse().ok());
        Server {
            running,
            address: address.unwrap_or_else(|| panic!("{line}")),
            errors,
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends this, and reads one answer.
    pub fn send(&self, request: &str) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        Reply::read(&mut BufReader::new(stream), request.starts_with("HEAD "))
    }

    /// `METHOD PATH` with these header lines.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Reply {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n"
        ))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[])
    }

    /// What it answers as JSON, with its status.
    pub fn json(&self, path: &str) -> (u16, Json) {
        let reply = self.get(path);
        assert_eq!(
            reply.header("content-type"),
            Some("application/json"),
            "{reply:?}"
        );
        (
            reply.status,
            serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}")),
        )
    }

    /// All samples of `/metrics`. A series that comes twice is an error.
    pub fn samples(&self) -> Samples {
        self.samples_at("/metrics")
    }

    pub fn samples_at(&self, path: &str) -> Samples {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{reply:?}");
        Samples::parse(&reply.text())
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn read(from: &mut impl BufRead, is_head: bool) -> Reply {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let mut reply = Reply {
            status: status.unwrap_or_else(|| panic!("no status: {line:?}")),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
            reply
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length: usize = reply
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        if !is_head {
            reply.body.resize(length, 0);
            from.read_exact(&mut reply.body).unwrap();
        }
        reply
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(have, _)| have == name)
            .map(|(_, value)| value.as_str());
        let first = found.next();
        assert_eq!(found.next(), None, "{name} comes twice");
        first
    }

    pub fn text(&self) -> String {
        match self.header("content-encoding") {
            Some("gzip") => super::support::text(flate2::read::GzDecoder::new(&self.body[..])),
            None => String::from_utf8(self.body.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// Series and values of a text exposition.
#[derive(Debug)]
pub struct Samples(pub BTreeMap<String, f64>);

impl Samples {
    pub fn parse(text: &str) -> Samples {
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            let value = value.parse().unwrap_or_else(|_| panic!("{line:?}"));
            let before = samples.insert(series.to_owned(), value);
            assert_eq!(before, None, "{series} comes twice");
        }
        Samples(samples)
    }

    pub fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        self.get(series)
            .unwrap_or_else(|| panic!("no {series} in {self:#?}"))
    }

    /// Is there a series whose name begins so?
    pub fn has(&self, prefix: &str) -> bool {
        self.0.keys().any(|series| series.starts_with(prefix))
    }
}

/// Reads until the other side closes; what it sent.
pub fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // Closed with something unread: that is a reset.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    bytes
}

/// A connection whose buffer on our side is as small as the kernel lets it be.
pub fn narrow(server: &Server) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, 1).unwrap();
    connect(&socket, &server.address).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A segment whose metrics are more than the server's side of a connection buffers: some 8 MB.
pub fn large(folder: &Folder) -> Segment {
    let segment = Segment::options()
        .preset(Preset::Large)
        .create_at(folder.path("app"))
        .unwrap();
    let padding = "x".repeat(1000);
    for number in 0..8000 {
        let counter = segment
            .counter("filler_total")
            .label("label", &format!("{number}{padding}"))
            .register();
        counter.unwrap().add(number);
    }
    segment
}
