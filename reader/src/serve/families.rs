//! Metrics of our own, as data: which they are is said in `telemetry` and `processes`, how they are written in `exposition`.

use shmetrics::snapshot::Number;

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, as long as what its labels name stays the same.
    Counter,
    Gauge,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: Number,
    /// Of a counter: since when it counts, nanoseconds since 1970; 0: not known.
    pub(super) created_ns: u64,
}

/// Values of one name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample>,
}

impl Family {
    pub(super) fn new(name: &'static str, kind: Kind, help: &'static str) -> Family {
        Family {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    pub(super) fn gauge(name: &'static str, help: &'static str) -> Family {
        Family::new(name, Kind::Gauge, help)
    }

    pub(super) fn counter(name: &'static str, help: &'static str) -> Family {
        Family::new(name, Kind::Counter, help)
    }

    pub(super) fn put(&mut self, labels: &[(&'static str, &str)], value: Number) {
        self.put_since(labels, value, 0);
    }

    /// A count since a time.
    pub(super) fn put_since(&mut self, labels: &[(&'static str, &str)], value: Number, created_ns: u64) {
        let labels = labels.iter().map(|&(name, value)| (name, value.to_owned()));
        self.samples.push(Sample {
            labels: labels.collect(),
            value,
            created_ns,
        });
    }

    /// With the only value it has.
    pub(super) fn with(mut self, value: Number) -> Family {
        self.put(&[], value);
        self
    }

    /// With the only count it has, since a time.
    pub(super) fn with_since(mut self, value: Number, created_ns: u64) -> Family {
        self.put_since(&[], value, created_ns);
        self
    }
}
