//! Whatever a segment may say comes out valid, complete and once, in every format.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shmetrics::buckets::Exponential;
use shmetrics::snapshot::{BucketScheme, Histogram, Series, Value};
use shmetrics_exposition::*;

use crate::make;
use crate::parse::{self, Family};

/// Names that are the same after escaping, that end as others' samples do, that mean something, that are hostile; and any text.
fn name() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "a",
        "a_b",
        "a.b",
        "a-b",
        "U__a_2e_b",
        "U__a__b",
        "a_total",
        "a_total_total",
        "a_bucket",
        "a_sum",
        "a_count",
        "a_created",
        "_total",
        "total",
        "le",
        "__name__",
        "segment",
        "process",
        "slot",
        "exported_le",
        "0",
        "é",
        "花火",
        "a b",
        "a{b=\"c\"}",
        "# TYPE a gauge",
        "a\nb 1",
        "a\"",
        "a\\",
        ":",
        "a:b",
        "{",
        "NaN",
        "a_b_seconds",
    ]);
    prop_oneof![4 => odd.prop_map(str::to_owned), 1 => any::<String>().prop_filter("a name has a byte", |name| !name.is_empty())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "v",
            "w",
            "\\",
            "\"",
            "\n",
            "a\\\nb\"c",
            "\u{0}\u{1b}",
            "}",
            "1"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

pub fn exponential() -> impl Strategy<Value = Exponential> {
    (0u8..=7, -1022i16..=1022, 1i16..=3).prop_filter_map("buckets", |(scale, low, octaves)| {
        Exponential::new(scale, low, (low + octaves).min(Exponential::MAX_HIGH))
    })
}

fn histogram() -> impl Strategy<Value = Value> {
    // Sums of counts stay below what the parsers read exactly.
    let count = prop_oneof![3 => Just(0u64), 2 => 1u64..5, 1 => 1u64..(1 << 40)];
    let sparse = (
        exponential(),
        prop::collection::vec((any::<prop::sample::Index>(), count.clone()), 0..12),
        0.0..1e300,
    );
    let sparse = sparse.prop_map(|(scheme, filled, sum)| {
        let mut counts = vec![0; scheme.buckets()];
        filled
            .into_iter()
            .for_each(|(at, count)| counts[at.index(scheme.buckets())] = count);
        make::histogram(BucketScheme::Exponential(scheme), counts, sum)
    });
    let bounds = prop::collection::btree_set(-1_000_000i64..10_000_000, 1..6);
    let classic =
        (bounds, prop::collection::vec(count, 7), any::<f64>()).prop_map(|(bounds, counts, sum)| {
            let bounds: Vec<f64> = bounds.into_iter().map(|bound| bound as f64 / 64.0).collect();
            make::classic(&bounds, &counts[..=bounds.len()], sum)
        });
    prop_oneof![sparse, classic]
}

fn value() -> impl Strategy<Value = Value> {
    let float = prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)];
    let process = (
        prop::sample::select(vec!["", "web", "slot-1", "a\"\n"]),
        0u64..4,
        any::<i64>(),
    );
    prop_oneof![
        any::<u64>().prop_map(Value::CounterU64),
        // A reader never tells a negative counter, nor one that is not a number.
        (0.0..=f64::MAX).prop_map(Value::CounterF64),
        prop::option::of(any::<i64>()).prop_map(Value::GaugeI64),
        prop::option::of(float).prop_map(Value::GaugeF64),
        prop::collection::vec(process, 0..5).prop_map(|values| make::each(&values)),
        histogram(),
        prop::collection::vec(any::<u64>(), 1..=3).prop_map(|values| make::group(&values)),
    ]
}

/// Series of one segment: a label set only once in a family, as a reader sees to it.
pub fn segment() -> impl Strategy<Value = Vec<Series>> {
    let labels = prop::collection::btree_map(name(), text(), 0..4);
    let one = (
        name(),
        labels,
        value(),
        text(),
        prop::sample::select(vec!["", "seconds", "b", "\n"]),
    );
    prop::collection::vec(one, 0..10).prop_map(|all| {
        let mut known = std::collections::HashSet::new();
        let mut series = Vec::new();
        for (name, labels, value, help, unit) in all {
            let kind = std::mem::discriminant(&value);
            if known.insert((name.clone(), kind, labels.clone())) {
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, value)| (&**name, &**value)).collect();
                series.push(make::described(make::series(&name, &labels, value), &help, unit));
            }
        }
        series
    })
}

fn encoded(segments: &[Vec<Series>], choice: Choice, bounds: Bounds) -> (Vec<u8>, LeftOut) {
    let snapshots: Vec<_> = segments.iter().cloned().map(make::snapshot).collect();
    let names = ["shop", "ti\"ll\n"];
    let sources: Vec<_> = names
        .iter()
        .zip(&snapshots)
        .map(|(name, snapshot)| Source { name, snapshot })
        .collect();
    let mut options = Options::default();
    options.bounds = bounds;
    let mut encoder = Encoder::new(options);
    let mut out = Vec::new();
    let left_out = encoder.encode(&sources, &[], choice, Filter::all(), &mut out);
    // What is kept says the same as what was just prepared.
    let mut again = Vec::new();
    assert_eq!(
        encoder.encode(&sources, &[], choice, Filter::all(), &mut again),
        left_out
    );
    assert_eq!(out, again);
    (out, left_out)
}

