//! Parts of a line: names, label pairs, metadata.

use crate::encoder::{Extra, ExtraKind};
use crate::name::{Place, push_escaped, push_name, push_quotable};
use crate::number;
use crate::resolve::Type;

/// Appends `name="value"`.
pub(crate) fn push_pair(out: &mut Vec<u8>, name: &str, value: &str) {
    push_name(out, name, Place::Label);
    out.extend_from_slice(b"=\"");
    push_quotable(out, value);
    out.push(b'"');
}

/// Appends a name and labels so that another pair may follow. A name that needs quotes stands among the labels.
pub(super) fn push_stem(out: &mut Vec<u8>, name: &str, labels: &[(String, String)]) {
    push_open(out, name);
    for (name, value) in labels {
        push_pair(out, name, value);
        out.push(b',');
    }
}

fn push_open(out: &mut Vec<u8>, name: &str) {
    if crate::name::is_legal(name, Place::Metric) {
        out.extend_from_slice(name.as_bytes());
        out.push(b'{');
    } else {
        out.push(b'{');
        push_name(out, name, Place::Metric);
        out.push(b',');
    }
}

/// Closes what [`push_stem`] opened, and what comes before the number.
fn push_close(out: &mut Vec<u8>) {
    match out.last() {
        Some(b',') => {
            out.pop();
            out.push(b'}');
        }
        // Nothing in the braces.
        Some(b'{') => {
            out.pop();
        }
        _ => out.push(b'}'),
    }
    out.push(b' ');
}

/// Appends everything of a line that comes before its number.
pub(super) fn push_prefix(
    out: &mut Vec<u8>,
    name: &str,
    labels: &[(String, String)],
    last: Option<(&str, &str)>,
) {
    push_stem(out, name, labels);
    if let Some((name, value)) = last {
        push_pair(out, name, value);
    }
    push_close(out);
}

/// Appends a family's metadata, in the order in which the format's own documents have them.
pub(super) fn push_head(
    out: &mut Vec<u8>,
    name: &str,
    kind: Type,
    unit: &str,
    help: &str,
    open_metrics: bool,
) {
    let begin = |out: &mut Vec<u8>, word: &str| {
        out.extend_from_slice(word.as_bytes());
        push_name(out, name, Place::Metric);
        out.push(b' ');
    };
    let push_help = |out: &mut Vec<u8>| {
        if !help.is_empty() {
            begin(out, "# HELP ");
            push_escaped(out, help, open_metrics);
            out.push(b'\n');
        }
    };
    if !open_metrics {
        push_help(out);
    }
    begin(out, "# TYPE ");
    out.extend_from_slice(kind.name(open_metrics).as_bytes());
    out.push(b'\n');
    if open_metrics {
        if !unit.is_empty() {
            begin(out, "# UNIT ");
            out.extend_from_slice(unit.as_bytes());
            out.push(b'\n');
        }
        push_help(out);
    }
}

/// Appends a family that is of no segment, also, if asked, since when its counters count. Nothing of it is kept, and nothing allocated.
pub(crate) fn push_extra(out: &mut Vec<u8>, extra: &Extra<'_>, open_metrics: bool, created: bool) {
    let base = extra.base();
    let (kind, suffix) = match extra.kind {
        ExtraKind::Counter => (Type::Counter, "_total"),
        ExtraKind::Gauge => (Type::Gauge, ""),
    };
    let start = out.len();
    let mut name = [base, suffix];
    if open_metrics {
        name[1] = "";
    }
    // The name is plain, so it may be written in two parts.
    for (word, text, wanted) in [
        ("# HELP ", extra.help, !open_metrics && !extra.help.is_empty()),
        ("# TYPE ", kind.name(open_metrics), true),
        ("# HELP ", extra.help, open_metrics && !extra.help.is_empty()),
    ] {
        if wanted {
            out.extend_from_slice(word.as_bytes());
            name.iter()
                .for_each(|part| out.extend_from_slice(part.as_bytes()));
            out.push(b' ');
            push_escaped(out, text, open_metrics);
            out.push(b'\n');
        }
    }
    let body = out.len();
    for sample in extra.samples {
        let open = |out: &mut Vec<u8>, suffix: &str| {
            out.extend_from_slice(base.as_bytes());
            out.extend_from_slice(suffix.as_bytes());
            out.push(b'{');
            for (name, value) in sample.labels {
                push_pair(out, name, value);
                out.push(b',');
            }
            push_close(out);
        };
        open(out, suffix);
        number::push(out, sample.value);
        out.push(b'\n');
        if created && extra.kind == ExtraKind::Counter && sample.created_ns != 0 {
            open(out, "_created");
            number::push_seconds(out, sample.created_ns);
            out.push(b'\n');
        }
    }
    if out.len() == body {
        out.truncate(start);
    }
}
