//! The reset tables: storage of what is committed, and the baselines of the one in force. SPEC.md 9.11, 10.19.

use super::declared::{Declared, Series};
use super::pass::Pass;
use super::report::Place;
use super::states::{check_float_sum, check_padding};
use crate::layout::WORD_LENGTH;
use crate::layout::block::BUCKETS;
use crate::layout::header::{RESERVED_OFFSET, RESET_OFFSET};
use crate::layout::kind::{Kind, Space};
use crate::layout::reset::*;
use crate::protocol::histogram::State;
use crate::protocol::reset;
use crate::snapshot::can_be_reset;

/// Checks both tables, as far as they were ever in force.
pub(super) fn check(pass: &mut Pass<'_, '_>, declared: &Declared) {
    if pass.geometry.capacities.reset_tables == 0 {
        return;
    }
    let latch = pass.range(RESET_OFFSET, 1);
    let number = reset::number(latch);
    let in_force = reset::table(number);
    // Reset 1 filled table 1, reset 2 table 0.
    for (first, table) in [(1, 1), (2, 0)] {
        if number < first {
            continue;
        }
        let start = pass.geometry.reset_table_offset(table);
        let front = pass.geometry.reset_front_length();
        if !pass.is_stored(Place::ResetTable(table), start, front, "the number of resets") {
            continue;
        }
        let found = std::mem::take(&mut pass.findings);
        check_table(pass, declared, table, table == in_force);
        let new = std::mem::replace(&mut pass.findings, found);
        if table != in_force || reset::is_still(latch, number) {
            pass.findings.append(new);
        } else {
            let message = "not judged: series were reset meanwhile";
            pass.note("10.19", Place::ResetTable(table), start, message);
        }
    }
}

fn check_table(pass: &mut Pass<'_, '_>, declared: &Declared, table: u64, is_in_force: bool) {
    let blocks = declared.placed(Space::Blocks);
    for (entry, series, placement) in blocks.filter(|(_, series, _)| series.record.kind.has_reset_block()) {
        let time = pass.load(pass.geometry.reset_since_offset(table, entry.number));
        let place = Place::ResetRecord {
            table,
            record: entry.number,
        };
        let start = pass.geometry.reset_block_offset(table, placement);
        let length = series.shape.shared_length();
        if time != 0 && pass.is_stored(place, start, length, "the time of the reset") && is_in_force {
            check_block(pass, place, start, series);
        }
    }
    if is_in_force {
        check_times(pass, declared, table);
        check_counters(pass, declared, table);
    }
}

/// Only counters, histograms, groups and last time marks that are there can have been reset.
fn check_times(pass: &mut Pass<'_, '_>, declared: &Declared, table: u64) {
    let reserved = pass.load(RESERVED_OFFSET);
    for number in 1..=pass.geometry.records {
        let offset = pass.geometry.reset_since_offset(table, number);
        if pass.load(offset) == 0 {
            continue;
        }
        pass.checked.baselines += 1;
        let series = declared.get(number).and_then(|entry| entry.series.as_ref());
        let place = Place::ResetRecord {
            table,
            record: number,
        };
        if number > reserved {
            let message = format!("a time of a reset, and there are {reserved} records");
            pass.error("9.11", place, offset, message);
        } else if let Some(series) = series.filter(|series| !can_be_reset(series.record.kind, series.merge)) {
            let what = match series.record.kind {
                Kind::GaugeI64 | Kind::GaugeF64 => "gauges",
                Kind::State => "states",
                Kind::TimeMark => "first time marks",
                Kind::Text => "texts",
                Kind::InFlight => "keys in flight",
                kind => kind.name(),
            };
            let message = format!("a time of a reset; {what} are not reset");
            pass.error("9.11", place, offset, message);
        }
    }
}

fn check_counters(pass: &mut Pass<'_, '_>, declared: &Declared, table: u64) {
    for (entry, series, placement) in declared.placed(Space::Counters) {
        let time = pass.load(pass.geometry.reset_since_offset(table, entry.number));
        let offset = pass.geometry.reset_counter_offset(table, placement);
        let baseline = f64::from_bits(pass.load(offset));
        if time != 0 && series.record.kind == Kind::CounterF64 && !(baseline >= 0.0 && baseline.is_finite()) {
            let place = Place::ResetRecord {
                table,
                record: entry.number,
            };
            let message =
                format!("the baseline is {baseline}, expected a finite number that is not negative");
            pass.warning("9.11", place, offset, message);
        }
    }
}

fn check_block(pass: &mut Pass<'_, '_>, place: Place, start: u64, series: &Series) {
    let words = pass.range(start, series.shape.latch(0));
    let offset = |word: usize| start + word as u64 * WORD_LENGTH;
    pass.reserved_fields("reset block", place, start);
    check_padding(pass, place, start, (BUCKETS + series.shape.buckets, words.len()));
    let mut state = State::default();
    state.reset(series.shape.buckets);
    let most = series.shape.buckets as u64;
    for word in [RESET_LOWEST, RESET_HIGHEST] {
        let found = words.load(word);
        if found > most {
            let message = format!("the range of buckets is {found}, the histogram has {most}");
            return pass.error("9.11", place, offset(word), message);
        }
    }
    state.set_range(words.load(RESET_LOWEST), words.load(RESET_HIGHEST));
    let range = state.first..state.end;
    words.copy(BUCKETS, &mut state.buckets);
    let is_outside = |(index, count): &(usize, &u64)| **count != 0 && !range.contains(index);
    let mut buckets = state.buckets.iter().enumerate();
    if let Some((index, bucket)) = buckets.find(is_outside) {
        let message = format!("bucket {index} holds {bucket}, outside of {range:?}: no reader subtracts it");
        pass.error("9.11", place, offset(BUCKETS + index), message);
    }
    let (found, expected) = (words.load(RESET_COUNT), state.landed());
    if found != expected {
        let message = format!(
            "the count is {found}, the buckets hold {expected}: readers are bounded by the difference"
        );
        pass.error("9.11", place, offset(RESET_COUNT), message);
    }
    if series.record.kind != Kind::HistogramInteger && words.load(RESET_SUM_HIGH) != 0 {
        let message = "the high half of a sum of floats is not 0";
        pass.error("9.11", place, offset(RESET_SUM_HIGH), message);
    }
    check_float_sum(pass, place, offset(RESET_SUM), series, words.load(RESET_SUM));
}
