//! `/stats`: names and values and nothing else, for whoever wants a number without learning a schema.
//!
//! The names are those of the text that `shmetrics pipe` writes, but exactly as registered, as JSON has its own quotes: `name`, of a
//! histogram or samples `name.mean`, and `name{label="value"}`. What is not finite is `null`, as everywhere in JSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use shmetrics::Snapshot;
use shmetrics::snapshot::Number;

use super::exposition;

/// All names and values, in the order of the segments and their series.
#[derive(Debug, Default)]
pub(super) struct Stats(Vec<(String, Number)>);

impl Stats {
    /// Adds a segment. `label`: its name, where several segments must be told apart.
    pub(super) fn put(&mut self, snapshot: &Snapshot, label: Option<&str>) {
        exposition::figures(snapshot, &mut |figure| {
            self.0.push((figure.key(label), figure.number))
        });
    }
}

/// Exact to the last digit.
struct Written(Number);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Number::U64(value) => serializer.serialize_u64(value),
            Number::I64(value) => serializer.serialize_i64(value),
            // What is not finite becomes null.
            Number::F64(value) => serializer.serialize_f64(value),
        }
    }
}

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Written(*value))))
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
        let written = |number| serde_json::to_string(&Written(number)).unwrap();
        assert_eq!(written(Number::U64(u64::MAX)), "18446744073709551615");
        assert_eq!(written(Number::I64(i64::MIN)), "-9223372036854775808");
        assert_eq!(written(Number::F64(0.25)), "0.25");
        assert_eq!(written(Number::F64(f64::NAN)), "null");
    }
}
