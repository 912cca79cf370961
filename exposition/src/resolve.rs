//! Who is called what: families and series of all sources under the names that a format exposes them by.
//!
//! Names of a segment may be anything, and several segments may use one name. What comes out never has a series twice, nor a name
//! that belongs to two families. The rules, in the order in which they are applied:
//!
//! 0. Series of samples are not shown: no format has a place for the last values of something.
//! 1. A counter's samples end with `_total`, in every format; a time mark's with `_timestamp_seconds`. A state is two families: `name`
//!    with its streaks, and `name_healthy`. A text is `name_info`, always 1, with the text as the label `text`: each text is a series of its
//!    own, as is the convention. Without a text there is none.
//!    What is in flight is a gauge of how many keys; since when they are is in JSON only, as it would be a family of its own whose name
//!    may be taken.
//!    A group is a counter for each of its fields, `name_field_total`: fields may be of different things, so that a sum over a label would
//!    say nothing.
//! 2. Families of several sources with the same name and type are one.
//! 3. Families whose names need no change come first, by name; then the others, by name. Whose names are taken is written by the
//!    scheme `values`, also if its name is legal: `U__x`. If that is taken, too, it is left out and counted.
//! 4. Of the labels of a series those that need no change come first. The exposition's own (`segment`, `process`, `slot`, `le`, `text`)
//!    are never given away: a label of that name is called `exported_…`, as Prometheus does it; so is one that begins with `__`. A
//!    label whose name is taken is written by the scheme `values`. Labels with an empty value are none (Prometheus takes them so).
//!    In OpenMetrics, where a strict parser wants the same label names in the whole family, they are written with that value.
//! 5. Of the series of a family, too, those whose label names need no change come first. One that is then like another gets the
//!    changed names by the scheme `values`. If that does not help it is left out and counted.

mod labels;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use shmetrics::Value;
use shmetrics::snapshot::{Description, Snapshot};

pub(crate) use self::labels::{LE, PROCESS, SEGMENT, SLOT, STATUS, TEXT};
use self::labels::{is_each, labels};
use crate::name::{Escaping, Place, by_values, escape};

/// What a format shows as a family's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Histogram,
    /// A gauge of seconds since 1970.
    TimeMark,
    /// Gauges of streaks, one for each process and status.
    State,
    /// A gauge that says whether all processes of a state are healthy: the second family of a state.
    Healthy,
    /// Ones with a text as a label.
    Info,
}

/// Which names a family takes up beside its own, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Text,
    OpenMetrics,
    Protobuf,
}

/// The suffix of a counter's samples.
const TOTAL: &str = "_total";
/// The suffix of the samples of a text.
const INFO: &str = "_info";
/// What a time mark's name ends with.
const TIMESTAMP: &str = "_timestamp_seconds";
/// What a time mark is exposed in, whatever unit was registered.
const SECONDS: &str = "seconds";
/// What the name of the second family of a state ends with.
const HEALTHY: &str = "_healthy";

impl Type {
    pub(crate) fn of(description: &Description) -> Type {
        use shmetrics::Kind::*;
        match description.kind {
            CounterU64 | CounterF64 | Events | Group => Type::Counter,
            HistogramInteger | HistogramFloat | HistogramClassic => Type::Histogram,
            TimeMark => Type::TimeMark,
            State => Type::State,
            Text => Type::Info,
            _ => Type::Gauge,
        }
    }

    /// Does it count since some time?
    pub(crate) const fn has_created(self) -> bool {
        matches!(self, Type::Counter | Type::Histogram)
    }

    /// The word in `# TYPE`.
    pub(crate) const fn name(self, open_metrics: bool) -> &'static str {
        match self {
            Type::Counter => "counter",
            Type::Histogram => "histogram",
            Type::Info if open_metrics => "info",
            _ => "gauge",
        }
    }

    /// What the name of its samples has beyond that of the family: of all but histograms.
    const fn suffix(self) -> &'static str {
        match self {
            Type::Counter => TOTAL,
            Type::Info => INFO,
            _ => "",
        }
    }

    /// What the names of its samples, and those that a strict parser keeps for it, end with.
    pub(crate) const fn suffixes(self, syntax: Syntax) -> &'static [&'static str] {
        match (self, syntax) {
            (Type::Counter, Syntax::OpenMetrics) => &["", TOTAL, "_created"],
            (Type::Counter, _) => &[TOTAL],
            (Type::Info, Syntax::OpenMetrics) => &["", INFO],
            (Type::Info, _) => &[INFO],
            (Type::Histogram, Syntax::OpenMetrics) => &["", "_bucket", "_sum", "_count", "_created"],
            (Type::Histogram, _) => &["", "_bucket", "_sum", "_count"],
            _ => &[""],
        }
    }
}

