//! A forked HTTP server against its clients' own tally, while workers of it are killed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use shmetrics::snapshot::Losses;
use shmetrics::{Reader, Snapshot, Value};

use super::Program;
use super::support::*;

/// Threads that send requests, each over one connection at a time.
const CLIENTS: u64 = 4;
const WORKERS: usize = 3;
/// About half the time from a request to its response.
const AWAKE: Duration = Duration::from_micros(20);
/// What is asked for, in turn, and the code that is to come.
const PATHS: [(&str, u16); 5] = [
    ("/ok", 200),
    ("/missing", 404),
    ("/ok", 200),
    ("/broken", 500),
    ("/elsewhere", 404),
];

/// `examples/prefork`, its segment and its workers.
struct Server {
    program: Program,
    address: SocketAddr,
    segment: PathBuf,
}

impl Server {
    fn start(segment: PathBuf) -> Server {
        let program = Program::start("prefork", &[segment.to_str().unwrap(), &WORKERS.to_string()]);
        let address = poll("the server's port", || {
            program.after("listening on ").first()?.parse().ok()
        });
        let server = Server {
            program,
            address,
            segment,
        };
        poll("the workers", || {
            (server.workers().len() == WORKERS).then_some(())
        });
        server
    }

    /// Every worker that was ever started.
    fn workers(&self) -> Vec<u32> {
        let started = self.program.after("worker ");
        started
            .iter()
            .filter_map(|line| line.strip_suffix(" started")?.parse().ok())
            .collect()
    }

    /// The pid of a worker that may be killed: certainly a child of our server, and alive.
    fn victim(&self, worker: u32) -> Pid {
        assert!(self.workers().contains(&worker), "{worker} is no worker");
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
        let parent = format!("PPid:\t{}", self.program.process.0.id());
        assert!(status.lines().any(|line| line == parent), "{worker}: {status}");
        Pid::from_raw(worker as i32).unwrap()
    }

    /// Ends the server as an operator would, and checks that it took all its workers along.
    fn stop(mut self) {
        self.program.signal(Signal::TERM);
        self.program.process.finish();
        for worker in self.workers() {
            // Its pid may be another process' by now, but no other process has our segment in its command line.
            let command = std::fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            assert!(
                !command.contains(self.segment.to_str().unwrap()),
                "worker {worker} outlived its server"
            );
        }
    }
}

/// What the clients know, per status code.
#[derive(Debug, Default)]
struct Tally {
    received: BTreeMap<u16, u64>,
    /// Requests whose connection broke before the response was there: counted by the server, or not.
    broken: BTreeMap<u16, u64>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        for (code, count) in other.received {
            *self.received.entry(code).or_default() += count;
        }
        for (code, count) in other.broken {
            *self.broken.entry(code).or_default() += count;
        }
    }
}

/// One client: a connection at a time, and what came over it.
struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    /// The worker that answered last.
    worker: u32,
    tally: Tally,
}

impl Client {
    /// Asks until there is a response. Kills `victim` when the first request is on its way.
    fn ask(&mut self, path: &str, code: u16, mut victim: Option<Pid>) {
        loop {
            match self.try_ask(path, victim.take()) {
                Ok((found, worker)) => {
                    assert_eq!(found, code, "{path}");
                    *self.tally.received.entry(code).or_default() += 1;
                    self.worker = worker;
                    return;
                }
                Err(error) => {
                    // A deadline is no broken connection: the server hangs.
                    assert!(
                        !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
                        "{path}: {error}"
                    );
                    *self.tally.broken.entry(code).or_default() += 1;
                    self.connection = None;
                }
            }
        }
    }

    /// Sends one request; code and worker of the response.
    fn try_ask(&mut self, path: &str, victim: Option<Pid>) -> io::Result<(u16, u32)> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            // The listener is the parent's, too: it never refuses.
            none => {
                let stream = TcpStream::connect(self.address).expect("connect");
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(DEADLINE))?;
                none.insert(BufReader::new(stream))
            }
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let sent = connection.get_mut().write_all(request.as_bytes());
        if let Some(victim) = victim {
            // Long enough for the worker to wake: it dies somewhere between reading the request and waiting for the next.
            let begun = Instant::now();
            while begun.elapsed() < AWAKE {}
            kill_process(victim, Signal::KILL).unwrap();
        }
        sent?;
        let (mut code, mut worker, mut length) = (0, 0, 0);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                code = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("Worker: ") {
                worker = rest.trim().parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("Content-Length: ") {
                length = rest.trim().parse().unwrap();
            } else if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        Ok((code, worker))
    }
}

