//! The messages of Prometheus, decoded by somebody else's code: field numbers and types as in its `metrics.proto`.

use std::fmt::Write;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct LabelPair {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Gauge {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Counter {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    pub cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub upper_bound: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    pub offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    #[prost(message, optional, tag = "15")]
    pub created: Option<Timestamp>,
    #[prost(sint32, optional, tag = "5")]
    pub schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    pub zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "true", tag = "13")]
    pub positive_delta: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Counter>,
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
    #[prost(int64, optional, tag = "6")]
    pub timestamp_ms: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    pub unit: Option<String>,
}

/// Decodes all messages, and sees that encoding them again gives the same length: nothing was unknown.
pub fn decode(mut bytes: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let before = bytes.len();
        let family = MetricFamily::decode_length_delimited(&mut bytes).unwrap();
        assert_eq!(
            family.encode_length_delimited_to_vec().len(),
            before - bytes.len(),
            "{family:?}"
        );
        families.push(family);
    }
    families
}

impl Metric {
    pub fn labels(&self) -> crate::parse::Labels {
        let pairs = self.label.iter();
        pairs
            .map(|pair| (pair.name.clone().unwrap(), pair.value.clone().unwrap()))
            .collect()
    }
}

impl Histogram {
    /// Buckets of the native histogram by number, empty ones not among them.
    pub fn native(&self) -> Vec<(i32, u64)> {
        let (mut buckets, mut number, mut count) = (Vec::new(), 0i32, 0i64);
        let mut deltas = self.positive_delta.iter();
        for (at, span) in self.positive_span.iter().enumerate() {
            assert!(at == 0 || span.offset.unwrap() >= 0);
            number += span.offset.unwrap();
            for _ in 0..span.length.unwrap() {
                count += deltas.next().unwrap();
                if count > 0 {
                    buckets.push((number, count as u64));
                }
                number += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        buckets
    }
}

fn time(of: &Option<Timestamp>) -> String {
    of.as_ref().map_or(String::new(), |time| {
        format!(" created={}.{:09}", time.seconds, time.nanos)
    })
}

/// For people, and for expected files.
pub fn print(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        let _ = write!(out, "{:?} type={}", family.name(), family.kind());
        if let Some(unit) = &family.unit {
            let _ = write!(out, " unit={unit:?}");
        }
        let _ = writeln!(out, " help={:?}", family.help());
        for metric in &family.metric {
            let _ = write!(out, "  {:?}", metric.labels());
            if let Some(counter) = &metric.counter {
                let _ = write!(out, " counter {:?}{}", counter.value(), time(&counter.created));
            }
            if let Some(gauge) = &metric.gauge {
                let _ = write!(out, " gauge {:?}", gauge.value());
            }
            if let Some(histogram) = &metric.histogram {
                let _ = write!(
                    out,
                    " histogram count={} sum={:?}",
                    histogram.sample_count(),
                    histogram.sample_sum()
                );
                let _ = write!(out, "{}", time(&histogram.created));
                if let Some(schema) = histogram.schema {
                    let spans = histogram
                        .positive_span
                        .iter()
                        .map(|span| (span.offset(), span.length()));
                    let _ = write!(
                        out,
                        "\n    schema={schema} zero={:?}:{}",
                        histogram.zero_threshold(),
                        histogram.zero_count()
                    );
                    let _ = write!(
                        out,
                        " spans={:?} deltas={:?}",
                        spans.collect::<Vec<_>>(),
                        histogram.positive_delta
                    );
                }
                for bucket in &histogram.bucket {
                    let _ = write!(
                        out,
                        "\n    <= {:?}: {}",
                        bucket.upper_bound(),
                        bucket.cumulative_count()
                    );
                }
            }
            out.push('\n');
        }
    }
    out
}
