//! A folder of its own per test, and the binary run in it, with a deadline.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use shmetrics::{Preset, Segment};

/// Far more than anything here takes, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A folder in memory, removed at the end with all that is in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("shmetrics-cli-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// The binary, with this folder as the place of names and nothing of ours in its environment.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shmetrics"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SHMETRICS_") {
                command.env_remove(name);
            }
        }
        for name in ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.env("SHMETRICS_DIR", &self.0).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ended {
        finish(self.command(arguments))
    }

    /// Runs it, wants success, and parses what it printed.
    pub fn json<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Json {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
    }

    /// A small segment, held by this process.
    pub fn segment(&self, name: &str) -> Segment {
        Segment::options()
            .preset(Preset::Compact)
            .role("tester")
            .create_at(self.path(name))
            .unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    // Read beside, so that no pipe fills up.
    let (stdout, stderr) = (running.0.stdout.take().unwrap(), running.0.stderr.take().unwrap());
    let (stdout, stderr) = (
        std::thread::spawn(move || text(stdout)),
        std::thread::spawn(move || text(stderr)),
    );
    let code = running.code();
    Ended {
        code,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

pub fn text(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A child that does not outlive its test.
pub struct Running(pub Child);

impl Running {
    /// Its exit code, when it has ended.
    pub fn code(&mut self) -> i32 {
        let mut code = None;
        wait_for("the command to end", || {
            let status = self.0.try_wait().unwrap();
            code = status.map(|status| status.code().unwrap_or_else(|| panic!("{status}")));
            status.is_some()
        });
        code.unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines as they come.
pub struct Lines(Mutex<Receiver<String>>);

impl Lines {
    pub fn of(from: impl Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Lines(Mutex::new(receiver))
    }

    pub fn next(&self) -> String {
        self.0
            .lock()
            .unwrap()
            .recv_timeout(DEADLINE)
            .expect("another line")
    }

    /// Did nothing more come before the end?
    pub fn is_over(&self) -> bool {
        self.0.lock().unwrap().recv_timeout(DEADLINE) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Looks again and again.
pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < DEADLINE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The series of this name in a snapshot.
pub fn series<'a>(snapshot: &'a Json, name: &str) -> &'a Json {
    let all = snapshot["series"].as_array().unwrap();
    all.iter()
        .find(|series| series["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {snapshot}"))
}

/// The names of all series.
pub fn names(snapshot: &Json) -> Vec<&str> {
    snapshot["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|series| series["name"].as_str().unwrap())
        .collect()
}

/// Exit code 2, nothing on stdout, one line on stderr.
pub fn assert_refused(ended: &Ended, says: &str) {
    assert_eq!(ended.code, 2, "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(ended.stderr.starts_with("shmetrics: "), "{ended:?}");
    assert!(
        ended.stderr.ends_with('\n') && ended.stderr.matches('\n').count() == 1,
        "{ended:?}"
    );
    assert!(ended.stderr.contains(says), "{says}: {ended:?}");
}

/// Runs a command with a terminal as its standard output: what it wrote there.
#[allow(unsafe_code)]
pub fn on_a_terminal(mut command: Command) -> String {
    use std::os::fd::FromRawFd;
    let (mut ours, mut its) = (-1, -1);
    // SAFETY: both point to live integers; names and sizes may be null.
    let made = unsafe {
        let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        libc::openpty(&raw mut ours, &raw mut its, name, settings, size)
    };
    assert_eq!(made, 0);
    // SAFETY: openpty has just made them, for us alone.
    let (mut ours, its) = unsafe { (File::from_raw_fd(ours), File::from_raw_fd(its)) };
    command.stdout(Stdio::from(its)).stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    // The command holds the terminal's side, too.
    drop(command);
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // Linux ends with EIO when the last one has closed the other side.
        let _ = ours.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    });
    assert_eq!(running.code(), 0);
    reader.join().unwrap()
}
