//! Putting the numbers in.

use shmetrics::snapshot::{BucketScheme, Histogram, Number, ProcessValue, Series, Value};

use super::line::push_pair;
use super::pages::{Kept, Page, Pages, Told};
use super::{FamilyLines, HistogramLines, Lines, Plan, SeriesLines};
use crate::constants::Span;
use crate::each::Processes;
use crate::encoder::Source;
use crate::filter::Filter;
use crate::number::{self, Cursor, Spot};
use crate::resolve::{PROCESS, SLOT, STATUS, TEXT};

impl SeriesLines {
    /// The series, where it was when the lines were prepared.
    #[inline]
    fn find<'a>(&self, sources: &[Source<'a>]) -> Option<&'a Series> {
        sources.get(self.source)?.snapshot.series.get(self.series)
    }
}

impl Plan {
    /// Appends all families that pass the filter. `sources` are those of the plan, `pages` are its own.
    pub(crate) fn write(
        &self,
        sources: &[Source<'_>],
        filter: Filter<'_>,
        pages: &mut Pages,
        processes: &mut Processes,
        out: &mut Vec<u8>,
    ) {
        for (family, page) in self.families.iter().zip(&mut pages.families) {
            if !filter.passes(&family.original, &family.base, family.kind) {
                continue;
            }
            let kept = &mut pages.numbers[family.series.clone()];
            let lines = &self.series[family.series.clone()];
            if !family.samples || page.is_blank() || !page.renew(lines, kept, sources, &mut pages.scratch) {
                self.rewrite(family, page, kept, sources);
            }
            let start = out.len();
            out.extend_from_slice(page.text());
            if family.each {
                for lines in &self.series[family.series.clone()] {
                    let value = lines.find(sources).map(|series| &series.value);
                    match (&lines.lines, value) {
                        (Lines::Each(stem), Some(value)) => self.push_each(*stem, value, processes, out),
                        (Lines::State(stem), Some(value)) => self.push_states(*stem, value, processes, out),
                        (Lines::Text(stem), Some(value)) => self.push_text(*stem, value, out),
                        _ => {}
                    }
                }
            }
            if out.len() == start + family.head.len() {
                // Nobody has set any of its gauges: metadata alone say nothing.
                out.truncate(start);
            }
        }
    }

    /// Writes a family anew.
    fn rewrite(&self, family: &FamilyLines, page: &mut Page, kept: &mut [Kept], sources: &[Source<'_>]) {
        page.rewrite(family.room, |cursor| {
            cursor.put(self.constants.get(family.head));
            for (lines, kept) in self.series[family.series.clone()].iter().zip(kept) {
                *kept = match lines.find(sources) {
                    Some(series) => self.put_series(lines, &series.value, cursor),
                    None => Kept::default(),
                };
            }
        });
    }

    #[inline(always)]
    fn put_series(&self, lines: &SeriesLines, value: &Value, cursor: &mut Cursor<'_>) -> Kept {
        let told = Told::of(value, lines.part);
        match (&lines.lines, value) {
            (Lines::Sample { prefix, end }, _) => {
                if let Some(number) = told.number() {
                    cursor.put(self.constants.get(*prefix));
                    let start = cursor.at();
                    cursor.put_line(number);
                    let spot = Spot::new(start, cursor.at() - 1, number);
                    if *end > prefix.end {
                        let tail = Span {
                            start: prefix.end,
                            end: *end,
                        };
                        cursor.put(self.constants.get(tail));
                    }
                    return Kept::new(told, spot);
                }
            }
            (Lines::Histogram(number), Value::Histogram(histogram)) => {
                if let Some(lines) = self.histograms.get(*number) {
                    cursor.put_with(|room| self.put_histogram(lines, histogram, room));
                }
            }
            _ => {}
        }
        Kept::default()
    }

    #[inline(never)]
    fn put_histogram(&self, lines: &HistogramLines, histogram: &Histogram, room: &mut [u8]) -> usize {
        let mut cursor = Cursor::new(room, 0);
        let (mut total, mut next) = (0u64, 0);
        for bucket in &self.buckets[lines.buckets.clone()] {
            while next <= bucket.last {
                // Only a damaged file has counts that do not fit; at the limit they stay monotone.
                total = total.saturating_add(histogram.counts.get(next).copied().unwrap_or(0));
                next += 1;
            }
            cursor.put(self.constants.get(bucket.prefix));
            cursor.put_line(Number::U64(total));
        }
        if !self.open_metrics || sum_is_allowed(histogram) {
            cursor.put(self.constants.get(lines.sum));
            cursor.put_line(Number::F64(histogram.sum));
            cursor.put(self.constants.get(lines.count));
            // The total is that of the buckets, so that they always agree.
            cursor.put_line(Number::U64(total));
        }
        cursor.put(self.constants.get(lines.tail));
        cursor.at()
    }

    fn push_each(&self, stem: Span, value: &Value, processes: &mut Processes, out: &mut Vec<u8>) {
        if let Value::Each(values) = value {
            let stem = self.constants.get(stem);
            processes.each(values, |value, process, slot| {
                self.push_process(stem, value, process, slot, out)
            });
        }
    }

    /// All statuses that a process declared: of the one that it has its streak, of the others 0. So no series comes and goes.
    fn push_states(&self, stem: Span, value: &Value, processes: &mut Processes, out: &mut Vec<u8>) {
        if let Value::State(states) = value {
            let stem = self.constants.get(stem);
            processes.each(states, |state, process, slot| {
                crate::each::statuses(state, |status, streak| {
                    self.push_labels(stem, state.slot, process, slot, out);
                    out.push(b',');
                    push_pair(out, STATUS, status);
                    out.extend_from_slice(b"} ");
                    number::push_line(out, Number::U64(streak));
                });
            });
        }
    }

    /// A line with the text, if there is one.
    fn push_text(&self, stem: Span, value: &Value, out: &mut Vec<u8>) {
        if let Value::Text(value) = value
            && let Some(text) = value.text()
        {
            out.extend_from_slice(self.constants.get(stem));
            push_pair(out, TEXT, text);
            out.extend_from_slice(b"} 1\n");
        }
    }

    fn push_process(&self, stem: &[u8], value: &ProcessValue, process: &str, slot: bool, out: &mut Vec<u8>) {
        self.push_labels(stem, value.slot, process, slot, out);
        out.extend_from_slice(b"} ");
        number::push_line(out, value.value);
    }

    /// Everything up to the label of the process.
    fn push_labels(&self, stem: &[u8], number: u64, process: &str, slot: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(stem);
        push_pair(out, PROCESS, process);
        // The same label names in the whole family, as elsewhere.
        if slot || self.open_metrics {
            out.push(b',');
            out.extend_from_slice(SLOT.as_bytes());
            out.extend_from_slice(b"=\"");
            if slot {
                number::push(out, Number::U64(number));
            }
            out.push(b'"');
        }
    }
}

/// OpenMetrics has a sum and a count only where the sum cannot go down: not if values may be negative.
fn sum_is_allowed(histogram: &Histogram) -> bool {
    let negative = match &histogram.scheme {
        BucketScheme::Exponential(_) => false,
        BucketScheme::Classic(classic) => classic.bounds().first().is_some_and(|bound| *bound < 0.0),
    };
    !negative && histogram.sum >= 0.0
}
