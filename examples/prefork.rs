//! A prefork HTTP server whose workers count into one segment.
//!
//! The parent opens the segment, registers the series and binds the listener; then it forks workers, which inherit all three and
//! count as soon as they run. A worker may be killed at any moment: what it counted stays, and the parent forks another.
//!
//! ```text
//! cargo run --release --example prefork -- /dev/shm/prefork 4     # prints its port and the pids of its workers
//! curl http://127.0.0.1:PORT/ok                                   # also /broken; anything else is not found
//! kill -9 PID                                                     # any worker: it is replaced
//! cargo run --release --example sidecar -- /dev/shm/prefork       # what all of them did together
//! ```
//!
//! A request is counted *before* its response is written: so whoever has a response knows that it was counted, and of the requests
//! whose connection broke each was counted at most once. Counted afterwards, a response could be out and never counted.
//!
//! SIGTERM or SIGINT ends the server and its workers.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};
use shmetrics::{Counter, Family, Gauge, Histogram, Merge, Segment, Unit};

/// How long a connection may be silent before its worker closes it.
const IDLE: Duration = Duration::from_secs(60);
/// Longest request line and headers together, in bytes.
const HEAD_LIMIT: u64 = 8192;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [place, workers] => workers.parse().ok().map(|workers: usize| (place, workers)),
        _ => None,
    };
    let Some((place, workers @ 1..)) = parsed else {
        eprintln!("usage: prefork SEGMENT_PATH WORKERS");
        return ExitCode::from(2);
    };
    match run(place, workers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("prefork: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(place: &str, workers: usize) -> Result<(), Box<dyn Error>> {
    // Before anything else: a signal that comes early waits for the loop below.
    let signals = process::Signals::block()?;
    let segment = Segment::options().role("prefork").open_or_create(place)?;
    let metrics = Arc::new(Metrics::register(&segment)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);

    let parent = rustix::process::getpid();
    let fork_worker = || -> io::Result<Pid> {
        match process::fork()? {
            Some(pid) => {
                println!("worker {pid} started");
                Ok(pid)
            }
            None => {
                let ended = begin_work(parent, &signals).and_then(|()| serve(&listener, &metrics));
                eprintln!("worker: {:?}", ended.err());
                std::process::exit(1)
            }
        }
    };
    let mut running = Vec::new();
    for _ in 0..workers {
        running.push(fork_worker()?);
    }
    while signals.wait()? == libc::SIGCHLD {
        // Signals do not queue: one may stand for several dead workers.
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            println!("worker {pid} ended");
            running.retain(|worker| *worker != pid);
            if status.exited() {
                // It was not killed, it gave up: the next one may, too. Not in a tight loop, then.
                std::thread::sleep(Duration::from_secs(1));
            }
            running.push(fork_worker()?);
        }
    }
    for pid in &running {
        // No such process: it has just died by itself, and is reaped below.
        let _ = rustix::process::kill_process(*pid, Signal::TERM);
    }
    for pid in running {
        rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
    }
    Ok(())
}

/// What the server tells about itself. Registered before the first fork, so that every worker has it; but each worker counts in
/// lanes of its own and has a gauge of its own.
struct Metrics {
    requests: Family<Counter, 2>,
    duration: Histogram,
    connections: Gauge,
}

impl Metrics {
    fn register(segment: &Segment) -> Result<Metrics, shmetrics::RegisterError> {
        let requests = segment
            .counter("http_requests_total")
            .help("Requests answered, by status code and method")
            .family(["code", "method"])?;
        let duration = segment
            .histogram("http_request_duration_seconds")
            .help("From a request's last byte in to its response's first byte out")
            .unit(Unit::Seconds)
            .nanos()
            .register()?;
        // The sum over live processes: the connections of a killed worker are gone with it.
        let connections = segment
            .gauge("http_connections")
            .help("Open connections")
            .merge(Merge::Sum)
            .register()?;
        Ok(Metrics {
            requests,
            duration,
            connections,
        })
    }
}

/// What a worker does first: it must not outlive its parent, and takes signals as a process of its own does.
fn begin_work(parent: Pid, signals: &process::Signals) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before that call.
    if rustix::process::getppid() != Some(parent) {
        std::process::exit(1);
    }
    signals.restore()
}

/// Accepts for ever. Each connection has a thread: its lane is taken at its first count and reused by later threads.
fn serve(listener: &TcpListener, metrics: &Arc<Metrics>) -> io::Result<()> {
    loop {
        let (stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        let metrics = Arc::clone(metrics);
        // A connection that ends in an error is the client's business. No thread to be had: the stream is dropped, so closed.
        let _ = std::thread::Builder::new().spawn(move || converse(&stream, &metrics));
    }
}

fn converse(stream: &TcpStream, metrics: &Metrics) -> io::Result<()> {
    let _open = Open::count(&metrics.connections);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    let mut input = BufReader::new(stream);
    while let Some(request) = read_request(&mut input)? {
        let timer = metrics.duration.start_timer();
        let (code, response) = answer(&request);
        // Dropped, it records; counted and recorded before the response can be seen (see the head of this file).
        drop(timer);
        metrics.requests.with([code, request.method]).inc();
        (&mut &*stream).write_all(response.as_bytes())?;
        if !request.keep_alive {
            break;
        }
    }
    Ok(())
}

/// Counts a connection for as long as it lives, however its thread ends.
struct Open<'a>(&'a Gauge);

