//! What must hold at every stop: every series is what it was before the operation or what it is after it, exactly, and never goes back;
//! and whoever takes over from the bytes as they are counts on from there, without loss, in a segment that verifies.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::{Map, Value};
use shmetrics::error::OpenError;
use shmetrics::events::Since;
use shmetrics::layout::header::SLOTS_REGION_OFFSET;
use shmetrics::snapshot::{Clocks, Quality, Snapshot};
use shmetrics::verify::Severity;
use shmetrics::{Reader, verify};

use crate::operation::{self, Effect};
use crate::scene::{ADDS, DELIVERY, HELD, Handles};

/// All series of a snapshot by name and labels, as the JSON has them.
pub type Told = Map<String, Value>;

pub fn told(snapshot: &Snapshot) -> Told {
    let value = serde_json::to_value(snapshot).unwrap();
    let series = value["series"].as_array().cloned().unwrap_or_default();
    series
        .into_iter()
        .map(|series| {
            (
                format!(
                    "{}{}",
                    series["name"].as_str().unwrap_or_default(),
                    series["labels"]
                ),
                series,
            )
        })
        .collect()
}

/// A new reader's view as of these clocks; it knows nothing of what was before.
pub fn look(path: &Path, clocks: Clocks) -> Result<Told, OpenError> {
    let mut reader = Reader::open_path(path)?;
    reader.as_of(Some(clocks));
    let snapshot = reader.snapshot().map_err(|error| io_error(path, error))?;
    check_events(&mut reader, &snapshot)
        .and_then(|()| check_group(&snapshot))
        .map_err(|problem| io_error(path, io::Error::other(problem)))?;
    Ok(told(&snapshot))
}

/// The fields of the group are what its updates made them, unless the reader says that one may be there in part.
fn check_group(snapshot: &Snapshot) -> Result<(), String> {
    match snapshot.find("deliveries", &[]).map(|series| &series.value) {
        Some(shmetrics::Value::Group(group)) if group.quality == Quality::Exact => {
            let fields = group.fields.iter().map(|field| field.value);
            match fields.eq(DELIVERY.map(|amount| amount * group.updates)) {
                true => Ok(()),
                false => Err(format!("fields that do not fit each other: {group:?}")),
            }
        }
        _ => Ok(()),
    }
}

/// Every event that there is comes whole; what does not come is lost, and no more than a ring overwrites, and the one in flight.
fn check_events(reader: &mut Reader, snapshot: &Snapshot) -> Result<(), String> {
    let Some(totals) = snapshot.find("jobs", &[]).and_then(|series| match &series.value {
        shmetrics::Value::Events(totals) => Some(*totals),
        _ => None,
    }) else {
        return Ok(());
    };
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut cursor = reader.event_cursor(Since::Start).map_err(|error| text(&error))?;
    let batch = reader
        .events(&mut cursor, usize::MAX)
        .map_err(|error| text(&error))?;
    for event in &batch.events {
        let one = event.whole("one");
        let is_whole = one == event.whole("two")
            && one == Some(event.timestamp_ns)
            && event.text("text") == one.map(|one| one.to_string()).as_deref();
        if !is_whole {
            return Err(format!("a torn event: {event:?}"));
        }
    }
    let came = batch.events.len() as u64;
    if came + batch.lost != totals.written || came + 1 < totals.held || came > totals.held {
        return Err(format!(
            "{came} events came, {} are lost, of {totals:?}",
            batch.lost
        ));
    }
    Ok(())
}

fn io_error(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::Io {
        operation: "read",
        path: path.to_owned(),
        source: io::Error::other(error),
    }
}

/// A series without what may already include a record in flight (SPEC.md 18), and without windows, which end with the clock.
fn settled(series: &Value) -> Value {
    let mut series = series.clone();
    if let Some(members) = series.as_object_mut() {
        for name in ["min", "max", "windows", "invalid"] {
            members.remove(name);
        }
        // Of what is in flight: what is not known while a key is being started, and what is counted after it.
        for name in [
            "age_seconds",
            "oldest_seconds",
            "unknown_ages",
            "forgotten",
            "entries",
        ] {
            members.remove(name);
        }
    }
    series
}

