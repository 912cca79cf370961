//! A strict parser of Prometheus text and OpenMetrics, small, and written without a look at the encoder. It panics at what is wrong.

use std::collections::{BTreeMap, HashSet};

pub type Labels = BTreeMap<String, String>;

#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: String,
}

impl Sample {
    pub fn number(&self) -> f64 {
        match self.value.as_str() {
            "NaN" => f64::NAN,
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            digits => {
                assert!(
                    digits
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)),
                    "{digits}"
                );
                digits.parse().unwrap_or_else(|_| panic!("{digits} is no number"))
            }
        }
    }
}

/// Splits off a name, quoted or plain; `stop` are the bytes that may follow.
fn name<'a>(text: &'a str, colon: bool, stop: &str) -> (String, &'a str) {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find(|c| stop.contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    assert!(is_plain(name, colon), "{name:?} is not plain");
    (name.to_owned(), rest)
}

pub fn is_plain(name: &str, colon: bool) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colon && byte == b':');
    !name.is_empty() && name.bytes().all(allowed) && !name.as_bytes()[0].is_ascii_digit()
}

/// Splits off a quoted string.
fn quoted(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    assert_eq!(chars.next().unwrap().1, '"', "{text}");
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, &text[at + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => out.push('\n'),
                c @ ('\\' | '"') => out.push(c),
                c => panic!("\\{c} in {text}"),
            },
            '\n' => panic!("a line end in {text}"),
            c => out.push(c),
        }
    }
    panic!("no closing quote: {text}")
}

fn sample(line: &str) -> Sample {
    let mut labels = Labels::new();
    let (mut sample_name, mut rest) = (String::new(), line);
    if !line.starts_with('{') {
        (sample_name, rest) = name(line, true, "{ ");
    }
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        assert!(!rest.starts_with('}'), "empty braces: {line}");
        loop {
            let (label, after) = name(rest, false, "=,}");
            rest = match after.strip_prefix('=') {
                Some(value) => {
                    let (value, after) = quoted(value);
                    assert!(
                        labels.insert(label.clone(), value).is_none(),
                        "{label} twice: {line}"
                    );
                    after
                }
                None => {
                    // The name of the metric, quoted, and first.
                    assert!(
                        sample_name.is_empty() && labels.is_empty() && !is_plain(&label, true),
                        "{line}"
                    );
                    sample_name = label;
                    after
                }
            };
            match (rest.strip_prefix(','), rest.strip_prefix('}')) {
                (Some(after), _) => rest = after,
                (_, Some(after)) => {
                    rest = after;
                    break;
                }
                _ => panic!("{rest:?} in {line}"),
            }
        }
    }
    assert!(!sample_name.is_empty(), "no name: {line}");
    let value = rest
        .strip_prefix(' ')
        .unwrap_or_else(|| panic!("{line}"))
        .to_owned();
    let sample = Sample {
        name: sample_name,
        labels,
        value,
    };
    // No timestamp, no exemplar: one number and nothing else.
    sample.number();
    sample
}

fn suffixes(kind: &str, open_metrics: bool) -> &'static [&'static str] {
    match (kind, open_metrics) {
        ("counter", true) => &["_total", "_created"],
        ("info", true) => &["_info"],
        ("histogram", true) => &["_bucket", "_sum", "_count", "_created"],
        ("histogram", false) => &["_bucket", "_sum", "_count"],
        ("counter" | "gauge", _) => &[""],
        _ => panic!("the type {kind:?}"),
    }
}