/// A family under its exposed name.
#[derive(Debug)]
pub(crate) struct Family {
    /// As registered: what a filter may say, too.
    pub(crate) original: String,
    /// Without the `_total` of counters and the `_info` of texts.
    pub(crate) base: String,
    pub(crate) kind: Type,
    pub(crate) help: String,
    /// Empty unless the base name ends with it.
    pub(crate) unit: String,
    pub(crate) members: Vec<Member>,
}

impl Family {
    /// What the name of its samples has beyond its base: of counters and gauges.
    pub(crate) const fn suffix(&self) -> &'static str {
        self.kind.suffix()
    }

    /// The name of its samples: of counters and gauges.
    pub(crate) fn sample_name(&self) -> String {
        format!("{}{}", self.base, self.suffix())
    }
}

/// A series of a family: where it is in the sources, and its exposed labels.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) source: usize,
    pub(crate) series: usize,
    /// Of a group: which of its fields; else 0.
    pub(crate) part: usize,
    pub(crate) labels: Vec<(String, String)>,
    /// Has it a value per process, so that labels are added to it?
    each: bool,
}

/// A series as it was found: number and name of its source, its place there, which field of a group, and what it says of itself.
type Found<'a> = (usize, &'a str, usize, usize, &'a Description);

/// Families in the order of their names, and how many series were left out.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) families: Vec<Family>,
    pub(crate) left_out: u64,
}

/// The name without the suffix of counters, as long as something is left.
pub(crate) fn base_of(name: &str) -> &str {
    match name.strip_suffix(TOTAL) {
        Some(base) if !base.is_empty() => base,
        _ => name,
    }
}

/// Resolves the names of all series. `taken`: names that belong to somebody else.
pub(crate) fn resolve<'a>(
    sources: impl Iterator<Item = (&'a str, &'a Snapshot)>,
    segment_label: bool,
    syntax: Syntax,
    escaping: Escaping,
    mut taken: HashSet<String>,
) -> Resolved {
    let mut groups: BTreeMap<(Cow<'_, str>, Type), Vec<Found<'_>>> = BTreeMap::new();
    for (number, (name, snapshot)) in sources.enumerate() {
        for (position, series) in snapshot.series.iter().enumerate() {
            let description = &*series.description;
            // Percentiles of the last values cannot be added up, and a raw value of a second ago is nothing to scrape.
            if description.kind == shmetrics::Kind::Samples {
                continue;
            }
            let kind = Type::of(description);
            if let Value::Group(group) = &series.value {
                for (part, field) in group.fields.iter().enumerate() {
                    let of_field = format!("{}_{}", base_of(&description.name), field.name);
                    let members = groups.entry((Cow::Owned(of_field), kind)).or_default();
                    members.push((number, name, position, part, description));
                }
                continue;
            }
            let second = (kind == Type::State).then_some(Type::Healthy);
            for kind in [Some(kind), second].into_iter().flatten() {
                groups
                    .entry((Cow::Borrowed(description.name.as_str()), kind))
                    .or_default()
                    .push((number, name, position, 0, description));
            }
        }
    }
    let exposed = |name: &str, kind: Type| -> (String, bool) {
        let full = full_name(name, kind);
        let escaped = escape(&full, escaping, Place::Metric);
        let changed = *escaped != *full;
        (without_suffix(escaped.into_owned(), kind), changed)
    };
    let mut order: Vec<_> = groups
        .into_iter()
        .map(|((name, kind), members)| (exposed(&name, kind), name, kind, members))
        .collect();
    // Stable: by name and type among those that are changed, and among those that are not.
    order.sort_by_key(|((_, changed), ..)| *changed);

    let mut resolved = Resolved::default();
    for ((base, _), name, kind, members) in order {
        let by_values = || without_suffix(by_values(&full_name(&name, kind), Place::Metric), kind);
        let Some(base) =
            claim(base, kind, syntax, &mut taken).or_else(|| claim(by_values(), kind, syntax, &mut taken))
        else {
            resolved.left_out += members.len() as u64;
            continue;
        };
        let first = |text: fn(&Description) -> &str| {
            let mut texts = members.iter().map(|(.., description)| text(description));
            texts.find(|text| !text.is_empty()).unwrap_or("").to_owned()
        };
        let unit = match kind {
            Type::TimeMark => SECONDS.to_owned(),
            Type::State | Type::Healthy | Type::Info => String::new(),
            _ => first(|description| &description.unit),
        };
        let same_unit =
            kind == Type::TimeMark || members.iter().all(|(.., description)| description.unit == unit);
        let unit_is_told = same_unit
            && !unit.is_empty()
            && base.strip_suffix(&*unit).is_some_and(|rest| rest.ends_with('_'));
        let mut family = Family {
            original: name.clone().into_owned(),
            base,
            kind,
            help: first(|description| &description.help),
            unit: if unit_is_told { unit } else { String::new() },
            members: Vec::with_capacity(members.len()),
        };
        resolved.left_out += family.admit(&members, segment_label, escaping);
        if syntax == Syntax::OpenMetrics {
            family.pad();
        }
        resolved.families.push(family);
    }
    resolved
        .families
        .sort_by(|a, b| a.base.cmp(&b.base).then(a.kind.cmp(&b.kind)));
    resolved
}

/// The name that is escaped: of a counter or a text with its suffix, so that who undoes the escaping gets the name of the sample.
fn full_name(name: &str, kind: Type) -> Cow<'_, str> {
    match kind {
        Type::Counter if base_of(name).len() == name.len() => Cow::Owned(format!("{name}{TOTAL}")),
        Type::TimeMark if !name.ends_with(TIMESTAMP) => Cow::Owned(format!("{name}{TIMESTAMP}")),
        Type::Healthy => Cow::Owned(format!("{name}{HEALTHY}")),
        Type::Info if !ends_with(name, INFO) => Cow::Owned(format!("{name}{INFO}")),
        _ => Cow::Borrowed(name),
    }
}