impl<'a> Open<'a> {
    fn count(connections: &'a Gauge) -> Open<'a> {
        connections.inc();
        Open(connections)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

struct Request {
    /// As a label: the client must not be able to make up label values.
    method: &'static str,
    /// `None`: this was no HTTP request.
    path: Option<String>,
    keep_alive: bool,
}

/// The next request; `None`: the client closed the connection.
fn read_request(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut input = input.take(HEAD_LIMIT);
    loop {
        let start = head.len();
        input.read_until(b'\n', &mut head)?;
        match &head[start..] {
            b"\r\n" | b"\n" => return Ok(Some(parse(&String::from_utf8_lossy(&head)))),
            line if line.ends_with(b"\n") => {}
            _ if head.is_empty() => return Ok(None),
            // Too long.
            _ if input.limit() == 0 => return Ok(Some(parse(""))),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn parse(head: &str) -> Request {
    let mut lines = head.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let (method, path, version) = match *words.as_slice() {
        [method, path, version @ ("HTTP/1.0" | "HTTP/1.1")] => (method, Some(path.to_owned()), version),
        _ => ("", None, ""),
    };
    // Bodies are not read: after a request with one the connection cannot be used again.
    let ends_connection = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "connection" => value.to_ascii_lowercase().contains("close"),
            "content-length" => value.trim() != "0",
            "transfer-encoding" => true,
            _ => false,
        }
    };
    Request {
        method: if method == "GET" { "GET" } else { "other" },
        path,
        keep_alive: version == "HTTP/1.1" && !lines.any(ends_connection),
    }
}

/// The response, and its code as a label.
fn answer(request: &Request) -> (&'static str, String) {
    let (code, text) = match (request.method, request.path.as_deref()) {
        (_, None) => ("400", "Bad Request"),
        ("GET", Some("/ok")) => ("200", "OK"),
        ("GET", Some("/broken")) => ("500", "Internal Server Error"),
        ("GET", Some(_)) => ("404", "Not Found"),
        _ => ("405", "Method Not Allowed"),
    };
    let connection = if request.keep_alive { "keep-alive" } else { "close" };
    let (length, worker) = (text.len() + 1, std::process::id());
    let head = format!("HTTP/1.1 {code} {text}\r\nContent-Length: {length}\r\nConnection: {connection}");
    (code, format!("{head}\r\nWorker: {worker}\r\n\r\n{text}\n"))
}

/// What needs `unsafe`: fork, and waiting for signals.
#[allow(unsafe_code, reason = "fork and signal sets have no safe interface")]
mod process {
    use std::io;

    use rustix::process::Pid;

    /// Forks. `None` in the child.
    pub fn fork() -> io::Result<Option<Pid>> {
        // SAFETY: the parent has one other thread, the ticker of its segment. The child needs nothing of that thread: the C
        // library puts its allocator in order for the child, shmetrics does the same for itself in its at-fork handlers, and
        // standard output is used by this thread only, so its lock is free.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(Pid::from_raw(pid)),
        }
    }

    /// The signals that the parent waits for, and the mask it had before.
    pub struct Signals {
        waited: libc::sigset_t,
        before: libc::sigset_t,
    }

    impl Signals {
        /// Blocks SIGCHLD, SIGTERM and SIGINT: they stay pending until [`wait`](Self::wait).
        pub fn block() -> io::Result<Signals> {
            // SAFETY: a signal set is plain data; `sigemptyset` and `pthread_sigmask` fill both before they are read.
            unsafe {
                let mut signals: Signals = core::mem::zeroed();
                libc::sigemptyset(&raw mut signals.waited);
                for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT] {
                    libc::sigaddset(&raw mut signals.waited, signal);
                }
                let (waited, before) = (&raw const signals.waited, &raw mut signals.before);
                checked(libc::pthread_sigmask(libc::SIG_BLOCK, waited, before))?;
                Ok(signals)
            }
        }

        /// Waits for one of them.
        pub fn wait(&self) -> io::Result<libc::c_int> {
            let mut signal = 0;
            // SAFETY: both are valid for the call.
            checked(unsafe { libc::sigwait(&raw const self.waited, &raw mut signal) })?;
            Ok(signal)
        }

        /// Takes the mask from before: for workers.
        pub fn restore(&self) -> io::Result<()> {
            let no_old = core::ptr::null_mut();
            // SAFETY: the set is valid for the call; no old mask is asked for.
            checked(unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, no_old) })
        }
    }

    fn checked(error: libc::c_int) -> io::Result<()> {
        match error {
            0 => Ok(()),
            _ => Err(io::Error::from_raw_os_error(error)),
        }
    }
}
