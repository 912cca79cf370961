//! Addresses and sockets: what cannot be listened on is an error at once.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use listenfd::ListenFd;

use crate::exit::{Failure, io_failure};

/// Listens on all addresses. `:PORT` is every address of the machine.
pub(crate) fn addresses(addresses: &[String]) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for address in addresses {
        let opened = match address.strip_prefix(':') {
            Some(port) => everywhere(port.parse().unwrap_or_default()).map(|listener| vec![listener]),
            None => named(address),
        };
        listeners.extend(opened.map_err(|error| failure(address, &error))?);
    }
    Ok(listeners)
}

fn failure(address: &str, error: &Error) -> Failure {
    let cure = match error.kind() {
        ErrorKind::AddrInUse => {
            "end the program that listens there, or choose another with --web.listen-address"
        }
        ErrorKind::PermissionDenied => "choose a port from 1024 on with --web.listen-address",
        _ => "choose an address of this machine with --web.listen-address",
    };
    io_failure(&format!("listen on {address}"), error, cure)
}

fn everywhere(port: u16) -> Result<TcpListener, Error> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        // Both families, unless the machine has only one.
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        }
        listener => listener,
    }
}

/// On every address that the name has, and this machine.
fn named(address: &str) -> Result<Vec<TcpListener>, Error> {
    let (mut listeners, mut last) = (Vec::new(), None);
    let mut resolved: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    resolved.dedup();
    for address in resolved {
        match TcpListener::bind(address) {
            Ok(listener) => listeners.push(listener),
            // Not one of ours: a name like localhost may have addresses of a family that this machine does not use.
            Err(error)
                if error.kind() == ErrorKind::AddrNotAvailable
                    || error.raw_os_error() == Some(libc::EAFNOSUPPORT) =>
            {
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match (listeners.is_empty(), last) {
        (false, _) => Ok(listeners),
        (true, Some(error)) => Err(error),
        (true, None) => Err(Error::new(ErrorKind::AddrNotAvailable, "the name has no address")),
    }
}

/// The sockets that systemd opened for this process (sd_listen_fds(3)). Call it before any thread is started: it clears the
/// variables, so that no child takes them for its own.
pub(crate) fn systemd() -> Result<Vec<TcpListener>, Failure> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..sockets.len() {
        match sockets.take_tcp_listener(index) {
            Ok(listener) => listeners.extend(listener),
            Err(error) => {
                let doing = format!("use socket {index} of systemd");
                return Err(io_failure(
                    &doing,
                    &error,
                    "give the socket unit ListenStream= with a TCP port",
                ));
            }
        }
    }
    if listeners.is_empty() {
        let message = "systemd passed no socket (LISTEN_FDS); start it through a socket unit, or leave out --web.systemd-socket";
        return Err(Failure::Input(message.to_owned()));
    }
    Ok(listeners)
}