/// Does a name have this suffix, and something before it?
fn ends_with(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len() && name.ends_with(suffix)
}

fn without_suffix(mut name: String, kind: Type) -> String {
    let suffix = kind.suffix();
    if !suffix.is_empty() && ends_with(&name, suffix) {
        name.truncate(name.len() - suffix.len());
    }
    name
}

/// Takes all names of a family, or none.
fn claim(base: String, kind: Type, syntax: Syntax, taken: &mut HashSet<String>) -> Option<String> {
    let names = kind
        .suffixes(syntax)
        .iter()
        .map(|suffix| format!("{base}{suffix}"));
    let names: Vec<String> = names.collect();
    if names.iter().any(|name| taken.contains(name)) {
        return None;
    }
    taken.extend(names);
    Some(base)
}

/// The names that a family of somebody else takes.
pub(crate) fn names_of(base: &str, kind: Type, syntax: Syntax) -> impl Iterator<Item = String> {
    kind.suffixes(syntax)
        .iter()
        .map(move |suffix| format!("{base}{suffix}"))
}

impl Family {
    /// Names of labels that the exposition itself gives to series of this family.
    fn reserved(&self, members: &[Found<'_>], segment_label: bool) -> Vec<&'static str> {
        let mut reserved = Vec::new();
        if segment_label {
            reserved.push(SEGMENT);
        }
        if self.kind == Type::Histogram {
            reserved.push(LE);
        }
        if members
            .iter()
            .any(|(.., description)| is_each(description, self.kind))
        {
            reserved.extend([PROCESS, SLOT]);
        }
        match self.kind {
            Type::State => reserved.push(STATUS),
            Type::Info => reserved.push(TEXT),
            _ => {}
        }
        reserved
    }

    /// Takes up the series, in their order; returns how many had to be left out.
    fn admit(&mut self, members: &[Found<'_>], segment_label: bool, escaping: Escaping) -> u64 {
        let mut known: HashSet<Vec<(String, String)>> = HashSet::with_capacity(members.len());
        let mut left_out = 0;
        let reserved = self.reserved(members, segment_label);
        for unchanged in [true, false] {
            for &(source, segment, series, part, description) in members {
                let is_unchanged = description
                    .labels
                    .iter()
                    .all(|(name, _)| *escape(name, escaping, Place::Label) == **name);
                if is_unchanged != unchanged {
                    continue;
                }
                let segment = segment_label.then_some(segment);
                let found = [escaping, Escaping::Values].into_iter().find_map(|escaping| {
                    let labels = labels(description, &reserved, segment, escaping);
                    let mut key = labels.clone();
                    key.sort_unstable();
                    known.insert(key).then_some(labels)
                });
                match found {
                    Some(labels) => self.members.push(Member {
                        source,
                        series,
                        part,
                        labels,
                        each: is_each(description, self.kind),
                    }),
                    None => left_out += 1,
                }
            }
        }
        self.members
            .sort_unstable_by_key(|member| (member.source, member.series));
        left_out
    }
}

impl Family {
    /// Gives all series the same label names in the same order, the missing ones without a value.
    fn pad(&mut self) {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.members.iter().flat_map(|member| &member.labels) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let any_each = self.members.iter().any(|member| member.each);
        for member in &mut self.members {
            let labels = std::mem::take(&mut member.labels);
            let value = |name: &String| {
                let found = labels.iter().find(|(other, _)| other == name);
                found.map_or(String::new(), |(_, value)| value.clone())
            };
            member.labels = names.iter().map(|name| (name.clone(), value(name))).collect();
            if any_each && !member.each {
                let process = [PROCESS, SLOT].map(|name| (name.to_owned(), String::new()));
                member.labels.extend(process);
            }
        }
    }
}
