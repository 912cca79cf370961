//! `pipe`: values through named pipes, for `cat`, and for programs that can read a file and nothing else.
//!
//! One thread waits for somebody to open a pipe, and does nothing else that takes long: a reader that does not read holds up nobody.

mod dump;
mod fifo;
mod folder;

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::fifo::Answer;
use self::folder::Folder;
use crate::cli::Pipe;
use crate::exit::{Failure, io_failure};
use crate::serve::places::Places;
use crate::serve::segments::Segments;
use crate::signals::Stop;
use crate::{discover, terminal};

/// How often processes are looked for, and whether it is time to stop.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// What a reader has not taken by then it does not get.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// Most answers that wait for their readers; more make the oldest go.
const MOST_ANSWERS: usize = 32;
/// If it is stuck nevertheless.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) fn run(flags: &Pipe) -> Result<(), Failure> {
    let path = discover::path_of(flags.path.as_deref())?;
    // A name that begins to lead elsewhere is followed.
    let place = flags.path.clone().unwrap_or_else(|| path.into_os_string());
    let mut segments = Segments::new(Places::one(&place)?, true);
    let stop = Stop::install(Some(GRACE))?;
    let mut folder = Folder::open(&flags.folder)?;
    let mut answers: Vec<Answer> = Vec::new();
    let mut due = Instant::now();
    let mut told = None;
    while !stop.wait(Duration::ZERO) {
        if Instant::now() >= due {
            segments.read();
            let snapshot = segments.iter().find_map(|segment| segment.snapshot());
            folder.keep(&dump::names(snapshot))?;
            tell_problem(&segments, &mut told);
            due = Instant::now() + LOOK_INTERVAL;
        }
        wait(&folder, &answers, due)?;
        // All first: from then on who opens them gets others.
        let opened = folder.take_opened()?;
        if !opened.is_empty() {
            segments.read();
            let snapshot = segments.iter().find_map(|segment| segment.snapshot());
            for (name, pipe) in opened {
                answers.push(pipe.answer(dump::text(snapshot, &name)));
            }
        }
        let now = Instant::now();
        answers.retain_mut(|answer| !answer.go_on() && now < answer.begun + READ_LIMIT);
        let surplus = answers.len().saturating_sub(MOST_ANSWERS);
        answers.drain(..surplus);
    }
    Ok(())
}

/// Says why there is nothing to tell, once: there may be later.
fn tell_problem(segments: &Segments, told: &mut Option<String>) {
    let problem = segments.iter().find_map(|segment| segment.problem.clone());
    let message = problem.map(|problem| problem.message);
    if let Some(message) = message.as_ref().filter(|message| told.as_ref() != Some(message)) {
        terminal::say(&format!("shmetrics: {message}"));
    }
    *told = message;
}

/// Until a pipe is opened, a reader takes more, or `due`.
fn wait(folder: &Folder, answers: &[Answer], due: Instant) -> Result<(), Failure> {
    let mut waits = vec![PollFd::from_borrowed_fd(folder.events(), PollFlags::IN)];
    waits.extend(
        answers
            .iter()
            .map(|answer| PollFd::from_borrowed_fd(answer.pipe(), PollFlags::OUT)),
    );
    let left = due.saturating_duration_since(Instant::now());
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(left.min(LOOK_INTERVAL).subsec_nanos()),
    };
    match poll(&mut waits, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(io_failure("wait for readers", &error.into(), "report this")),
    }
}
