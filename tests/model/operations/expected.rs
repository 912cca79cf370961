//! What must come out of operations, kept in the plainest way.

use std::collections::BTreeSet;

use super::*;

/// What must come out, kept in the plainest way.
#[derive(Debug, Default)]
pub(super) struct Model {
    counter: u64,
    float: f64,
    integers: Vec<u64>,
    floats: Vec<f64>,
    classic: Vec<f64>,
    labels: BTreeMap<[usize; 2], u64>,
    balance: Option<i64>,
    gauges: BTreeMap<(usize, bool), i64>,
    whole: i64,
    float_part: Option<f64>,
    samples: Vec<f64>,
    marks: Option<(u64, u64)>,
    told: u64,
    left: BTreeSet<u8>,
}

impl Model {
    pub(super) fn apply(&mut self, batch: &Batch) {
        for (actor, ops) in &batch.actors {
            for op in ops.iter().filter(|op| actor.can(op)) {
                match *op {
                    Op::Inc => self.counter += 1,
                    Op::Add(value) => self.counter += value,
                    Op::FloatAdd(value) => self.float += f64::from(value),
                    Op::Integer(value) => self.integers.push(value),
                    Op::Float(value) => self.floats.push(value),
                    Op::Classic(value) => self.classic.push(value),
                    Op::Label(label, count, _) => *self.labels.entry(label).or_default() += count,
                    // The gauge of a process ends with it.
                    Op::Balance(_) if actor.is_process() => {}
                    Op::Balance(value) => *self.balance.get_or_insert(0) += i64::from(value),
                    Op::Number(value) => self.whole = self.whole.wrapping_add(value),
                    Op::NumberFloat(value) => *self.float_part.get_or_insert(0.0) += f64::from(value),
                    Op::Sample(value) => self.samples.push(value.into()),
                    Op::Mark(at_ns) => {
                        // 0 stands for never.
                        let at_ns = at_ns.max(1);
                        let (first, last) = self.marks.unwrap_or((at_ns, at_ns));
                        self.marks = Some((first.min(at_ns), last.max(at_ns)));
                    }
                    Op::Tell(_) => self.told += 1,
                    Op::Key(key, true) if !actor.is_process() => {
                        self.left.insert(key);
                    }
                    Op::Key(..) => {}
                }
            }
        }
        for op in &batch.gauges {
            let value = i64::from(op.value);
            let old = self.gauges.get(&(op.rule, op.float)).copied();
            let new = match (op.write, old) {
                (Write::Set, _) | (Write::SetMax | Write::SetMin, None) => value,
                (Write::Add, _) => old.unwrap_or(0) + value,
                (Write::Sub, _) => old.unwrap_or(0) - value,
                (Write::SetMax, Some(old)) => old.max(value),
                (Write::SetMin, Some(old)) => old.min(value),
            };
            self.gauges.insert((op.rule, op.float), new);
        }
    }

