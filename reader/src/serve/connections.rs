//! Connections: how many, how long, and the clean end.
//!
//! A client may be slow, silent or malicious; none of that may keep others from an answer. Each connection has one time limit for
//! what it is at, looked at a few times a second, and when there are too many the one that idles longest makes room.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use super::routes::{Load, Routes};

/// From the first byte of a request, or the start of the connection, until all of its head is there.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The same, once the server is about to stop.
const HEAD_LIMIT_WHILE_STOPPING: Duration = Duration::from_millis(500);
/// From one request to the next. Longer than the usual scrape interval of a minute, so that connections are used again.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// Until an answer is read to its end. Scrapers give up after ten seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How often limits are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// What runs may go on for so long after the server was told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Until a client closes a connection that the server has closed.
const LINGER_LIMIT: Duration = Duration::from_secs(5);
/// Longest head of a request, with its first line.
const HEAD_LENGTH: usize = 16 << 10;
/// Most header fields.
const MOST_FIELDS: usize = 64;
/// Before the next attempt when no connection can be accepted: descriptors or memory are short.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing came yet, or a part of a request's head.
    Head,
    /// Its last request was answered; the answer may not be read yet.
    Answered,
}

/// What a connection is at, and since when.
#[derive(Debug)]
struct Activity {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// The client takes no more bytes for now.
    is_blocked: Cell<bool>,
}

impl Activity {
    fn new() -> Activity {
        Activity {
            phase: Cell::new(Phase::Head),
            since: Cell::new(Instant::now()),
            is_blocked: Cell::new(false),
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    fn limit(&self, is_stopping: bool) -> Duration {
        match (self.phase.get(), self.is_blocked.get()) {
            (_, true) => ANSWER_LIMIT,
            (Phase::Head, _) if is_stopping => HEAD_LIMIT_WHILE_STOPPING,
            (Phase::Head, _) => HEAD_LIMIT,
            (Phase::Answered, _) => IDLE_LIMIT,
        }
    }
}

/// A stream that notes what happens on it.
struct Observed {
    /// Shared with who closes it properly in the end.
    stream: Rc<RefCell<TcpStream>>,
    activity: Rc<Activity>,
}

impl AsyncRead for Observed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buffer);
        let is_new = self.activity.phase.get() == Phase::Answered && !self.activity.is_blocked.get();
        if buffer.filled().len() > before && is_new {
            self.activity.enter(Phase::Head);
        }
        read
    }
}

impl AsyncWrite for Observed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes);
        self.activity.is_blocked.set(written.is_pending());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, bytes);
        self.activity.is_blocked.set(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }
}

/// An open connection.
struct Entry {
    activity: Rc<Activity>,
    task: AbortHandle,
}

/// All that are open.
struct Table {
    entries: RefCell<HashMap<u64, Entry>>,
    most: usize,
    next: Cell<u64>,
    displaced: Cell<u64>,
    /// Somebody came.
    changed: Notify,
    is_stopping: Cell<bool>,
    graceful: RefCell<Option<GracefulShutdown>>,
    routes: RefCell<Routes>,
}

impl Table {
    /// Closes the connection that idles longest, or if none idles the one that reads longest.
    fn displace(&self) {
        let mut entries = self.entries.borrow_mut();
        let oldest = entries
            .iter()
            .min_by_key(|(_, entry)| (entry.activity.is_blocked.get(), entry.activity.since.get()))
            .map(|(&number, _)| number);
        if let Some(entry) = oldest.and_then(|number| entries.remove(&number)) {
            entry.task.abort();
            self.displaced.set(self.displaced.get() + 1);
        }
    }

    fn load(&self) -> Load {
        Load {
            connections: self.entries.borrow().len() as u64,
            connections_displaced: self.displaced.get(),
        }
    }

