//! `serve`: segments over HTTP, for Prometheus, for scripts, and for whoever asks whether all is well.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::cli::Serve;
use crate::exit::{Failure, THREADS, io_failure};
use crate::serve::routes::Routes;
use crate::serve::{connections, listen, notify};
use crate::signals::Stop;
use crate::terminal;

/// A server that hangs although it was told to stop ends so long after; what it runs has five seconds.
const GRACE: Duration = Duration::from_secs(8);

pub(crate) fn run(flags: &Serve) -> Result<(), Failure> {
    let routes = Routes::new(flags)?;
    // Before any thread: it changes the environment.
    let listeners = if flags.systemd_socket {
        listen::systemd()?
    } else {
        listen::addresses(&flags.listen_addresses)?
    };
    raise_descriptors(u64::from(flags.max_connections));
    let stop = Stop::install(Some(GRACE))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let runtime = runtime.map_err(|error| {
        io_failure(
            "start to serve",
            &error,
            "raise the limit of descriptors (ulimit -n)",
        )
    })?;
    let stopped = notified(&stop)?;
    LocalSet::new().block_on(&runtime, async {
        let mut open = Vec::new();
        for listener in listeners {
            open.push(adopt(listener)?);
        }
        notify::tell("READY=1");
        connections::serve(open, usize::from(flags.max_connections), routes, stopped).await;
        notify::tell("STOPPING=1");
        Ok(())
    })
}

/// Lets this process have a descriptor for each connection and each segment, if it may.
fn raise_descriptors(connections: u64) {
    /// For segments, folders and `/proc` while they are read, and what every process has.
    const OTHERS: u64 = 256;
    let needed = connections + OTHERS;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |most| most.min(needed)));
        // Without them fewer connections are open at one time.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// A listener of the runtime. Says where it listens: the port may have been any.
fn adopt(listener: TcpListener) -> Result<tokio::net::TcpListener, Failure> {
    let adopted = listener.local_addr().and_then(|address| {
        listener.set_nonblocking(true)?;
        Ok((address, tokio::net::TcpListener::from_std(listener)?))
    });
    let (address, listener) =
        adopted.map_err(|error| io_failure("listen", &error, "check the sockets that were passed"))?;
    terminal::say(&format!("shmetrics: listening on http://{address}/"));
    Ok(listener)
}

/// Is notified when it is time to stop.
fn notified(stop: &Stop) -> Result<Arc<Notify>, Failure> {
    let stopped = Arc::new(Notify::new());
    let (notify, stop) = (Arc::clone(&stopped), stop.clone());
    let thread = std::thread::Builder::new()
        .name("stop".to_owned())
        .spawn(move || {
            // As good as for ever; then again.
            while !stop.wait(Duration::from_secs(3600)) {}
            notify.notify_one();
        });
    thread.map_err(|error| io_failure("start a thread", &error, THREADS))?;
    Ok(stopped)
}
