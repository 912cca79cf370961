//! Layer 9: the full check of a segment against SPEC.md, one finding per violation.
//!
//! [`Reader`](crate::Reader) refuses or skips what it cannot trust and goes on. This looks at everything a segment has: also at what
//! only writers use, and at what no reader would notice until a writer dies. It stores nothing, takes no lock, and touches only what
//! the marks cover, so that it may run on a segment at work.
//!
//! | file | subject |
//! |---|---|
//! | [`mod@self`] | what is asked, and how findings are confirmed |
//! | `report` | what is told: findings, their severity and place; `findings`: as they are made |
//! | `opened` | a file that may be a segment, mapped read-only as far as its header is valid |
//! | `storage` | which ranges of the file have storage (S-2) |
//! | `pass` | what every check uses: words, storage, findings |
//! | `header` | V-1 to V-12, the mutable words |
//! | `records`, `contents`, `declared` | V-20 to V-30, claims, keys; what is declared |
//! | `index` | the places of the index |
//! | `text` | ranges of the text region |
//! | `cells` | overlaps, placement words |
//! | `owners` | who is alive |
//! | `directories` | process and lane entries |
//! | `errors` | V-31, the error log |
//! | `lanes` | bitmaps and counters of lanes, counters of the shared lane |
//! | `resets` | reset tables |
//! | `gauges` | gauge cells |
//! | `blocks`, `copies`, `shared` | histograms: live, sealed and ring copies, in the shared lane |
//! | `events` | rings of events |
//! | `texts` | texts that are replaced as a whole |
//! | `in_flight` | tables of what is in flight |
//! | `states` | what these have in common: range, extremes, sum, padding |
//!
//! **What is not checked**, because any number may stand there: values of counters and gauges but for floats that cannot be, sums of
//! whole numbers, `invalid`, stamps but for the greatest, loss counters, the ticker, times, pids, how often an error was logged; baselines but for their marks and
//! counts; what a reset table that is not in force holds; whether what is subtracted is more than there is; the copy of a latch that is not the newest, and slots of a ring that no reader takes, but for reserved space; text that no
//! published record names; records that are neither published nor ready, but for their claims.
//!
//! **No false alarm on a segment at work.** Two things see to that. Each check holds for every state that a writer which stops
//! between two instructions leaves (SPEC.md section 11), and loads the words it compares in an order in which one that was loaded
//! late can only be further on. What is left are reads that a writer overtook, or that another processor's stores reached out of
//! order: so a pass that finds errors or warnings is made again, and only what every pass finds of the same kind at the same place is
//! told.

mod blocks;
mod cells;
mod contents;
mod copies;
mod declared;
mod directories;
mod errors;
mod events;
mod findings;
mod gauges;
mod group;
mod header;
mod in_flight;
mod index;
mod lanes;
pub(crate) mod opened;
mod owners;
mod pass;
mod records;
mod report;
mod resets;
mod samples;
mod shared;
mod states;
mod storage;
mod text;
mod texts;

use std::path::Path;

use self::findings::Findings;
use self::opened::Opened;
use self::pass::Pass;
use self::storage::Storage;
use crate::error::OpenError;
use crate::layout::geometry::Geometry;
use crate::map::Mapping;

pub use self::report::{Checked, Finding, Place, Report, Severity};

/// Passes that must agree on an error or a warning. Two would do for words that stand still; a writer that happens to be at the same
/// step of the same operation at two looks is not rare on a busy machine, at four it is.
const PASSES: usize = 4;

/// Checks the segment in the file at `path` against SPEC.md, whether or not it is at work.
///
/// A file that is no valid segment is not an error of this function but a finding of rule V-1 to V-11, and
/// [`Report::refused`] is set: nothing beyond the header was looked at then.
///
/// What a death leaves for the next owner to mend is a [`Severity::Note`]; so are facts, such as that the segment is retired, and that
/// a part was not judged because writers overtook every attempt to read it.
///
/// Who writes is known by locks, which a copy does not have: in a copy nobody is alive, and it is judged as the dead would have left
/// it. One that was made while writers were at work is of no single moment, and may be told to be damaged: check the segment itself,
/// or copy it when its writers are stopped or gone.
///
/// # Errors
///
/// The file cannot be read at all: it is not there, is no regular file, may not be read, or is on a file system on which mappings
/// are not shared memory. Or it was truncated meanwhile (where [`crate::sigbus`] guards; else that can be the end of the process).
///
/// # Cost
///
/// Reads every committed byte a few times, more often only what writers overtake; all of that up to three times more if it finds
/// something. A few system calls per lane, slot and histogram. Memory in proportion to the records, their texts, and the longest
/// histogram; the same damage in many records does not multiply the work, because only one series has a cell (V-30).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-verify-{}", std::process::id()));
/// use shmetrics::verify::{Severity, verify};
/// let segment = shmetrics::Segment::options().open_or_create_at(&path)?;
/// segment.counter("events_total").register()?.inc();
///
/// let report = verify(&path)?;
/// assert!(!report.refused);
/// assert_eq!((report.checked.records, report.checked.lanes), (2, 1));
/// for finding in report.findings.iter().filter(|finding| finding.severity == Severity::Error) {
///     println!("{finding}");
/// }
/// # assert_eq!(report.count(Severity::Error), 0);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
pub fn verify(path: &Path) -> Result<Report, OpenError> {
    let opened = Opened::open(path)?;
    let mut findings = Findings::default();
    header::immutable(&opened, &mut findings);
    let Some((geometry, mapping)) = opened.mapped() else {
        return Ok(findings.into_report(Checked::default(), true));
    };
    let mut storage = Storage::new(&opened);
    // Before anything of the head is loaded: that may allocate what is missing.
    storage::head(&mut storage, geometry, &mut findings);
    let (mut body, mut checked) = pass(&opened, geometry, mapping, &mut storage);
    for _ in 1..PASSES {
        if !body.has_suspicions() {
            break;
        }
        std::thread::yield_now();
        let (again, checked_again) = pass(&opened, geometry, mapping, &mut storage);
        body = again.confirmed_by(&body);
        checked = checked_again;
    }
    opened.ensure_whole()?;
    findings.append(body);
    Ok(findings.into_report(checked, false))
}

fn pass(
    opened: &Opened,
    geometry: &Geometry,
    mapping: &Mapping,
    storage: &mut Storage<'_>,
) -> (Findings, Checked) {
    let mut pass = Pass::new(opened, geometry, mapping, storage);
    header::mutable(&mut pass);
    let declared = records::check(&mut pass);
    text::check(&mut pass, &declared);
    cells::check(&mut pass, &declared);
    directories::slots(&mut pass);
    errors::check(&mut pass);
    resets::check(&mut pass, &declared);
    gauges::check(&mut pass, &declared);
    shared::check(&mut pass, &declared);
    for lane in directories::lanes(&mut pass) {
        lanes::check(&mut pass, &lane, &declared);
    }
    storage::committed(&mut pass);
    (pass.findings, pass.checked)
}