/// Sends `requests` from all clients together. The client that comes to one of the numbers in `kills` kills the worker that answered
/// it last and has its next request, while the others go on. Then, with every connection still open, runs `check`.
fn load(server: &Server, requests: u64, kills: &[u64], check: impl FnOnce()) -> Tally {
    let next = AtomicU64::new(0);
    // All clients, and this thread.
    let stage = Barrier::new(CLIENTS as usize + 1);
    let client = || {
        let mut client = Client {
            address: server.address,
            connection: None,
            worker: 0,
            tally: Tally::default(),
        };
        client.ask("/ok", 200, None);
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= requests - 2 * CLIENTS {
                break;
            }
            let victim = kills.contains(&number).then(|| server.victim(client.worker));
            let (path, code) = PATHS[number as usize % PATHS.len()];
            client.ask(path, code, victim);
        }
        // Whatever was killed is killed by now: after one more request each client has a connection that lives.
        stage.wait();
        client.ask("/ok", 200, None);
        stage.wait();
        stage.wait();
        client.tally
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        stage.wait();
        stage.wait();
        check();
        stage.wait();
        let mut tally = Tally::default();
        clients
            .into_iter()
            .for_each(|client| tally.add(client.join().unwrap()));
        tally
    })
}

fn fresh(reader: &mut Reader) -> Snapshot {
    reader.refresh_owners().unwrap();
    reader.snapshot().unwrap()
}

fn connections(snapshot: &Snapshot) -> Option<i64> {
    match snapshot.find("http_connections", &[]).unwrap().value {
        Value::GaugeI64(value) => value,
        ref other => panic!("{other:?}"),
    }
}

/// received <= counted <= received + broken: per code, in all, and for the histogram.
fn compare(snapshot: &Snapshot, tally: &Tally) {
    println!("{tally:?}");
    let between = |what: &str, counted: u64, received: u64, broken: u64| {
        println!("{what}: received {received}, counted {counted}, broken {broken}");
        assert!(
            (received..=received + broken).contains(&counted),
            "{what}: received {received}, counted {counted}, broken {broken}"
        );
    };
    for (code, received) in &tally.received {
        let broken = tally.broken.get(code).copied().unwrap_or(0);
        let text = code.to_string();
        let labels = [("code", text.as_str()), ("method", "GET")];
        let counted = counter(snapshot, "http_requests_total", &labels);
        between(&text, counted, *received, broken);
    }
    let (received, broken) = (tally.received.values().sum(), tally.broken.values().sum());
    // Every series of the family: nothing was counted under labels that nobody asked for.
    let of_family = |series: &&shmetrics::snapshot::Series| series.description.name == "http_requests_total";
    let counted = snapshot
        .series
        .iter()
        .filter(of_family)
        .map(|series| match series.value {
            Value::CounterU64(value) => value,
            ref other => panic!("{other:?}"),
        });
    between("all", counted.sum(), received, broken);
    let (recorded, _, is_exact) = histogram(snapshot, "http_request_duration_seconds");
    assert!(is_exact);
    between("histogram", recorded, received, broken);
    assert_eq!(snapshot.losses, Losses::default());
}

#[test]
fn a_prefork_server_whose_workers_are_killed_agrees_with_its_clients() {
    let scratch = Scratch::new("prefork-kills");
    let server = Server::start(scratch.path("segment"));
    let mut reader = Reader::open_path(&server.segment).unwrap();
    let kills = [3_000, 6_000];
    let tally = load(&server, 10_000, &kills, || {
        poll("the replacements", || {
            (server.workers().len() == WORKERS + kills.len()).then_some(())
        });
        // Those of killed workers are gone with them; the clients have one each.
        poll("the dead workers' gauges to go", || {
            (connections(&fresh(&mut reader)) == Some(CLIENTS as i64)).then_some(())
        });
    });
    assert_eq!(tally.received.values().sum::<u64>(), 10_000);
    let broken: u64 = tally.broken.values().sum();
    // A kill breaks at least the connection of the client that killed, and at most one of each client.
    let (least, most) = (kills.len() as u64, kills.len() as u64 * CLIENTS);
    assert!((least..=most).contains(&broken), "{broken} broken");
    compare(&fresh(&mut reader), &tally);
    poll("the end of all connections", || {
        (connections(&fresh(&mut reader)) == Some(0)).then_some(())
    });
    server.stop();
    let last = fresh(&mut reader);
    compare(&last, &tally);
    assert_eq!(connections(&last), None, "nobody is left to have any");
    assert!(last.processes.iter().all(|process| !process.alive));
}

#[test]
fn a_prefork_server_counts_every_request_exactly_once() {
    let scratch = Scratch::new("prefork");
    let server = Server::start(scratch.path("segment"));
    let mut reader = Reader::open_path(&server.segment).unwrap();
    let tally = load(&server, 2_000, &[], || {
        assert_eq!(connections(&fresh(&mut reader)), Some(CLIENTS as i64));
    });
    assert_eq!(tally.received.values().sum::<u64>(), 2_000);
    // Nothing broke, so the comparison leaves no room.
    assert!(tally.broken.is_empty(), "{tally:?}");
    compare(&fresh(&mut reader), &tally);
    server.stop();
    compare(&fresh(&mut reader), &tally);
}
