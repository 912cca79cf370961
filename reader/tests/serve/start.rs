//! Starting: ports that are taken, sockets from systemd, and words that make no sense.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use super::client::*;
use super::support::*;

#[test]
fn a_busy_port_is_an_error_at_once() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = folder.run(&["serve", "app", "--web.listen-address", &address]);
    assert_refused(
        &ended,
        &format!("cannot listen on {address}: Address already in use"),
    );
    assert!(ended.stderr.contains("--web.listen-address"), "{ended:?}");
    // Also as one of several, and for every address of the machine.
    let arguments = [
        "serve",
        "app",
        "--web.listen-address=127.0.0.1:0",
        "--web.listen-address",
        &address,
    ];
    assert_refused(&folder.run(&arguments), "Address already in use");
    let everywhere = format!(":{}", taken.local_addr().unwrap().port());
    assert_refused(
        &folder.run(&["serve", "app", "--web.listen-address", &everywhere]),
        "Address already in use",
    );
}

#[test]
fn what_makes_no_sense_is_refused_on_one_line() {
    let folder = Folder::new();
    for (arguments, says) in [
        (&["serve", "--web.listen-address=nonsense"][..], "HOST:PORT"),
        (
            &["serve", "--web.listen-address=192.0.2.1:0"],
            "cannot listen on 192.0.2.1:0",
        ),
        (&["serve", "--web.telemetry-path=metrics"], "begins with a slash"),
        (
            &["serve", "--web.telemetry-path=/json"],
            "is the path of something else",
        ),
        (&["serve", "--web.max-connections=0"], "--web.max-connections"),
        (&["serve", "--histogram.bounds=some"], "--histogram.bounds"),
        (&["serve", "--web.systemd-socket"], "systemd passed no socket"),
        (&["serve", "a:b"], "is no segment name"),
    ] {
        assert_refused(&folder.run(arguments), says);
    }
}

#[test]
fn it_listens_on_several_addresses() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let mut server = Server::start(&folder, &["app", "--web.listen-address=127.0.0.1:0"]);
    let second = server.errors.next();
    let address = second
        .strip_prefix("shmetrics: listening on http://")
        .unwrap()
        .trim_end_matches('/')
        .parse()
        .unwrap();
    assert_ne!(address, server.address);
    assert_eq!(server.get("/-/ready").status, 200);
    server.address = address;
    assert_eq!(server.get("/-/ready").status, 200);
}

#[test]
fn the_environment_says_the_same_as_flags() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let mut command = folder.command(&["serve"]);
    command
        .env("SHMETRICS_PATH", folder.path("app"))
        .env("SHMETRICS_WEB_LISTEN_ADDRESS", "127.0.0.1:0,127.0.0.1:0")
        .env("SHMETRICS_WEB_TELEMETRY_PATH", "/m");
    let server = Server::run(command);
    assert!(server.errors.next().contains("listening"));
    assert_eq!(server.get("/m").status, 200);
    assert_eq!(
        server.samples_at("/m").value("shmetrics_up{segment=\"app\"}"),
        1.0
    );
}

/// The binary with a socket as its descriptor 3, as systemd starts it.
fn activated(folder: &Folder, socket: OwnedFd, pid: &str) -> Command {
    let inner = folder.command(&["serve", "app", "--web.systemd-socket"]);
    let mut command = Command::new("sh");
    // The variable must name the process that the shell becomes.
    let script = format!("LISTEN_PID={pid} LISTEN_FDS=1 exec \"$@\" 3<&0 0</dev/null");
    command
        .args(["-c", &script, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::from(socket));
    command
}

#[test]
fn sockets_come_from_systemd() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = Server::run(activated(&folder, socket.into(), "$$"));
    assert_eq!(server.address, address);
    assert_eq!(server.samples().value("shmetrics_up{segment=\"app\"}"), 1.0);
    // Meant for another process, or no socket that can be listened on.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_refused(
        &finish(activated(&folder, socket.into(), "1")),
        "systemd passed no socket",
    );
    let (datagrams, _) = UnixDatagram::pair().unwrap();
    assert_refused(
        &finish(activated(&folder, datagrams.into(), "$$")),
        "ListenStream=",
    );
}

#[test]
fn systemd_is_told_when_it_is_ready() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let place = folder.path("notify");
    let socket = UnixDatagram::bind(&place).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = folder.command(&["serve", "app", "--web.listen-address=127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &place);
    let mut server = Server::run(command);
    let mut bytes = [0; 64];
    let mut told = || {
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    assert_eq!(server.get("/-/ready").status, 200);
    server.running.signal(rustix::process::Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(server.running.code(), 0);
}
