//! `/stats`: names and values and nothing else, for whoever wants a number without learning a schema.
//!
//! The names are those of the text that `shmetrics pipe` writes: `name{label="value"}`, of a histogram with what is told of it. What is
//! not finite is `null`, as everywhere in JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use shmetrics::Snapshot;

use super::exposition;

/// A number as it is written, exact to the last digit; `None`: JSON has no number for it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Written {
    Whole(u64),
    Signed(i64),
    Float(f64),
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Written::Whole(value) => serializer.serialize_u64(value),
            Written::Signed(value) => serializer.serialize_i64(value),
            // What is not finite becomes null.
            Written::Float(value) => serializer.serialize_f64(value),
        }
    }
}

fn number(text: &str) -> Option<Written> {
    let whole = text.parse().ok().map(Written::Whole);
    let whole = whole.or_else(|| text.parse().ok().map(Written::Signed));
    whole.or_else(|| text.parse().ok().map(Written::Float))
}

/// All names and values, in the order of the segments and their series.
#[derive(Debug, Default)]
pub(super) struct Stats(Vec<(String, Written)>);

impl Stats {
    /// Adds a segment. `label`: its name, where several segments must be told apart.
    pub(super) fn put(&mut self, snapshot: &Snapshot, label: Option<&str>) {
        let mut text = String::new();
        exposition::lines(snapshot, &mut text);
        for line in text.lines() {
            // A label's value may have colons itself.
            let Some((name, value)) = line.rsplit_once(": ") else {
                continue;
            };
            let Some(value) = number(value) else { continue };
            let name = match label {
                Some(label) => labelled(name, label),
                None => name.to_owned(),
            };
            self.0.push((name, value));
        }
    }
}

/// With one label more, before the others.
fn labelled(name: &str, segment: &str) -> String {
    let segment = segment
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    match name.split_once('{') {
        Some((name, labels)) => format!("{name}{{segment=\"{segment}\",{labels}"),
        None => format!("{name}{{segment=\"{segment}\"}}"),
    }
}

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The body of `/stats`.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) stats: Stats,
    /// Seconds since 1970, when the values were read.
    pub(super) timestamp: f64,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("stats", &self.stats)?;
        map.serialize_entry("timestamp", &self.timestamp)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_exact() {
        assert_eq!(number("18446744073709551615"), Some(Written::Whole(u64::MAX)));
        assert_eq!(number("-9223372036854775808"), Some(Written::Signed(i64::MIN)));
        assert_eq!(number("0.25"), Some(Written::Float(0.25)));
        assert_eq!(number("+Inf"), Some(Written::Float(f64::INFINITY)));
        assert_eq!(number("x"), None);
        assert_eq!(serde_json::to_string(&Written::Float(f64::NAN)).unwrap(), "null");
    }

    #[test]
    fn a_segment_is_a_label_before_the_others() {
        assert_eq!(labelled("a", "x"), "a{segment=\"x\"}");
        assert_eq!(
            labelled("a{b=\"{\"}", "x\"y\\"),
            "a{segment=\"x\\\"y\\\\\",b=\"{\"}"
        );
    }
}