/// Compares a stop with the states before and after. `passed` are the series that are past the operation.
pub fn check_stop(
    now: &Told,
    before: &Told,
    after: &Told,
    most_error: u64,
    passed: &mut Vec<String>,
) -> Result<(), String> {
    for name in before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
    {
        let (was, is, will_be) = (before.get(name), now.get(name), after.get(name));
        if let Some(series) = is.filter(|series| error(series) > 0) {
            let counts = [was, will_be].map(|series| series.map(count));
            if error(series) > most_error || !counts.contains(&Some(count(series))) {
                return Err(format!("{name} is bounded: {series}"));
            }
            continue;
        }
        let same = |other: Option<&Value>| is.map(settled) == other.map(settled);
        if was.map(settled) == will_be.map(settled) {
            if !same(was) {
                return Err(format!("{name} does not take part and is {}", show(is)));
            }
        } else if same(will_be) {
            if !passed.contains(name) {
                passed.push(name.clone());
            }
        } else if !same(was) {
            return Err(format!(
                "{name} is {}, neither {} nor {}",
                show(is),
                show(was),
                show(will_be)
            ));
        } else if passed.contains(name) {
            return Err(format!("{name} went back to {}", show(is)));
        }
    }
    match now
        .keys()
        .find(|name| !before.contains_key(*name) && !after.contains_key(*name))
    {
        Some(name) => Err(format!("{name} appeared from nowhere")),
        None => Ok(()),
    }
}

/// All series that a reset changes are as before, or all are as after.
pub fn check_together(now: &Told, before: &Told, after: &Told) -> Result<(), String> {
    let changed = |name: &&String| before.get(*name).map(settled) != after.get(*name).map(settled);
    let (mut old, mut new) = (None, None);
    for name in before.keys().filter(changed) {
        let is_new = now.get(name).map(settled) == after.get(name).map(settled);
        *(if is_new { &mut new } else { &mut old }) = Some(name);
    }
    match (old, new) {
        (Some(old), Some(new)) => Err(format!("half of a reset: {new} is reset and {old} is not")),
        _ => Ok(()),
    }
}

/// Observations of a histogram, or updates of a group.
fn count(series: &Value) -> &Value {
    series.get("count").unwrap_or(&series["updates"])
}

/// By how much a series may be off.
fn error(series: &Value) -> u64 {
    if series["quality"] == "bounded" {
        series["error"].as_u64().unwrap_or(u64::MAX)
    } else {
        0
    }
}

fn show(series: Option<&Value>) -> String {
    match series {
        None => "absent".to_owned(),
        Some(series) => match ["value", "count", "in_flight", "text"]
            .iter()
            .find_map(|name| series.get(name))
        {
            Some(value) => value.to_string(),
            None => series.to_string(),
        },
    }
}

/// The numbers of a series: the value of a counter, number, gauge or time mark; the streak of a state; count and sum of a histogram; the
/// count of samples and of events; updates of a group, and the sum of its fields.
fn numbers(told: &Told, name: &str) -> Option<(f64, f64)> {
    let series = told.values().find(|series| series["name"] == name)?;
    if let Some(fields) = series["fields"].as_object() {
        let sum = fields.values().map(Value::as_f64).sum::<Option<f64>>()?;
        return Some((series["updates"].as_f64()?, sum));
    }
    match (
        series.get("count").or_else(|| series.get("written")),
        series.get("states"),
    ) {
        // Samples and events have no sum.
        (Some(count), _) if series.get("sum").is_none() => Some((count.as_f64()?, 0.0)),
        (Some(count), _) => Some((count.as_f64()?, series["sum"].as_f64()?)),
        (None, Some(states)) => Some((states[0]["streak"].as_f64()?, 0.0)),
        (None, None) => {
            let value = series.get("value").or_else(|| series.get("in_flight"))?;
            Some((value.as_f64()?, 0.0))
        }
    }
}

/// Has the series so much more than it had, exactly but for the last digits of sums?
fn check_added(
    before: &Told,
    after: &Told,
    name: &str,
    count: f64,
    sum: f64,
    most_error: u64,
) -> Result<(), String> {
    let was = numbers(before, name).unwrap_or_default();
    let Some(is) = numbers(after, name) else {
        return Err(format!("{name} is gone"));
    };
    let bounded = after
        .values()
        .chain(before.values())
        .filter(|series| series["name"] == name)
        .map(error)
        .max();
    if bounded.is_some_and(|error| error > most_error) {
        return Err(format!("{name} is bounded by {bounded:?}"));
    }
    let exact = bounded == Some(0);
    // A float counter is a difference once it was reset: its last digit may be another.
    let off = (is.0 - was.0 - count).abs();
    if off > if name == "float" { 1e-9 } else { 0.0 }
        || exact && (is.1 - was.1 - sum).abs() > 1e-9 * is.1.abs().max(1.0)
    {
        return Err(format!("{name}: {was:?} and ({count}, {sum}) more are {is:?}"));
    }
    Ok(())
}

