//! Putting the numbers in.

use shmetrics::snapshot::{BucketScheme, Histogram, Number, Value};

use super::wire::*;
use super::{Parts, Plan, SeriesParts, VALUE, family, float, histogram, metric, native, push_label};
use crate::bounds::ClassicBucket;
use crate::each::Processes;
use crate::encoder::Source;
use crate::filter::Filter;
use crate::resolve::{PROCESS, SLOT, STATUS, TEXT};

impl Plan {
    /// Appends all families that pass the filter. `sources` are those of the plan.
    pub(crate) fn write(
        &self,
        sources: &[Source<'_>],
        filter: Filter<'_>,
        processes: &mut Processes,
        out: &mut Vec<u8>,
    ) {
        for family in &self.families {
            if !filter.passes(&family.original, &family.base, family.kind) {
                continue;
            }
            let start = out.len();
            let mut told = false;
            push_delimited(out, |out| {
                out.extend_from_slice(self.constants.get(family.head));
                let body = out.len();
                for parts in &self.series[family.series.clone()] {
                    let source = sources.get(parts.source).map(|source| &source.snapshot.series);
                    if let Some(series) = source.and_then(|series| series.get(parts.series)) {
                        self.write_series(parts, &series.value, processes, out);
                    }
                }
                told = out.len() > body;
            });
            if !told {
                out.truncate(start);
            }
        }
    }

    #[inline]
    fn write_series(&self, parts: &SeriesParts, value: &Value, processes: &mut Processes, out: &mut Vec<u8>) {
        let part = parts.part;
        match (&parts.parts, value) {
            (Parts::Sample { prefix }, value) => {
                let value = match *value {
                    // What protobuf can hold: above 2^53 the nearest.
                    Value::CounterU64(value) => value as f64,
                    Value::Events(totals) => totals.written as f64,
                    Value::CounterF64(value) => value,
                    Value::Number(value) => super::float(value),
                    Value::GaugeI64(Some(value)) => value as f64,
                    Value::GaugeF64(Some(value)) => value,
                    Value::Group(ref group) => match group.fields.get(part) {
                        Some(field) => field.value as f64,
                        None => return,
                    },
                    Value::InFlight(ref value) => value.number as f64,
                    ref other => match crate::each::as_gauge(other) {
                        Some(number) => float(number),
                        None => return,
                    },
                };
                out.extend_from_slice(self.constants.get(*prefix));
                out.extend_from_slice(&value.to_le_bytes());
            }
            (Parts::Each { labels }, Value::Each(values)) => {
                let labels = self.constants.get(*labels);
                processes.each(values, |value, process, slot| {
                    push_message(out, family::METRIC, |out| {
                        push_process(out, labels, value.slot, process, slot);
                        push_gauge(out, value.value);
                    });
                });
            }
            (Parts::State { labels }, Value::State(states)) => {
                let labels = self.constants.get(*labels);
                processes.each(states, |state, process, slot| {
                    crate::each::statuses(state, |status, streak| {
                        push_message(out, family::METRIC, |out| {
                            push_process(out, labels, state.slot, process, slot);
                            push_label(out, STATUS, status);
                            push_gauge(out, Number::U64(streak));
                        });
                    });
                });
            }
            (Parts::Text { labels }, Value::Text(value)) => {
                if let Some(text) = value.text() {
                    push_message(out, family::METRIC, |out| {
                        out.extend_from_slice(self.constants.get(*labels));
                        push_label(out, TEXT, text);
                        push_gauge(out, Number::U64(1));
                    });
                }
            }
            (
                Parts::Histogram {
                    labels,
                    created,
                    classic,
                    native,
                },
                Value::Histogram(histogram),
            ) => {
                push_message(out, family::METRIC, |out| {
                    out.extend_from_slice(self.constants.get(*labels));
                    push_message(out, metric::HISTOGRAM, |out| {
                        self.push_histogram(out, histogram, &self.buckets[classic.clone()]);
                        out.extend_from_slice(self.constants.get(*created));
                        if let (true, BucketScheme::Exponential(scheme)) = (*native, &histogram.scheme) {
                            native::push(out, *scheme, histogram);
                        }
                    });
                });
            }
            _ => {}
        }
    }

    fn push_histogram(&self, out: &mut Vec<u8>, histogram: &Histogram, classic: &[ClassicBucket]) {
        // That of the buckets, so that they always agree. Only a damaged file has counts that do not fit.
        let total = histogram
            .counts
            .iter()
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        push_u64(out, histogram::SAMPLE_COUNT, total);
        push_double(out, histogram::SAMPLE_SUM, histogram.sum);
        let (mut cumulative, mut next) = (0u64, 0);
        for bucket in classic {
            while next <= bucket.last {
                cumulative = cumulative.saturating_add(histogram.counts.get(next).copied().unwrap_or(0));
                next += 1;
            }
            push_message(out, histogram::BUCKET, |out| {
                push_u64(out, histogram::CUMULATIVE_COUNT, cumulative);
                push_double(out, histogram::UPPER_BOUND, bucket.bound);
            });
        }
    }
}

fn push_process(out: &mut Vec<u8>, labels: &[u8], number: u64, process: &str, slot: bool) {
    out.extend_from_slice(labels);
    push_label(out, PROCESS, process);
    if slot {
        push_message(out, metric::LABEL, |out| {
            push_text(out, 1, SLOT);
            push_message(out, 2, |out| crate::number::push(out, Number::U64(number)));
        });
    }
}

fn push_gauge(out: &mut Vec<u8>, value: Number) {
    push_message(out, metric::GAUGE, |out| push_double(out, VALUE, float(value)));
}