/// What must come out, whatever the names: how often each value, as it is written; of histograms their count, if it may be told.
fn told(segments: &[Vec<Series>]) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    let mut add = |text: String| *told.entry(text).or_insert(0) += 1;
    let number = |value: f64| match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => format!("{value:+}").replace("inf", "Inf"),
        value => format!("{:016x}", value.to_bits()),
    };
    for series in segments.iter().flatten() {
        match &series.value {
            Value::CounterU64(value) => add(format!("{value}")),
            Value::GaugeI64(Some(value)) => add(format!("{value}")),
            Value::CounterF64(value) | Value::GaugeF64(Some(value)) => add(number(*value)),
            Value::Each(values) => {
                let mut slots = std::collections::HashSet::new();
                for value in values {
                    let role = if value.role.is_empty() {
                        format!("slot-{}", value.slot)
                    } else {
                        value.role.to_string()
                    };
                    if let shmetrics::snapshot::Number::I64(number) = value.value
                        && slots.insert((role, value.slot))
                    {
                        add(format!("{number}"));
                    }
                }
            }
            Value::Group(group) => group
                .fields
                .iter()
                .for_each(|field| add(format!("{}", field.value))),
            Value::Histogram(histogram) => add(format!("+Inf {}", total(histogram))),
            _ => {}
        }
    }
    told
}

fn total(histogram: &Histogram) -> u64 {
    histogram.counts.iter().sum()
}

/// As [`told`], of what was parsed.
fn found(families: &[Family]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for family in families {
        for sample in &family.samples {
            let suffix = &sample.name[family.name.len()..];
            let text = match (family.kind.as_str(), suffix) {
                ("histogram", "_bucket") if sample.labels["le"] == "+Inf" => format!("+Inf {}", sample.value),
                ("histogram", _) | (_, "_created") => continue,
                _ if sample.value.contains(['.', 'e']) => format!("{:016x}", sample.number().to_bits()),
                _ => sample.value.clone(),
            };
            *found.entry(text).or_insert(0) += 1;
        }
    }
    found
}

proptest! {
    #![proptest_config(crate::seed::config(192))]

    #[test]
    fn every_text_is_valid_complete_and_tells_every_series_once(segments in prop::collection::vec(segment(), 1..3)) {
        for format in [Format::Text004, Format::OpenMetrics100] {
            for escaping in Escaping::ALL {
                let (text, left_out) = encoded(&segments, Choice { format, escaping }, Bounds::Octaves);
                let families = parse::parse(std::str::from_utf8(&text).unwrap(), make::is_open_metrics(format));
                let (told, found) = (told(&segments), found(&families));
                if left_out == LeftOut::default() {
                    prop_assert_eq!(&told, &found);
                }
                // Nothing is invented.
                for (value, times) in &found {
                    prop_assert!(told.get(value).is_some_and(|told| told >= times), "{}", value);
                }
            }
        }
    }

    #[test]
    fn names_and_labels_survive_where_utf8_is_allowed(series in segment()) {
        let (text, left_out) = encoded(std::slice::from_ref(&series), Choice { format: Format::Text100, escaping: Escaping::AllowUtf8 }, Bounds::Octaves);
        let families = parse::parse(std::str::from_utf8(&text).unwrap(), false);
        let find = |name: &str, labels: &parse::Labels| families.iter().flat_map(|family| &family.samples)
            .find(|sample| sample.name == name && sample.labels == *labels);
        for series in &series {
            let description = &series.description;
            let own = description.labels.iter().any(|(name, _)| ["le", "process", "slot"].contains(&&**name) || name.starts_with("__"));
            let number = match series.value {
                Value::GaugeI64(Some(value)) => value.to_string(),
                Value::CounterU64(value) => value.to_string(),
                _ => continue,
            };
            if own || left_out != LeftOut::default() {
                continue;
            }
            let suffix = if matches!(series.value, Value::CounterU64(_)) && (!description.name.ends_with("_total") || description.name == "_total") { "_total" } else { "" };
            let labels = description.labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            // Under its own name, or, if that belongs to another family, under one that tells it.
            let sample = find(&format!("{}{suffix}", description.name), &labels);
            let renamed = families.iter().any(|family| family.name.starts_with("U__") && family.samples.iter().any(|sample| sample.value == number));
            prop_assert!(sample.is_some_and(|sample| sample.value == number) || renamed, "{:?} in {:?}", series, families);
        }
    }

    #[test]
    fn protobuf_is_valid_and_native_histograms_lose_nothing(segments in prop::collection::vec(segment(), 1..3)) {
        for escaping in Escaping::ALL {
            let (bytes, left_out) = encoded(&segments, Choice { format: Format::Protobuf, escaping }, Bounds::Every);
            let families = crate::proto::decode(&bytes);
            let mut known = std::collections::HashSet::new();
            let mut histograms = Vec::new();
            for family in &families {
                prop_assert!(known.insert(family.name().to_owned()));
                prop_assert!(!family.metric.is_empty());
                if escaping != Escaping::AllowUtf8 {
                    prop_assert!(parse::is_plain(family.name(), true), "{}", family.name());
                }
                let mut labels = std::collections::HashSet::new();
                for metric in &family.metric {
                    prop_assert!(labels.insert(metric.labels()), "twice: {:?}", metric);
                    prop_assert_eq!(metric.timestamp_ms, None);
                    prop_assert_eq!(metric.labels().len(), metric.label.len());
                    histograms.extend(metric.histogram.clone());
                }
            }
            if left_out != LeftOut::default() {
                continue;
            }
            let ours = segments.iter().flatten().filter_map(|series| match &series.value {
                Value::Histogram(histogram) => Some(histogram),
                _ => None,
            });
            for ours in ours {
                let same = |theirs: &crate::proto::Histogram| crate::native::is_lossless(ours, theirs);
                prop_assert!(histograms.iter().any(same), "{:?} in {:?}", ours, histograms);
            }
        }
    }
}
