//! Native histograms: the same boundaries as ours, so that nothing is lost.
//!
//! Prometheus' bucket `n` of schema `s` is (2^((n−1)/2^s), 2^(n/2^s)], and ours `i` ends at 2^((low × 2^s + i) / 2^s): schema is scale,
//! and n = low × 2^s + i.
//!
//! * The *low* bucket, [0, 2^low], is the zero bucket with the threshold 2^low, inclusive there as here; the first ordinary bucket
//!   begins where it ends.
//! * The *overflow* bucket, (2^high, +Inf), has no counterpart: buckets go on to the greatest float, and there is one for infinity
//!   after that. It goes there. The bucket after 2^high would claim that no value is much greater; outside all buckets the count
//!   would not be their sum, which Prometheus refuses. In the bucket of infinity no value is shown under a bound that it may exceed,
//!   as everywhere in the format (SPEC.md, section 14), and a quantile that falls there is +Inf: beyond the range.

use shmetrics::buckets::Exponential;
use shmetrics::snapshot::Histogram;

use super::wire::{push_double, push_message, push_u64, push_varint, zigzag};

// Fields of `io.prometheus.client.Histogram` and `BucketSpan`.
const SCHEMA: u32 = 5;
const ZERO_THRESHOLD: u32 = 6;
const ZERO_COUNT: u32 = 7;
const POSITIVE_SPAN: u32 = 12;
const POSITIVE_DELTA: u32 = 13;
const OFFSET: u32 = 1;
const LENGTH: u32 = 2;

/// Empty buckets that are told as such rather than by a new span, which takes more bytes.
const SHORT_GAP: i32 = 2;

/// The exponent of the first power of two that is no float: the last finite bucket would end there.
const BEYOND_FLOATS: i32 = 1024;

/// Number of the bucket of infinity.
const fn infinity(scheme: Exponential) -> i32 {
    (BEYOND_FLOATS << scheme.scale()) + 1
}

/// Buckets that hold something, by Prometheus' numbers, ascending; the low bucket is not among them.
fn buckets(scheme: Exponential, counts: &[u64]) -> impl Iterator<Item = (i32, u64)> {
    let first = i32::from(scheme.low()) << scheme.scale();
    let overflow = scheme.buckets() - 1;
    let number = move |index: usize| {
        if index == overflow {
            infinity(scheme)
        } else {
            first + index as i32
        }
    };
    let ordinary = counts.iter().enumerate().take(overflow + 1).skip(1);
    ordinary
        .filter(|(_, count)| **count > 0)
        .map(move |(index, count)| (number(index), *count))
}

/// Appends the fields of a native histogram.
pub(super) fn push(out: &mut Vec<u8>, scheme: Exponential, histogram: &Histogram) {
    push_u64(out, SCHEMA, zigzag(i64::from(scheme.scale())));
    push_double(out, ZERO_THRESHOLD, scheme.upper_bound(0));
    push_u64(out, ZERO_COUNT, histogram.counts.first().copied().unwrap_or(0));
    if buckets(scheme, &histogram.counts).next().is_none() {
        return;
    }
    push_spans(out, scheme, &histogram.counts);
    let mut before = 0u64;
    let mut next = None;
    let delta = |out: &mut Vec<u8>, count: u64, before: &mut u64| {
        push_varint(out, zigzag(count.wrapping_sub(*before) as i64));
        *before = count;
    };
    push_message(out, POSITIVE_DELTA, |out| {
        for (number, count) in buckets(scheme, &histogram.counts) {
            let gap = next.map_or(0, |next: i32| number - next);
            if gap <= SHORT_GAP {
                (0..gap).for_each(|_| delta(out, 0, &mut before));
            }
            delta(out, count, &mut before);
            next = Some(number + 1);
        }
    });
}

/// Runs of buckets: how far from the end of the one before, and how many.
fn push_spans(out: &mut Vec<u8>, scheme: Exponential, counts: &[u64]) {
    let span = |out: &mut Vec<u8>, offset: i32, length: u32| {
        if length > 0 {
            push_message(out, POSITIVE_SPAN, |out| {
                push_u64(out, OFFSET, zigzag(i64::from(offset)));
                push_u64(out, LENGTH, u64::from(length));
            });
        }
    };
    // The first offset is from bucket 0.
    let (mut offset, mut length, mut next) = (0, 0u32, 0);
    for (number, _) in buckets(scheme, counts) {
        let gap = number - next;
        if length > 0 && gap <= SHORT_GAP {
            length += gap as u32 + 1;
        } else {
            span(out, offset, length);
            (offset, length) = (gap, 1);
        }
        next = number + 1;
    }
    span(out, offset, length);
}