    fn open(self: &Rc<Self>, stream: TcpStream) {
        let Some(watcher) = self.graceful.borrow().as_ref().map(GracefulShutdown::watcher) else {
            return;
        };
        while self.entries.borrow().len() >= self.most {
            self.displace();
        }
        let number = self.next.replace(self.next.get() + 1);
        let activity = Rc::new(Activity::new());
        let table = Rc::clone(self);
        let task = spawn_local({
            let activity = Rc::clone(&activity);
            async move {
                // Not earlier: aborted before it was ever run, it is taken off by whoever aborts it.
                let _entry = Listed {
                    table: &table,
                    number,
                };
                run(&table, stream, activity, watcher).await;
            }
        });
        let entry = Entry {
            activity,
            task: task.abort_handle(),
        };
        self.entries.borrow_mut().insert(number, entry);
        self.changed.notify_one();
    }

    /// Closes what is beyond its limit.
    fn look(&self) {
        let (now, is_stopping) = (Instant::now(), self.is_stopping.get());
        self.entries.borrow_mut().retain(|_, entry| {
            let time = now.saturating_duration_since(entry.activity.since.get());
            let is_within = time < entry.activity.limit(is_stopping);
            if !is_within {
                entry.task.abort();
            }
            is_within
        });
    }
}

/// Takes a connection off the table when it ends, however it does.
struct Listed<'a> {
    table: &'a Table,
    number: u64,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.table.entries.borrow_mut().remove(&self.number);
    }
}

async fn run(table: &Table, stream: TcpStream, activity: Rc<Activity>, watcher: Watcher) {
    // An answer is one piece: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let stream = Rc::new(RefCell::new(stream));
    let observed = Observed {
        stream: Rc::clone(&stream),
        activity: Rc::clone(&activity),
    };
    let service = service_fn(|request| {
        let response = table.routes.borrow_mut().answer(&request, table.load());
        activity.enter(Phase::Answered);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        // The limits of the table are stricter, and know more.
        .header_read_timeout(None)
        .max_header_size(HEAD_LENGTH)
        .max_buf_size(2 * HEAD_LENGTH)
        .max_headers(MOST_FIELDS)
        // Whoever has said all and closed its side waits for the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(observed), service);
    // Whatever a client does wrong concerns only its own connection; it was told if that was possible.
    let _ = watcher.watch(connection).await;
    if !table.is_stopping.get()
        && let Some(stream) = Rc::into_inner(stream)
    {
        linger(stream.into_inner()).await;
    }
}

/// Closes a connection: what the client still sends is read and thrown away until it closes, too. Else the kernel would reset it, as
/// something was not read, and the reset could overtake the answer that says what was wrong.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await?;
        let mut thrown_away = [0; 4096];
        loop {
            stream.readable().await?;
            match stream.try_read(&mut thrown_away) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    // Whether it closed, too, is its own affair.
    let _: Result<io::Result<()>, _> = tokio::time::timeout(LINGER_LIMIT, drain).await;
}

async fn accept(table: Rc<Table>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => table.open(stream),
            // The client is gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => {
                // Descriptors are short: one that idles has one.
                table.displace();
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

async fn look(table: Rc<Table>) {
    loop {
        if table.entries.borrow().is_empty() {
            table.changed.notified().await;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
        table.look();
    }
}

/// Serves until told to stop, then ends what runs. Needs a `LocalSet`.
pub(crate) async fn serve(listeners: Vec<TcpListener>, most: usize, routes: Routes, stop: Arc<Notify>) {
    let table = Rc::new(Table {
        entries: RefCell::default(),
        most,
        next: Cell::new(0),
        displaced: Cell::new(0),
        changed: Notify::new(),
        is_stopping: Cell::new(false),
        graceful: RefCell::new(Some(GracefulShutdown::new())),
        routes: RefCell::new(routes),
    });
    let looking = spawn_local(look(Rc::clone(&table)));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| spawn_local(accept(Rc::clone(&table), listener)))
        .collect();
    stop.notified().await;
    for task in accepting {
        task.abort();
        // Until it is gone the address is still taken.
        let _ = task.await;
    }
    table.routes.borrow_mut().stop();
    table.is_stopping.set(true);
    let graceful = table.graceful.borrow_mut().take();
    if let Some(graceful) = graceful {
        let _ = tokio::time::timeout(STOP_LIMIT, graceful.shutdown()).await;
    }
    looking.abort();
}
