//! Children of a worker: made in every way there is, while the worker's other threads operate. All of them count.

use std::io;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, set_parent_process_death_signal, waitpid,
};

use super::hands::{Act, Hands, Lie, With};
use super::kind::Kind;
use super::statistics::Writer;
use super::system::{become_nobody, close_all, fork, new_pid_namespace, raw_clone};
use super::tally::{Count, Seat, Tally};
use super::worker::{self, complain};
use crate::cli::TortureWorker;
use crate::storm::process::own_program;
use crate::storm::random::Random;

/// Operations of a child, at most: it ends by itself before long, whoever waits for it or not.
const MOST_OPERATIONS: u64 = 3000;
/// A child that shall be killed is, within this time, if it has not ended.
const LONGEST_LIFE_US: u64 = 3000;

/// What a child inherits.
#[derive(Clone, Copy)]
pub(super) struct Parent<'a> {
    pub(super) flags: &'a TortureWorker,
    pub(super) hands: &'a Hands,
    pub(super) seat: Seat<'a>,
    pub(super) tally: &'a Tally,
    pub(super) series: bool,
    /// Has it, or can it get, a slot for them?
    pub(super) gauges: bool,
}

/// How a child ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Exit,
    Abort,
    /// Its parent kills it.
    Killed,
}

/// Can a child do this?
pub(super) fn can(what: fn() -> io::Result<()>) -> bool {
    fork(|| i32::from(what().is_err())).is_ok_and(|pid| matches!(wait(pid), Ok(Ended::Exit(0))))
}

/// Makes a child of this kind, and waits for its end.
pub(super) fn make(kind: Kind, parent: &Parent<'_>, random: &mut Random) {
    let end = match random.below(8) {
        0 => End::Abort,
        1 | 2 => End::Killed,
        _ => End::Exit,
    };
    // What the child draws is its own.
    let mut own = Random::new(random.next());
    let life = Duration::from_micros(random.below(LONGEST_LIFE_US));
    let pid = getpid();
    let work = || {
        if kind != Kind::Namespace && !dies_with(pid) {
            return 0;
        }
        live(kind, parent, &mut own);
        if end == End::Abort {
            let _ = kill_process(getpid(), Signal::ABORT);
        }
        0
    };
    let made = if kind == Kind::Clone {
        raw_clone(work)
    } else {
        fork(work)
    };
    let child = match made {
        Ok(child) => child,
        // The machine is full: that is no fault of what is tried here.
        Err(_) => return std::thread::sleep(Duration::from_millis(1)),
    };
    parent.tally.count(kind as usize).fetch_add(1, Relaxed);
    parent.tally.count(Count::Children as usize).fetch_add(1, Relaxed);
    if end == End::Killed {
        std::thread::sleep(life);
        let _ = kill_process(child, Signal::KILL);
        parent
            .tally
            .count(Count::ChildrenKilled as usize)
            .fetch_add(1, Relaxed);
    }
    match wait(child) {
        Ok(Ended::Exit(0)) => {}
        Ok(Ended::Signal(signal)) if end == End::Killed && signal == Signal::KILL.as_raw() => {}
        Ok(Ended::Signal(signal)) if end == End::Abort && signal == Signal::ABORT.as_raw() => {}
        Ok(ended) => complain(&format!(
            "a child ({}, to end by {end:?}) ended with {ended:?}",
            kind.name()
        )),
        Err(error) => complain(&format!("cannot wait for a child: {error}")),
    }
}

/// What a child of this kind does.
fn live(kind: Kind, parent: &Parent<'_>, random: &mut Random) {
    match kind {
        Kind::Exec => {
            operate(parent, random, 50, true);
            become_another_program(parent, random);
        }
        Kind::Close => {
            operate(parent, random, 50, true);
            close_all();
            operate(parent, random, MOST_OPERATIONS, true);
        }
        // The heap may be locked for ever.
        Kind::Clone => operate(parent, random, MOST_OPERATIONS, false),
        Kind::Nobody => {
            // Some before their first operation, some after it.
            let before = random.below(2) * 50;
            let parent = &Parent {
                gauges: false,
                ..*parent
            };
            operate(parent, random, before, true);
            if become_nobody().is_ok() && dies_with_whoever() {
                operate(parent, random, MOST_OPERATIONS, true);
                grandchild(parent, random);
            }
        }
        Kind::Namespace => {
            if dies_with_whoever() && new_pid_namespace().is_ok() {
                operate(parent, random, 50, true);
                grandchild(parent, random);
            }
        }
        _ => {
            operate(parent, random, MOST_OPERATIONS, true);
            if random.below(4) == 0 {
                grandchild(parent, random);
            }
        }
    }
}

/// A child of the child, which counts, too.
fn grandchild(parent: &Parent<'_>, random: &mut Random) {
    let made = fork(|| {
        if dies_with_whoever() {
            operate(parent, random, MOST_OPERATIONS, true);
        }
        0
    });
    if let Ok(pid) = made {
        parent.tally.count(Count::Children as usize).fetch_add(1, Relaxed);
        match wait(pid) {
            Ok(Ended::Exit(0)) => {}
            other => complain(&format!("a child of a child ended with {other:?}")),
        }
    }
}

/// So many operations at most.
pub(super) fn operate(parent: &Parent<'_>, random: &mut Random, most: u64, may_allocate: bool) {
    let with = With {
        tally: parent.tally,
        bound: None,
        writer: &Writer::default(),
        blocks: None,
        lie: Lie::None,
    };
    let number = if most == 0 { 0 } else { random.below(most) };
    for _ in 0..number {
        let act = if may_allocate {
            Act::any(random, parent.series, parent.gauges)
        } else {
            Act::plain(random)
        };
        parent.hands.act(act, random, &parent.seat, &with);
    }
}

/// The child becomes a worker of few operations.
fn become_another_program(parent: &Parent<'_>, random: &mut Random) {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(own_program());
    let Some(own) = getppid() else {
        return;
    };
    let parent_pid = own.as_raw_nonzero().get().unsigned_abs();
    worker::arguments(&mut command, parent.flags, parent_pid);
    command.arg("--operations").arg(random.below(200).to_string());
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit());
    let error = command.exec();
    complain(&format!("cannot become another program: {error}"));
}

/// Ties this child to its parent, which may be gone by now.
fn dies_with(parent: Pid) -> bool {
    dies_with_whoever() && getppid() == Some(parent)
}

fn dies_with_whoever() -> bool {
    set_parent_process_death_signal(Some(Signal::KILL)).is_ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Exit(i32),
    Signal(i32),
}

fn wait(pid: Pid) -> io::Result<Ended> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                return Ok(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Ended::Exit(code),
                    (None, signal) => Ended::Signal(signal.unwrap_or_default()),
                });
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
