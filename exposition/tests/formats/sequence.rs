//! Exposition after exposition of the same series: what an encoder kept of those before is never seen.

use proptest::prelude::*;
use shmetrics::Snapshot;
use shmetrics::snapshot::{Series, Value};
use shmetrics_exposition::*;

use crate::{make, seed};

/// A number by the number of its digits, so that lengths stay, grow and shrink, and carries reach every digit.
fn whole() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        (0u32..20, 0u64..4).prop_map(|(digits, less)| 10u64.pow(digits).wrapping_sub(less)),
        (0u32..20, any::<u64>()).prop_map(|(digits, any)| any % 10u64.pow(digits).saturating_mul(10)),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    let odd = prop::sample::select(vec![0.0, -0.0, 0.5, 1.0, 0.25, -7.0, f64::NAN, f64::INFINITY]);
    prop_oneof![odd, any::<f64>()]
}

fn signed() -> impl Strategy<Value = i64> {
    (whole(), any::<bool>()).prop_map(|(value, negative)| {
        if negative {
            -((value >> 1) as i64)
        } else {
            (value >> 1) as i64
        }
    })
}

/// What happens to one series between two expositions.
#[derive(Clone, Debug)]
enum Change {
    /// By a few: mostly as many digits, sometimes a carry.
    Grow(u8),
    To {
        whole: u64,
        signed: i64,
        float: f64,
    },
    Unset,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => any::<u8>().prop_map(Change::Grow),
        2 => (whole(), signed(), float()).prop_map(|(whole, signed, float)| Change::To { whole, signed, float }),
        1 => Just(Change::Unset),
    ]
}

fn apply(series: &mut Series, change: &Change) {
    match (&mut series.value, change) {
        (Value::CounterU64(value), Change::Grow(by)) => *value = value.saturating_add(u64::from(*by)),
        (Value::CounterU64(value), Change::To { whole, .. }) => *value = *whole,
        (Value::CounterF64(value), Change::Grow(by)) => *value += f64::from(*by),
        (Value::CounterF64(value), Change::To { float, .. }) => *value = float.abs(),
        (Value::GaugeI64(value), Change::Grow(by)) => {
            *value = Some(value.unwrap_or(-3).saturating_add(i64::from(*by) - 100));
        }
        (Value::GaugeI64(value), Change::To { signed, .. }) => *value = Some(*signed),
        (Value::GaugeI64(value), Change::Unset) => *value = None,
        (Value::GaugeF64(value), Change::Grow(by)) => *value = Some(value.unwrap_or(0.5) - f64::from(*by)),
        (Value::GaugeF64(value), Change::To { float, .. }) => *value = Some(*float),
        (Value::GaugeF64(value), Change::Unset) => *value = None,
        (Value::Each(values), Change::Unset) => values.clear(),
        (Value::Each(_), Change::Grow(by)) => {
            series.value = make::each(&[("web", u64::from(by % 4), i64::from(*by))])
        }
        (Value::Histogram(histogram), Change::Grow(by)) => {
            let at = usize::from(*by) % histogram.counts.len();
            histogram.counts[at] += 1;
            histogram.sum += f64::from(*by);
        }
        // Counters are never unset, and of the others other changes are enough.
        _ => {}
    }
}

/// Series of one type are one family, whatever their numbers are.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::CounterU64(_) | Value::CounterF64(_) => "counter",
        Value::Histogram(_) => "histogram",
        _ => "gauge",
    }
}

/// Two families of each type, in one order or another, some with several series.
fn service() -> impl Strategy<Value = Vec<Series>> {
    let kinds = vec![
        Value::CounterU64(7),
        Value::CounterF64(0.5),
        Value::GaugeI64(None),
        Value::GaugeI64(Some(99)),
        Value::GaugeF64(Some(1.0)),
        make::each(&[("web", 0, 4)]),
        make::classic(&[0.5, 2.0], &[1, 2, 3], 4.0),
    ];
    let series = (prop::sample::select(kinds), 0u8..2, any::<u8>());
    prop::collection::vec(series, 1..24).prop_map(|all| {
        let mut known = std::collections::HashSet::new();
        let unique = all
            .into_iter()
            .filter(|(value, family, label)| known.insert((kind(value), *family, *label)));
        unique
            .map(|(value, family, label)| {
                make::series(
                    &format!("family{family}"),
                    &[("label", &label.to_string())],
                    value,
                )
            })
            .collect()
    })
}

/// Counters and whole gauges as anybody would write them: all other formats and kinds are held against an encoder that kept nothing.
fn naive(snapshot: &Snapshot) -> Vec<String> {
    let line = |series: &Series, suffix: &str, value: String| {
        let description = &series.description;
        format!(
            "{}{suffix}{{label=\"{}\"}} {value}",
            description.name, description.labels[0].1
        )
    };
    let number = |series: &Series| match series.value {
        Value::CounterU64(value) => Some(line(series, "_total", value.to_string())),
        Value::GaugeI64(Some(value)) => Some(line(series, "", value.to_string())),
        _ => None,
    };
    snapshot.series.iter().filter_map(number).collect()
}

proptest! {
    #![proptest_config(seed::config(400))]

    #[test]
    fn what_was_told_before_is_never_seen(
        service in service(),
        steps in prop::collection::vec((prop::collection::vec(prop::option::weighted(0.4, change()), 24), any::<bool>()), 1..12),
    ) {
        let mut encoders: Vec<(Choice, Encoder)> = [Format::Text004, Format::OpenMetrics100, Format::Protobuf]
            .map(|format| (Choice { format, ..Choice::default() }, Encoder::new(Options::default())))
            .into();
        let mut snapshot = make::snapshot(service);
        for (changes, filtered) in steps {
            for (series, change) in snapshot.series.iter_mut().zip(&changes) {
                if let Some(change) = change {
                    apply(series, change);
                }
            }
            // Some families are passed over now and then, and told again later.
            let filter = if filtered { Filter::names(&["family1"]) } else { Filter::all() };
            let told = |encoder: &mut Encoder, choice: Choice| {
                let mut out = b"before".to_vec();
                encoder.encode(&[Source { name: "", snapshot: &snapshot }], &[], choice, filter, &mut out);
                out
            };
            for (choice, encoder) in &mut encoders {
                let out = told(encoder, *choice);
                let fresh = told(&mut Encoder::new(Options::default()), *choice);
                prop_assert!(out == fresh, "{}\nfresh:\n{}", out.escape_ascii(), fresh.escape_ascii());
                if choice.format == Format::Text004 && !filtered {
                    let text = String::from_utf8(out).unwrap();
                    for line in naive(&snapshot) {
                        prop_assert!(text.lines().any(|told| told == line), "no {} in {}", line, text);
                    }
                }
            }
        }
    }
}
