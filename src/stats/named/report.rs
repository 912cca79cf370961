//! Figures of a snapshot, as statvent tells them: plain numbers under their names, and percentiles and a mean of samples.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::snapshot::{Number, PerProcess, Samples, Snapshot, Value};

/// Makes the name of a figure: from the name of the samples and what is told of them.
type Format = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// How a percentile is found among the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rank {
    /// As statvent does: the value at `floor(n × percent / 100) − 1`, not below 0.
    #[default]
    Floor,
    /// The nearest rank: the least value that is not below so much of all.
    Nearest,
}

/// What is told of a snapshot, and how. The default tells what statvent tells: median, 95th, 99th, 100th, mean.
///
/// Figures are computed by whoever reads, from the samples of all processes together; writing costs nothing for it. Histograms and
/// series with labels are left out: they have no name in this sense, and other formats show them.
#[derive(Clone)]
pub struct Report {
    percentiles: Vec<(f64, String)>,
    mean: Option<String>,
    rank: Rank,
    format: Format,
    formats: HashMap<String, Format>,
}

impl Default for Report {
    fn default() -> Self {
        Report::new()
    }
}

impl Report {
    /// What statvent tells.
    pub fn new() -> Report {
        Report {
            percentiles: [(50.0, "median"), (95.0, "95th"), (99.0, "99th"), (100.0, "100th")]
                .map(|(percent, label)| (percent, label.to_owned()))
                .into(),
            mean: Some("mean".to_owned()),
            rank: Rank::Floor,
            format: Arc::new(|name, label| match name.contains("{0}") {
                true => name.replace("{0}", label),
                false => format!("{name}.{label}"),
            }),
            formats: HashMap::new(),
        }
    }

