//! A quiet moment: nobody is alive, so every segment must say exactly what was done, and be sound.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use shmetrics::snapshot::Clocks;

use super::check::check_empty_windows;
use super::look::{Look, check_file};
use super::measure::{name, totals};
use super::stage;
use super::statistics::check_idle;
use super::storm::Storm;
use super::tally::Count;

/// Longer than all windows of the storm together.
const LATER_NS: u64 = 3_600_000_000_000;

/// Checks every segment that somebody used since the last quiet moment. `last`: none will be used again.
pub(super) fn check(storm: &mut Storm<'_>, last: bool) {
    storm.tally.count(Count::Quiet as usize).fetch_add(1, Relaxed);
    let public = stage::segment(&storm.stage.folder);
    for era in 0..storm.eras {
        let kept = stage::kept(&storm.stage.folder, era);
        if !kept.exists() {
            continue;
        }
        if let Err(what) = check_era(storm, era, &kept) {
            storm.complain(format!("era {era}, when nobody was alive: {what}"));
        }
        // Nobody comes back to what has lost its name.
        let is_over = !same_file(&kept, &public);
        if last || is_over {
            let _ = std::fs::remove_file(&kept);
            storm.tally.close_era(era);
        }
    }
}

fn check_era(storm: &Storm<'_>, era: usize, path: &Path) -> Result<(), String> {
    let opened = Look::open(path, storm.tally, true).map_err(|error| error.to_string())?;
    let Some(mut look) = opened.filter(|look| look.era == era) else {
        return Err("its file is not there any more".to_owned());
    };
    let (snapshot, between) = look.look()?;
    let alive = snapshot.processes.iter().filter(|process| process.alive).count();
    if alive > 0 {
        return Err(format!("{alive} processes are told to be alive"));
    }
    check_idle(snapshot)?;
    storm.tally.set_base(era, &between.narrowed(snapshot));
    look.look_at_all_events()?;
    let mut later = Clocks::read();
    later.monotonic_ns += LATER_NS;
    look.reader.as_of(Some(later));
    let (snapshot, _) = look.look()?;
    check_empty_windows(snapshot)?;
    let live = totals(snapshot);
    // All epochs of it are closed: a cut has everything.
    let cut = totals(&look.reader.cut().map_err(|error| error.to_string())?);
    for (measure, (live, cut)) in live.into_iter().zip(cut).enumerate() {
        if live != cut {
            return Err(format!("{}: {live:?}, but {cut:?} in a cut", name(measure)));
        }
    }
    check_file(path, storm.tally)
}

fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = |path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    file(one).is_some() && file(one) == file(other)
}