    pub(super) fn compare(&self, snapshot: &Snapshot, setup: &Setup) {
        let value = |name: &str| &snapshot.find(name, &[]).unwrap().value;
        assert_eq!(value("counter_total"), &Value::CounterU64(self.counter));
        assert_eq!(value("float_total"), &Value::CounterF64(self.float));

        let mut labels: BTreeMap<(String, String), u64> = BTreeMap::new();
        for series in snapshot
            .series
            .iter()
            .filter(|series| series.description.name == "requests_total")
        {
            let [(code_name, code), (method_name, method)] = &series.description.labels[..] else {
                panic!("{series:?}");
            };
            assert_eq!([code_name, method_name], ["code", "method"]);
            let Value::CounterU64(count) = series.value else {
                panic!("{series:?}")
            };
            assert_eq!(
                labels.insert((method.clone(), code.clone()), count),
                None,
                "a series twice"
            );
        }
        let name = |&[method, code]: &[usize; 2]| (METHODS[method].to_owned(), CODES[code].to_owned());
        let expected = self
            .labels
            .iter()
            .map(|(label, count)| (name(label), *count))
            .collect();
        assert_eq!(labels, expected);

        let factor = UNITS[setup.unit].1;
        let exported: Vec<f64> = self.integers.iter().map(|value| *value as f64 * factor).collect();
        let total: u128 = self.integers.iter().map(|value| u128::from(*value)).sum();
        let scheme = setup.scheme(0);
        let index = |value: f64| scheme.index(value);
        assert_histogram(
            value("integer"),
            &BucketScheme::Exponential(scheme),
            index,
            &exported,
            0,
            total as f64 * factor,
        );

        let (valid, invalid) = split(&self.floats, |value| value.is_finite() && value >= 0.0);
        let scheme = setup.scheme(1);
        let (index, sum) = (|value: f64| scheme.index(value), valid.iter().sum());
        assert_histogram(
            value("float"),
            &BucketScheme::Exponential(scheme),
            index,
            &valid,
            invalid,
            sum,
        );

        let (valid, invalid) = split(&self.classic, f64::is_finite);
        let classic = Classic::new(&setup.bounds).unwrap();
        let (index, sum) = (|value: f64| classic.index(value), valid.iter().sum());
        let scheme = BucketScheme::Classic(classic.clone().into());
        assert_histogram(value("classic"), &scheme, index, &valid, invalid, sum);

        assert_eq!(value("balance"), &Value::GaugeI64(self.balance));
        self.compare_statistics(value);
        for (index, rule) in Merge::ALL.into_iter().enumerate() {
            let whole = self.gauges.get(&(index, false)).copied();
            let float = self.gauges.get(&(index, true)).map(|value| *value as f64);
            let each = |found: &Value, expected: Option<Number>| {
                let Value::Each(values) = found else {
                    panic!("{found:?}")
                };
                let values: Vec<Number> = values.iter().map(|value| value.value).collect();
                assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
            };
            let (found, found_float) = (value(rule.name()), value(&format!("float_{}", rule.name())));
            match rule {
                Merge::Each => {
                    each(found, whole.map(Number::I64));
                    each(found_float, float.map(Number::F64));
                    continue;
                }
                Merge::Mean => assert_eq!(found, &Value::GaugeF64(whole.map(|value| value as f64))),
                _ => assert_eq!(found, &Value::GaugeI64(whole), "{rule:?}"),
            }
            assert_eq!(found_float, &Value::GaugeF64(float), "{rule:?}");
        }
    }
}

impl Model {
    /// The kinds for statistics.
    fn compare_statistics<'s>(&self, value: impl Fn(&str) -> &'s Value) {
        let number = match self.float_part {
            None => Number::I64(self.whole),
            Some(float) => Number::F64(self.whole as f64 + float),
        };
        assert_eq!(value("number"), &Value::Number(number));
        let Value::Samples(samples) = value("samples") else {
            panic!("{:?}", value("samples"))
        };
        assert_eq!((samples.count, samples.invalid), (self.samples.len() as u64, 0));
        assert_eq!(samples.values.len() as u64, KEPT.min(samples.count));
        assert!(samples.values.iter().all(|value| self.samples.contains(value)));
        let marks = self.marks.unzip();
        assert_eq!(value("first_mark"), &Value::TimeMark(marks.0));
        assert_eq!(value("last_mark"), &Value::TimeMark(marks.1));
        let Value::Events(told) = value("told") else {
            panic!("{:?}", value("told"))
        };
        assert_eq!(told.written + told.dropped, self.told);
        let Value::InFlight(keys) = value("keys") else {
            panic!("{:?}", value("keys"))
        };
        assert_eq!((keys.number, keys.parked), (self.left.len() as u64, 0));
    }
}

/// The values that are observations, and how many are none.
fn split(values: &[f64], is_valid: impl Fn(f64) -> bool) -> (Vec<f64>, u64) {
    let valid: Vec<f64> = values.iter().copied().filter(|value| is_valid(*value)).collect();
    let invalid = (values.len() - valid.len()) as u64;
    (valid, invalid)
}

#[track_caller]
fn assert_histogram(
    value: &Value,
    scheme: &BucketScheme,
    index: impl Fn(f64) -> usize,
    observations: &[f64],
    invalid: u64,
    sum: f64,
) {
    let Value::Histogram(histogram) = value else {
        panic!("{value:?}")
    };
    let mut counts = vec![0; scheme.buckets()];
    observations.iter().for_each(|value| counts[index(*value)] += 1);
    let extreme = |choose: fn(f64, f64) -> f64| observations.iter().copied().reduce(choose);
    assert_eq!(&histogram.scheme, scheme);
    assert_eq!(histogram.count, observations.len() as u64);
    assert_eq!(histogram.counts, counts);
    assert_eq!(histogram.sum, sum);
    assert_eq!(
        (histogram.min, histogram.max),
        (extreme(f64::min), extreme(f64::max))
    );
    assert_eq!(histogram.invalid, invalid);
    assert_eq!(histogram.quality, Quality::Exact);
}
