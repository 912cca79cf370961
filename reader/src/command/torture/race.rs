//! A race: two to sixteen processes create one name at once, some of them are killed, and all who come through have the same segment.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use shmetrics::verify::{Severity, verify};
use shmetrics::{Reader, Value};

use super::hands::Hands;
use super::measure::{EVENTS, NAMES};
use super::plan::Capacity;
use super::stage;
use super::system::fork;
use super::worker::complain;
use crate::cli::TortureWorker;
use crate::storm::random::Random;

/// What each creator counts.
const EACH: u64 = 1000;

pub(super) fn run(flags: &TortureWorker, random: &mut Random) {
    let creators = 2 + random.below(15);
    let name = stage::race_name(flags.parent, flags.number);
    let in_memory = random.below(2) == 0;
    let (place, path) = if in_memory {
        (format!("shm:{name}"), Path::new("/dev/shm").join(&name))
    } else {
        let path = flags.folder.join(&name);
        (path.display().to_string(), path)
    };
    // One of them dies at any moment of it.
    let kills = random.below(2) == 0;
    let victim = random.below(creators);
    let life = Duration::from_micros(random.below(3000));

    // The gate: it opens when nobody holds its other side any more.
    let Ok((mut gate, other_side)) = std::io::pipe() else {
        return;
    };
    let mut other_side = Some(other_side);
    let children: Vec<Option<Pid>> = (0..creators)
        .map(|_| {
            let work = || {
                drop(other_side.take());
                let _ = gate.read(&mut [0]);
                i32::from(create(&place).inspect_err(|what| complain(what)).is_err())
            };
            fork(work).ok()
        })
        .collect();
    drop(other_side);
    if kills {
        std::thread::sleep(life);
        if let Some(pid) = children[victim as usize] {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let (mut through, mut killed) = (0, 0);
    for (creator, child) in children.iter().enumerate() {
        let Some(pid) = child else { continue };
        match wait(*pid) {
            Some(0) => through += 1,
            None if kills && creator as u64 == victim => killed = 1,
            ended => complain(&format!("a creator of {place} ended with {ended:?}")),
        }
    }
    if let Err(what) = judge(&path, through, through + killed) {
        complain(&format!("a race of {creators} creators for {place}: {what}"));
    }
    let _ = std::fs::remove_file(&path);
}

fn create(place: &str) -> Result<(), String> {
    let segment = stage::options(Capacity::AMPLE)
        .role("creator")
        .open_or_create(place);
    let segment = segment.map_err(|error| format!("a creator: {error}"))?;
    let hands = Hands::register(&segment).map_err(|error| format!("a creator: {error}"))?;
    for _ in 0..EACH {
        hands.events.inc();
    }
    Ok(())
}

/// Everybody counted into one segment, and it is sound.
fn judge(path: &Path, least: u64, most: u64) -> Result<(), String> {
    if most > 0 && least == 0 && !path.exists() {
        return Ok(());
    }
    let counted = match Reader::open_path(path).map(|mut reader| reader.snapshot()) {
        Ok(Ok(snapshot)) => match snapshot.find(NAMES[EVENTS], &[]).map(|series| &series.value) {
            Some(Value::CounterU64(value)) => *value,
            _ => 0,
        },
        Ok(Err(error)) => return Err(error.to_string()),
        // The only one who came that far may have died before it was published.
        Err(error) if least > 0 => return Err(error.to_string()),
        Err(_) => return Ok(()),
    };
    if !(least * EACH..=most * EACH).contains(&counted) {
        return Err(format!("{counted} counted, {least} to {most} creators × {EACH}"));
    }
    let report = verify(path).map_err(|error| error.to_string())?;
    let error = report
        .findings
        .iter()
        .find(|finding| finding.severity == Severity::Error);
    error.map_or(Ok(()), |finding| Err(format!("verify: {finding}")))
}

/// The exit code; `None` if it was killed.
fn wait(pid: Pid) -> Option<i32> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return status.exit_status(),
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}
