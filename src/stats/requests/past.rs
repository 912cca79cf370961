//! The restored past, field by field, added to figures.

use std::time::Duration;

use super::document::OTHER;
use super::gathered::add_at;
use super::record::{CODE, ERROR, EXTRA, EXTRA_FLOAT, RETRIES, RETRY_ERROR, SEGMENT};
use super::{ErrorCounts, Figures};
use crate::snapshot::Number;

/// Adds a field of the past.
pub(super) fn add(figures: &mut Figures, field: &str, value: i64) {
    let count = value.max(0) as u64;
    let duration = Duration::from_nanos(count);
    let plus = |sum: &mut u64| *sum = sum.saturating_add(count);
    let longer = |sum: &mut Duration| *sum = sum.saturating_add(duration);
    match field {
        "finished" => plus(&mut figures.requests_finished),
        "failed" => plus(&mut figures.requests_failed),
        "finished_timed" => plus(&mut figures.finished_with_duration),
        "failed_timed" => plus(&mut figures.failed_with_duration),
        "retries_more" => plus(&mut figures.requests_retries),
        "started" => plus(&mut figures.requests_started),
        "retried" => plus(&mut figures.retries_started),
        "finished_ns" => longer(&mut figures.request_total_finished_duration),
        "failed_ns" => longer(&mut figures.request_total_failed_duration),
        "runtime_ns" => longer(&mut figures.crawler_runtime),
        "min_ns" => {
            let known = figures.request_min_duration;
            figures.request_min_duration = Some(known.map_or(duration, |known| known.min(duration)));
        }
        "max_ns" => figures.request_max_duration = figures.request_max_duration.max(Some(duration)),
        "started_at_ns" => {
            let known = figures.crawler_started_at_ns;
            figures.crawler_started_at_ns = Some(known.map_or(count, |known| known.min(count)));
        }
        // Those of this segment are later, if it has any.
        "last_started_at_ns" => {
            figures.crawler_last_started_at_ns.get_or_insert(count);
        }
        "finished_at_ns" if figures.processes == 0 => {
            figures.crawler_finished_at_ns.get_or_insert(count);
        }
        _ => named(figures, field, value, count),
    }
}

/// Adds a field whose name has a part.
fn named(figures: &mut Figures, field: &str, value: i64, count: u64) {
    let error = |counts: &mut ErrorCounts, group: &str| {
        counts.add((group != OTHER).then(|| group.to_owned()), count);
    };
    if let Some(index) = field
        .strip_prefix(RETRIES)
        .and_then(|index| index.parse::<u16>().ok())
    {
        add_at(&mut figures.request_retry_histogram, usize::from(index), count);
    } else if let Some(code) = field.strip_prefix(CODE) {
        let known = figures
            .requests_with_status_code
            .entry(code.to_owned())
            .or_default();
        *known = known.saturating_add(count);
    } else if let Some(group) = field.strip_prefix(ERROR) {
        error(&mut figures.errors, group);
    } else if let Some(group) = field.strip_prefix(RETRY_ERROR) {
        error(&mut figures.retry_errors, group);
    } else if let Some(name) = field.strip_prefix(EXTRA) {
        extra(figures, name, Number::I64(value));
    } else if let Some(name) = field.strip_prefix(EXTRA_FLOAT) {
        extra(figures, name, Number::F64(f64::from_bits(value as u64)));
    } else if let Some(id) = field.strip_prefix(SEGMENT)
        && let Ok(id) = u64::from_str_radix(id, 16)
    {
        figures.earlier_segment_ids.insert(count, id);
    }
}

fn extra(figures: &mut Figures, name: &str, past: Number) {
    let float = |number: Number| match number {
        Number::U64(value) => value as f64,
        Number::I64(value) => value as f64,
        Number::F64(value) => value,
    };
    let known = figures.extra.entry(name.to_owned()).or_insert(Number::I64(0));
    *known = match (*known, past) {
        (Number::I64(known), Number::I64(past)) => Number::I64(known.wrapping_add(past)),
        (known, past) => Number::F64(float(known) + float(past)),
    };
}