/// What the operation has done, against what it is known to do.
pub fn check_effect(effect: Effect, before: &Told, after: &Told) -> Result<(), String> {
    match effect {
        Effect::None => Ok(()),
        Effect::Adds { name, count, sum } => check_added(before, after, name, count, sum, 0),
        Effect::Zeroes { names } => {
            match names.iter().find(|name| numbers(after, name) != Some((0.0, 0.0))) {
                Some(name) => Err(format!("{name} was reset and is {:?}", numbers(after, name))),
                None => Ok(()),
            }
        }
        Effect::Tells { name, text } => {
            let series = after.values().find(|series| series["name"] == name);
            match series.map(|series| series["text"].as_str()) {
                Some(is) if is == text => Ok(()),
                other => Err(format!("{name} was made {text:?} and is {other:?}")),
            }
        }
        Effect::Sets { name, value } => match numbers(after, name) {
            Some((is, _)) if is == value => Ok(()),
            other => Err(format!("{name} was set to {value} and is {other:?}")),
        },
    }
}

/// The bytes of the file where it has data, without touching its holes; ranges ascending.
pub fn data(file: &File) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let length = file.metadata()?.len();
    let mut found = Vec::new();
    let mut at = 0;
    while at < length {
        let Some(start) = seek(file, at, libc::SEEK_DATA)? else {
            break;
        };
        let end = seek(file, start, libc::SEEK_HOLE)?.unwrap_or(length).min(length);
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        found.push((start, bytes));
        at = end;
    }
    Ok(found)
}

fn seek(file: &File, from: u64, whence: i32) -> io::Result<Option<u64>> {
    crate::tracee::seek(file, from, whence)
}

/// As if the writer had died here: the bytes in a file of their own. The head is allocated, as in any segment; a file system that was
/// asked for storage, but never written to there, says that it is a hole.
pub fn copy(data: &[(u64, Vec<u8>)], length: u64, path: &Path) -> io::Result<()> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.set_len(length)?;
    if let Some((0, head)) = data.first()
        && let Some(word) = head
            .get(SLOTS_REGION_OFFSET as usize..)
            .and_then(|bytes| bytes.first_chunk())
    {
        // 0 where the header was not written yet.
        let head = u64::from_ne_bytes(*word).min(length);
        if head > 0 {
            crate::tracee::allocate(&file, head)?;
        }
    }
    data.iter()
        .try_for_each(|(start, bytes)| file.write_all_at(bytes, *start))
}

/// Verifies a copy, takes over from it and counts on, and compares.
pub fn check_adoption(path: &Path, clocks: Clocks, most_error: u64) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let report = verify::verify(path).map_err(|error| text(&error))?;
    if let Some(finding) = report
        .findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
    {
        return Err(format!("left behind: {finding}"));
    }
    let before = look(path, clocks).map_err(|error| text(&error))?;
    let segment = operation::adopter().open_at(path).map_err(|error| text(&error))?;
    let handles = Handles::register(&segment).map_err(|error| text(&error))?;
    handles.use_all();
    segment.tick();
    handles.timed.record(1);
    // Whatever was left half of it: it can be set as often as one likes.
    for number in 0..20 {
        let text = format!("adopted {number}");
        if !handles.phase.set_at_ns(&text, number) || handles.phase.read().as_ref() != Some(&text) {
            return Err(format!("adopted: the text cannot be set to {text}"));
        }
    }
    // Whatever was left half of them: they are retries, and end.
    for key in HELD {
        let token = handles.working.start(key);
        if token.is_overflow() || !handles.working.finish(token) {
            return Err(format!("adopted: {key} cannot be started and ended"));
        }
    }
    let after = look(path, Clocks::read()).map_err(|error| text(&error))?;
    for (name, count, sum) in ADDS {
        // One more, after the tick.
        let (count, sum) = if name == "timed" {
            (count + 1.0, sum + 1e-9)
        } else {
            (count, sum)
        };
        check_added(&before, &after, name, count, sum, most_error)
            .map_err(|problem| format!("adopted: {problem}"))?;
    }
    drop((handles, segment));
    let report = verify::verify(path).map_err(|error| text(&error))?;
    match report
        .findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
    {
        Some(finding) => Err(format!("after the adoption: {finding}")),
        None => Ok(()),
    }
}