    /// These percentiles (0 to 100) with these labels, instead of the usual.
    pub fn percentiles<'a>(mut self, percentiles: impl IntoIterator<Item = (f64, &'a str)>) -> Self {
        let owned = percentiles
            .into_iter()
            .map(|(percent, label)| (percent, label.to_owned()));
        self.percentiles = owned.collect();
        self
    }

    /// The label of the mean; `None`: no mean.
    pub fn mean(mut self, label: Option<&str>) -> Self {
        self.mean = label.map(str::to_owned);
        self
    }

    /// How percentiles are found.
    pub fn rank(mut self, rank: Rank) -> Self {
        self.rank = rank;
        self
    }

    /// How figures of samples are named, from the name and the label; the default replaces `{0}`, or appends `.label`.
    pub fn format(mut self, format: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        self.format = Arc::new(format);
        self
    }

    /// As [`format`](Self::format), for the samples of one name.
    pub fn format_of(
        mut self,
        name: &str,
        format: impl Fn(&str, &str) -> String + Send + Sync + 'static,
    ) -> Self {
        self.formats.insert(name.to_owned(), Arc::new(format));
        self
    }

    /// Names and numbers of all processes together, in the order of registration.
    pub fn figures(&self, snapshot: &Snapshot) -> Vec<(String, Number)> {
        let mut figures = Vec::new();
        for series in snapshot
            .series
            .iter()
            .filter(|series| series.description.labels.is_empty())
        {
            let name = &series.description.name;
            let number = match &series.value {
                Value::Number(number) => *number,
                Value::CounterU64(value) => Number::U64(*value),
                Value::CounterF64(value) => Number::F64(*value),
                Value::GaugeI64(Some(value)) => Number::I64(*value),
                Value::GaugeF64(Some(value)) => Number::F64(*value),
                Value::Samples(samples) => {
                    self.of_samples(name, samples, &mut figures);
                    continue;
                }
                _ => continue,
            };
            figures.push((name.clone(), number));
        }
        figures
    }

    /// The same of the process with this pid, dead or alive. The reader must have been asked for it
    /// ([`Reader::per_process`](crate::Reader::per_process)).
    pub fn figures_of_process(&self, snapshot: &Snapshot, pid: u32) -> Vec<(String, Number)> {
        let mut figures = Vec::new();
        for process in snapshot
            .processes
            .iter()
            .filter(|process| process.pid == u64::from(pid))
        {
            for (index, value) in &process.values {
                let Some(series) = snapshot.series.get(*index) else {
                    continue;
                };
                let name = &series.description.name;
                match value {
                    _ if !series.description.labels.is_empty() => {}
                    PerProcess::Counter(number) | PerProcess::Gauge(number) => {
                        figures.push((name.clone(), *number))
                    }
                    PerProcess::Samples(at) => {
                        if let Some((_, samples)) = process.samples.get(*at) {
                            self.of_samples(name, samples, &mut figures);
                        }
                    }
                    // Those that were registered beside it are no numbers by name.
                    PerProcess::Histogram { .. } | PerProcess::TimeMark(_) | PerProcess::State { .. } => {}
                    PerProcess::Group(_) => {}
                }
            }
        }
        figures
    }

    fn of_samples(&self, name: &str, samples: &Samples, figures: &mut Vec<(String, Number)>) {
        let format = self.formats.get(name).unwrap_or(&self.format);
        let mut tell = |label: &str, value: Option<f64>| {
            figures.extend(value.map(|value| (format(name, label), Number::F64(value))));
        };
        for (percent, label) in &self.percentiles {
            let value = match self.rank {
                Rank::Floor => samples.floor_rank(*percent),
                Rank::Nearest => samples.nearest_rank(*percent),
            };
            tell(label, value);
        }
        if let Some(label) = &self.mean {
            tell(label, samples.mean());
        }
    }

    /// A line `name: value` per figure. In names a backslash is `\\` and a line break `\n`, so that every line is one; all else is as it
    /// is. Whoever parses it splits at the last colon. Floats have as many digits as tell them apart.
    pub fn text(&self, snapshot: &Snapshot) -> String {
        lines(&self.figures(snapshot))
    }

    /// As [`text`](Self::text), of one process.
    pub fn text_of_process(&self, snapshot: &Snapshot, pid: u32) -> String {
        lines(&self.figures_of_process(snapshot, pid))
    }

    /// `{"stats": {name: number}, "timestamp": seconds since 1970}`, on one line. Names are exactly as registered; what is not finite is
    /// `null`.
    pub fn json(&self, snapshot: &Snapshot) -> String {
        let mut json = "{\"stats\": {".to_owned();
        for (at, (name, number)) in self.figures(snapshot).iter().enumerate() {
            json.push_str(if at > 0 { ", \"" } else { "\"" });
            name.chars().for_each(|c| match c {
                '"' | '\\' => json.extend(['\\', c]),
                c if c < ' ' || c == '\x7f' => {
                    let _ = write!(json, "\\u{:04x}", c as u32);
                }
                c => json.push(c),
            });
            json.push_str("\": ");
            push_number(&mut json, *number, "null");
        }
        let _ = write!(
            json,
            "}}, \"timestamp\": {:.6}}}",
            snapshot.taken_at_ns as f64 / 1e9
        );
        json
    }
}

fn lines(figures: &[(String, Number)]) -> String {
    let mut text = String::new();
    for (name, number) in figures {
        text.push_str(&name.replace('\\', "\\\\").replace('\n', "\\n"));
        text.push_str(": ");
        push_number(&mut text, *number, "");
        text.push('\n');
    }
    text
}

/// Whole numbers whole, floats with as many digits as tell them apart. `other`: for what is not finite; empty: its name.
fn push_number(out: &mut String, number: Number, other: &str) {
    let _ = match number {
        Number::U64(value) => write!(out, "{value}"),
        Number::I64(value) => write!(out, "{value}"),
        Number::F64(value) if value.is_finite() || other.is_empty() => write!(out, "{value:?}"),
        Number::F64(_) => write!(out, "{other}"),
    };
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report")
            .field("percentiles", &self.percentiles)
            .field("mean", &self.mean)
            .field("rank", &self.rank)
            .finish_non_exhaustive()
    }
}