/// Parses an exposition.
pub fn parse(text: &str, open_metrics: bool) -> Vec<Family> {
    let mut body = text;
    if open_metrics {
        body = text.strip_suffix("# EOF\n").expect("# EOF at the end");
    }
    assert!(body.is_empty() || body.ends_with('\n'));
    let mut families: Vec<Family> = Vec::new();
    let mut types = HashSet::new();
    for line in body.split_terminator('\n') {
        assert!(!line.is_empty(), "an empty line");
        let Some(comment) = line.strip_prefix("# ") else {
            let sample = sample(line);
            let family = families.last_mut().expect("metadata first");
            let suffix = sample
                .name
                .strip_prefix(&family.name)
                .unwrap_or_else(|| panic!("{line} in {}", family.name));
            assert!(
                suffixes(&family.kind, open_metrics).contains(&suffix),
                "{line} in a {}",
                family.kind
            );
            family.samples.push(sample);
            continue;
        };
        let (word, rest) = comment.split_once(' ').unwrap();
        let (family, rest) = name(rest, true, " ");
        let told = rest.strip_prefix(' ').unwrap();
        if families.last().is_none_or(|last| last.name != family) {
            families.push(Family {
                name: family.clone(),
                kind: String::new(),
                help: String::new(),
                samples: Vec::new(),
            });
        }
        let last = families.last_mut().unwrap();
        assert!(last.samples.is_empty(), "metadata after samples: {line}");
        match word {
            "TYPE" => {
                assert!(types.insert(family), "a second # TYPE: {line}");
                last.kind = told.to_owned();
            }
            "HELP" => last.help = told.to_owned(),
            "UNIT" => assert!(
                open_metrics && last.name.ends_with(&format!("_{told}")) && !told.is_empty(),
                "{line}"
            ),
            _ => panic!("{line}"),
        }
    }
    no_series_is_there_twice(&families, open_metrics);
    families
        .iter()
        .for_each(|family| buckets_are_cumulative(family, open_metrics));
    families
}

fn no_series_is_there_twice(families: &[Family], open_metrics: bool) {
    let (mut series, mut names) = (HashSet::new(), HashSet::new());
    for family in families {
        let kept = if open_metrics && family.kind != "gauge" {
            suffixes(&family.kind, true)
        } else {
            &[]
        };
        for name in kept
            .iter()
            .map(|suffix| format!("{}{suffix}", family.name))
            .chain([family.name.clone()])
        {
            assert!(names.insert(name.clone()), "{name} belongs to two families");
        }
        assert!(!family.samples.is_empty(), "{} says nothing", family.name);
        for sample in &family.samples {
            // Who reads it takes a label without a value for none.
            let mut labels = sample.labels.clone();
            labels.retain(|_, value| !value.is_empty());
            assert!(series.insert((sample.name.clone(), labels)), "twice: {sample:?}");
        }
    }
}

/// The buckets of each series ascend, and the last is +Inf and the count.
fn buckets_are_cumulative(family: &Family, open_metrics: bool) {
    if family.kind != "histogram" {
        return;
    }
    let mut buckets: BTreeMap<Labels, Vec<(f64, u64)>> = BTreeMap::new();
    let mut counts: BTreeMap<Labels, u64> = BTreeMap::new();
    let mut sums = HashSet::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        match &sample.name[family.name.len()..] {
            "_bucket" => {
                let bound = match labels.remove("le").unwrap().as_str() {
                    "+Inf" => f64::INFINITY,
                    bound => bound.parse().unwrap(),
                };
                buckets
                    .entry(labels)
                    .or_default()
                    .push((bound, sample.value.parse().unwrap()));
            }
            "_count" => assert!(counts.insert(labels, sample.value.parse().unwrap()).is_none()),
            "_sum" => assert!(sums.insert(labels)),
            _ => {}
        }
    }
    for (labels, buckets) in &buckets {
        assert!(
            buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
            "{labels:?}: {buckets:?}"
        );
        let last = buckets.last().unwrap();
        assert_eq!(last.0, f64::INFINITY);
        match counts.get(labels) {
            Some(count) => assert_eq!(*count, last.1),
            None => assert!(open_metrics),
        }
        assert_eq!(counts.contains_key(labels), sums.contains(labels));
    }
    assert!(counts.keys().all(|labels| buckets.contains_key(labels)));
}
