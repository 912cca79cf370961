//! Setters that are killed at full rate.

use std::sync::atomic::Ordering::{Acquire, Release};

use shmetrics::verify::{self, Severity};
use shmetrics::{Reader, Segment};

use super::support::*;
use super::text;

/// Kills of one worker alone, and of some of several.
const KILLS: usize = 150;
const WORKERS: usize = 3;
/// Of each worker: the turns that it began and ended.
const BEGUN: usize = 0;
const DONE: usize = 1;
const WORDS: usize = 2;

/// A text that says what it is: of which worker, of which turn, how long, and whether all of it is there.
pub fn checked(worker: usize, turn: u64) -> String {
    let filler = char::from(b'a' + (turn % 26) as u8).to_string();
    let body = filler.repeat((turn * 7 % 180) as usize);
    format!("{worker} {turn} {body}{}", turn % 10)
}

/// Worker and turn of a text, which must be whole.
#[track_caller]
pub fn check(text: &str) -> (usize, u64) {
    let mut parts = text.split(' ');
    let (worker, turn) = (parts.next(), parts.next());
    let numbers = worker
        .zip(turn)
        .map(|(worker, turn)| (worker.parse(), turn.parse()));
    let Some((Ok(worker), Ok(turn))) = numbers else {
        panic!("half a text: {text:?}");
    };
    assert_eq!(text, checked(worker, turn), "half a text");
    (worker, turn)
}

/// Sets texts until it is killed.
fn worker(path: &std::path::Path, tally: &SharedWords, number: usize) -> i32 {
    let segment = Segment::options().open_at(path).unwrap();
    let phase = segment.text("phase").register().unwrap();
    let word = |which: usize| tally.word(WORDS * number + which);
    let mut turn = word(BEGUN).load(Acquire);
    loop {
        turn += 1;
        word(BEGUN).store(turn, Release);
        assert!(phase.set(&checked(number, turn)));
        word(DONE).store(turn, Release);
    }
}

fn kill(pid: libc::pid_t) {
    // SAFETY: a child of this test that it has not waited for.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    assert_eq!(wait(pid), -libc::SIGKILL);
}

#[test]
fn killed_setters_leave_whole_texts_and_lose_no_slot() {
    let _alone = alone();
    let scratch = Scratch::new("texts-kills");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let phase = segment.text("phase").register().unwrap();
    let tally = SharedWords::open(&scratch.path("tally"), WORDS * WORKERS);
    let spawn = |number: usize| fork(|| worker(&path, &tally, number));
    let word = |number: usize, which: usize| tally.word(WORDS * number + which).load(Acquire);
    let turns = |number: usize, more: u64| {
        let before = word(number, DONE);
        poll("a worker to set texts", || {
            (word(number, DONE) >= before + more).then_some(())
        });
    };
    let mut reader = Reader::open_path(&path).unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % below
    };

    // One alone: the last text that it set stands, or the one that it was setting.
    for _ in 0..KILLS {
        let pid = spawn(0);
        turns(0, 1 + draw(50) as u64);
        for _ in 0..draw(3000) {
            std::hint::spin_loop();
        }
        kill(pid);
        let shown = text(&reader.snapshot().unwrap(), "phase");
        let (who, turn) = check(shown.text().expect("the text of the dead"));
        let (begun, done) = (word(0, BEGUN), word(0, DONE));
        assert!(
            who == 0 && (done..=begun).contains(&turn),
            "{turn} of {done} to {begun}"
        );
        assert_eq!(shown.refused, 0);
    }

    // Several, under the eyes of a reader.
    let mut pids: Vec<_> = (0..WORKERS).map(spawn).collect();
    for _ in 0..KILLS {
        let who = draw(WORKERS);
        turns(who, 1 + draw(20) as u64);
        for _ in 0..draw(20) {
            let shown = text(&reader.snapshot().unwrap(), "phase");
            assert!(!shown.unreadable, "{shown:?}");
            check(shown.text().expect("a text is always set"));
        }
        kill(pids[who]);
        pids[who] = spawn(who);
    }
    pids.into_iter().for_each(kill);
    // What they left is free for who comes next.
    for turn in 0..100 {
        assert!(phase.set(&checked(7, turn)), "no slot is left");
        assert_eq!(phase.read(), Some(checked(7, turn)));
    }
    let shown = text(&reader.snapshot().unwrap(), "phase");
    assert_eq!((shown.text(), shown.refused), (Some(&*checked(7, 99)), 0));
    let report = verify::verify(&path).unwrap();
    let is_error = |finding: &&verify::Finding| finding.severity != Severity::Note;
    assert_eq!(report.findings.iter().find(is_error), None);
}
