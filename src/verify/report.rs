//! What the check tells: findings with rule, severity and place, and how much was looked at.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Severity {
    /// A fact, or what a death in between leaves: the next owner repairs it.
    Note,
    /// Suspicious, and harmless to every reader and writer that follows SPEC.md.
    Warning,
    /// SPEC.md is violated: some reader or writer may go wrong.
    Error,
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];

    /// Its name: `error`, `warning`, `note`.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a finding is about. Its text, as in `lane 3, record 7`, is also how it is serialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The file as a whole.
    File,
    /// A word of the header, by its name in SPEC.md section 6.
    Header(&'static str),
    /// A place of the index, from 0.
    IndexPlace(u64),
    /// The record with this number, from 1.
    Record(u64),
    /// A process slot, from 0: its entry, or its cells as a whole.
    Slot(u64),
    /// A lane, from 1: its entry, or its front.
    Lane(u64),
    /// An entry of the error log, from 0.
    Error(u64),
    /// A reset table, 0 or 1.
    ResetTable(u64),
    /// Time and baseline of a record in a reset table.
    ResetRecord {
        /// The table.
        table: u64,
        /// The record.
        record: u64,
    },
    /// The gauge cell of a record in a slot.
    SlotRecord {
        /// The slot.
        slot: u64,
        /// The record.
        record: u64,
    },
    /// The cell or block of a record in a lane.
    LaneRecord {
        /// The lane.
        lane: u64,
        /// The record.
        record: u64,
    },
    /// The cell or block of a record in the shared lane.
    SharedRecord(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => f.write_str("file"),
            Place::Header(name) => write!(f, "header.{name}"),
            Place::IndexPlace(place) => write!(f, "index place {place}"),
            Place::Record(record) => write!(f, "record {record}"),
            Place::Slot(slot) => write!(f, "slot {slot}"),
            Place::Lane(lane) => write!(f, "lane {lane}"),
            Place::Error(entry) => write!(f, "error {entry}"),
            Place::ResetTable(table) => write!(f, "reset table {table}"),
            Place::ResetRecord { table, record } => write!(f, "reset table {table}, record {record}"),
            Place::SlotRecord { slot, record } => write!(f, "slot {slot}, record {record}"),
            Place::LaneRecord { lane, record } => write!(f, "lane {lane}, record {record}"),
            Place::SharedRecord(record) => write!(f, "shared lane, record {record}"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that was found. Its text is one line: `error V-20 record 7 (at 0x21380): …`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// The rule of SPEC.md: an identifier (`V-20`, `S-2`, `W-9`), or the section (`10.13`).
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub place: Place,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What was found and what was expected. One line; texts of the segment in it are escaped.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            rule,
            severity,
            place,
            offset,
            message,
        } = self;
        write!(f, "{severity} {rule} {place} (at {offset:#x}): {message}")
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Checked {
    /// Records that were handed out.
    pub records: u64,
    /// Places of the index that are taken.
    pub index_places: u64,
    /// Process slots that were ever taken.
    pub slots: u64,
    /// Gauge cells that were ever set.
    pub gauges: u64,
    /// Lanes that were ever taken, the shared lane not included.
    pub lanes: u64,
    /// Committed blocks of histograms, those of the shared lane included.
    pub blocks: u64,
    /// Entries of the error log that were taken.
    pub errors: u64,
    /// Records that have a baseline in the reset table in force.
    pub baselines: u64,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checked {
            records,
            lanes,
            slots,
            blocks,
            ..
        } = self;
        let part = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let parts = [
            part(*records, "record"),
            part(*lanes, "lane"),
            part(*slots, "slot"),
            part(*blocks, "block"),
        ];
        f.write_str(&parts.join(", "))
    }
}

/// What [`verify`](super::verify) found. Its text is a line per finding and the [summary](Report::summary).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub checked: Checked,
    /// The file is no valid segment: readers refuse it, and only its header was looked at.
    pub refused: bool,
}

impl Report {
    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// The worst severity; `None` if nothing was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// One line: `ok: 12 records, 3 lanes, 2 slots, 8 blocks checked; 0 errors, 0 warnings, 1 note`. It begins with `ok`, or, if there
    /// are errors, with `damaged`, or `refused`.
    pub fn summary(&self) -> String {
        let verdict = match self.worst() {
            _ if self.refused => "refused",
            Some(Severity::Error) => "damaged",
            _ => "ok",
        };
        let counts = Severity::ALL.map(|severity| {
            let count = self.count(severity);
            format!("{count} {severity}{}", if count == 1 { "" } else { "s" })
        });
        format!("{verdict}: {} checked; {}", self.checked, counts.join(", "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        f.write_str(&self.summary())
    }
}
