//! Every step of the protocols as a function of its own, so that `ci/aarch64.sh` finds it in the disassembled program. Nothing here is
//! meant to be run: [`main`] only keeps the functions, and hides from the compiler what they are called with.
//!
//! A function is never inlined and takes all it works on, so what is in it is what the compiler makes of the protocol, whatever the
//! segment. `ci/aarch64.expected` says what must be in each.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use shmetrics::layout::block::BlockShape;
use shmetrics::layout::error_log::ErrorText;
use shmetrics::layout::events::EventsShape;
use shmetrics::layout::group::GroupShape;
use shmetrics::layout::in_flight::{Claim, InFlightShape, KeyText};
use shmetrics::layout::samples::SamplesShape;
use shmetrics::layout::text::{TextShape, TextToStore};
use shmetrics::protocol::error_log::{self, Logged};
use shmetrics::protocol::group;
use shmetrics::protocol::histogram::{
    self, FloatSum, Head, IntegerSum, Observation, State, Torn, read_live, store_incarnation,
};
use shmetrics::protocol::in_flight::{self, Held, Seen};
use shmetrics::protocol::index::{self, Probe};
use shmetrics::protocol::placement::{self, Full};
use shmetrics::protocol::ring::{self, NoState};
use shmetrics::protocol::samples::{self, Sample};
use shmetrics::protocol::shared::{self, Difference};
use shmetrics::protocol::text::{self, SeenText, SetText};
use shmetrics::protocol::{events, gauge, latch, reset};
use shmetrics::words::ReadWords;

#[inline(never)]
fn record_integer(head: &Head, bucket: &AtomicU64, buckets: usize, observation: Observation) -> u64 {
    histogram::record_at::<IntegerSum>(head, bucket, buckets, observation)
}

#[inline(never)]
fn record_float(head: &Head, bucket: &AtomicU64, buckets: usize, observation: Observation) -> u64 {
    histogram::record_at::<FloatSum>(head, bucket, buckets, observation)
}

#[inline(never)]
fn live_read(
    block: ReadWords<'_>,
    incarnation: ReadWords<'_>,
    shape: &BlockShape,
    into: &mut State,
) -> Result<(), Torn> {
    read_live(block, incarnation, shape, into)
}

#[inline(never)]
fn adopt(incarnation: &AtomicU64, number: u64) {
    store_incarnation(incarnation, number);
}

#[inline(never)]
fn repair(block: &[AtomicU64], shape: &BlockShape) -> bool {
    histogram::repair(block, shape)
}

#[inline(never)]
fn seal(block: &[AtomicU64], shape: &BlockShape) -> bool {
    latch::seal(block, shape)
}

#[inline(never)]
fn sealed_read(block: ReadWords<'_>, shape: &BlockShape, into: &mut State) -> Result<u64, Torn> {
    latch::read_sealed(block, shape, into)
}

#[inline(never)]
fn rotate(block: &[AtomicU64], shape: &BlockShape, epoch: u64) {
    ring::rotate(block, shape, epoch);
}

#[inline(never)]
fn ring_read(
    block: ReadWords<'_>,
    incarnation: ReadWords<'_>,
    shape: &BlockShape,
    at: u64,
    into: &mut State,
) -> Result<(), NoState> {
    ring::read_state_at(block, incarnation, shape, at, into)
}

#[inline(never)]
fn shared_record(block: &[AtomicU64], buckets: usize, observation: Observation) {
    shared::record::<IntegerSum>(block, buckets, observation);
}

#[inline(never)]
fn shared_read(block: ReadWords<'_>, shape: &BlockShape, into: &mut State) -> Difference {
    shared::read(block, shape, into)
}

#[inline(never)]
fn gauge_mark(cell: &[AtomicU64; 2]) {
    gauge::mark_set(cell);
}

#[inline(never)]
fn gauge_stamp(cell: &[AtomicU64; 2], stamp: u64) {
    gauge::stamp(cell, stamp);
}

#[inline(never)]
fn gauge_read(cell: ReadWords<'_>) -> Option<(u64, u64)> {
    gauge::read(cell)
}

#[inline(never)]
fn index_probe(index: &[AtomicU64], hash: u64, number: u64) -> Probe {
    index::probe(index, hash, |found| found == number)
}

#[inline(never)]
fn index_publish(index: &[AtomicU64], hash: u64, number: u64) -> Option<u64> {
    index::publish(index, hash, number, |found| found == number)
}

#[inline(never)]
fn take_record(records: &[AtomicU64], reserved: &AtomicU64, tag: u64) -> Option<u64> {
    index::take_record(records, reserved, tag)
}

#[inline(never)]
fn place(word: &AtomicU64, number: u64, capacity: u64, cells: &[AtomicU64; 256]) -> Result<u64, Full> {
    placement::place(
        word,
        number,
        capacity,
        |record| &cells[record as usize & 255],
        |record| record,
    )
}

#[inline(never)]
fn log_error(entries: &[AtomicU64], text: &ErrorText, tag: u64, now_ns: u64) -> Logged {
    error_log::log(entries, text, tag, now_ns, |claim| claim == 1)
}

#[inline(never)]
fn start_key(
    block: &[AtomicU64],
    shape: InFlightShape,
    key: &KeyText<'_>,
    me: Claim,
    now_us: u64,
) -> Option<Held> {
    in_flight::start(block, shape, key, me, now_us, |claim| claim.runs() == 9)
}

#[inline(never)]
fn read_key(block: ReadWords<'_>, shape: InFlightShape, bucket: usize, entry: usize) -> Option<Seen> {
    in_flight::read(block, shape, bucket, entry, |claim| claim.runs() != 9)
}

#[inline(never)]
fn set_text(block: &[AtomicU64], shape: TextShape, text: &TextToStore<'_>, me: u64) -> SetText {
    text::set(block, shape, text, (me, 9), |tag| tag == 9, || me != 9)
}

#[inline(never)]
fn read_text(block: ReadWords<'_>, shape: TextShape, into: &mut [u64]) -> SeenText {
    text::read(block, shape, into)
}

#[inline(never)]
fn reset(word: &AtomicU64, table: &AtomicU64) {
    let number = reset::next(reset::begin(word));
    table.store(number, Relaxed);
    reset::publish(word, number);
}

#[inline(never)]
fn baseline_read(word: ReadWords<'_>, table: ReadWords<'_>) -> Option<u64> {
    let number = reset::number(word);
    let copy = table.load(0);
    reset::is_still(word, number).then_some(copy)
}

#[inline(never)]
fn event_write(position: &AtomicU64, number: u64, record: &[AtomicU64], time_ns: u64) {
    events::write_at(position, number, record, |words| {
        words.iter().for_each(|word| word.store(time_ns, Relaxed));
    });
}

#[inline(never)]
fn event_read(block: ReadWords<'_>, shape: &EventsShape, from: u64, into: &mut [u64]) -> bool {
    let number = events::first(from, events::end(block, shape), shape);
    events::read(block, shape, number, into)
}

#[inline(never)]
fn sample(block: &[AtomicU64], shape: &SamplesShape, time_ns: u64, value: f64) {
    samples::record(block, shape, time_ns, value);
}

#[inline(never)]
fn samples_read(
    block: ReadWords<'_>,
    shape: &SamplesShape,
    scratch: &mut Vec<u64>,
    found: &mut Vec<Sample>,
) -> samples::Read {
    samples::read(block, shape, scratch, |sample| found.push(sample))
}

#[inline(never)]
fn shared_sample(block: &[AtomicU64], shape: &SamplesShape, time_ns: u64, value: f64) {
    samples::record_shared(block, shape, time_ns, value);
}

#[inline(never)]
fn shared_samples_read(
    block: ReadWords<'_>,
    shape: &SamplesShape,
    scratch: &mut Vec<u64>,
    found: &mut Vec<Sample>,
) -> samples::Read {
    samples::read_shared(block, shape, scratch, |sample| found.push(sample))
}

#[inline(never)]
fn group_add(block: &[AtomicU64], shape: &GroupShape, amounts: &[u64; 3]) {
    group::add(block, shape, amounts);
}

#[inline(never)]
fn group_read(block: ReadWords<'_>, shape: &GroupShape, fields: &mut [u64]) -> Result<u64, Torn> {
    group::read(block, shape, fields)
}

#[inline(never)]
fn shared_group_add(block: &[AtomicU64], amounts: &[u64]) {
    group::add_shared(block, amounts);
}

#[inline(never)]
fn shared_group_read(block: ReadWords<'_>, fields: &mut [u64]) -> (u64, Difference) {
    group::read_shared(block, fields)
}

fn main() {
    black_box(group_add as fn(&[AtomicU64], &GroupShape, &[u64; 3]));
    black_box(
        group_read as for<'a, 'b, 'c> fn(ReadWords<'a>, &'b GroupShape, &'c mut [u64]) -> Result<u64, Torn>,
    );
    black_box(shared_group_add as fn(&[AtomicU64], &[u64]));
    black_box(shared_group_read as for<'a, 'b> fn(ReadWords<'a>, &'b mut [u64]) -> (u64, Difference));
    type SamplesRead = for<'a, 'b, 'c, 'd> fn(
        ReadWords<'a>,
        &'b SamplesShape,
        &'c mut Vec<u64>,
        &'d mut Vec<Sample>,
    ) -> samples::Read;
    black_box(sample as fn(&[AtomicU64], &SamplesShape, u64, f64));
    black_box(samples_read as SamplesRead);
    black_box(shared_sample as fn(&[AtomicU64], &SamplesShape, u64, f64));
    black_box(shared_samples_read as SamplesRead);
    black_box(record_integer as fn(&Head, &AtomicU64, usize, Observation) -> u64);
    black_box(record_float as fn(&Head, &AtomicU64, usize, Observation) -> u64);
    black_box(
        live_read
            as for<'a, 'b> fn(ReadWords<'a>, ReadWords<'b>, &BlockShape, &mut State) -> Result<(), Torn>,
    );
    black_box(adopt as fn(&AtomicU64, u64));
    black_box(repair as fn(&[AtomicU64], &BlockShape) -> bool);
    black_box(seal as fn(&[AtomicU64], &BlockShape) -> bool);
    black_box(sealed_read as for<'a> fn(ReadWords<'a>, &BlockShape, &mut State) -> Result<u64, Torn>);
    black_box(rotate as fn(&[AtomicU64], &BlockShape, u64));
    black_box(
        ring_read
            as for<'a, 'b> fn(
                ReadWords<'a>,
                ReadWords<'b>,
                &BlockShape,
                u64,
                &mut State,
            ) -> Result<(), NoState>,
    );
    black_box(shared_record as fn(&[AtomicU64], usize, Observation));
    black_box(shared_read as for<'a> fn(ReadWords<'a>, &BlockShape, &mut State) -> Difference);
    black_box(gauge_mark as fn(&[AtomicU64; 2]));
    black_box(gauge_stamp as fn(&[AtomicU64; 2], u64));
    black_box(gauge_read as for<'a> fn(ReadWords<'a>) -> Option<(u64, u64)>);
    black_box(index_probe as fn(&[AtomicU64], u64, u64) -> Probe);
    black_box(index_publish as fn(&[AtomicU64], u64, u64) -> Option<u64>);
    black_box(take_record as fn(&[AtomicU64], &AtomicU64, u64) -> Option<u64>);
    black_box(log_error as fn(&[AtomicU64], &ErrorText, u64, u64) -> Logged);
    black_box(start_key as for<'a> fn(&[AtomicU64], InFlightShape, &KeyText<'a>, Claim, u64) -> Option<Held>);
    black_box(read_key as for<'a> fn(ReadWords<'a>, InFlightShape, usize, usize) -> Option<Seen>);
    black_box(set_text as for<'a> fn(&[AtomicU64], TextShape, &TextToStore<'a>, u64) -> SetText);
    black_box(read_text as for<'a, 'b> fn(ReadWords<'a>, TextShape, &'b mut [u64]) -> SeenText);
    black_box(reset as fn(&AtomicU64, &AtomicU64));
    black_box(baseline_read as for<'a, 'b> fn(ReadWords<'a>, ReadWords<'b>) -> Option<u64>);
    black_box(event_write as fn(&AtomicU64, u64, &[AtomicU64], u64));
    black_box(event_read as for<'a> fn(ReadWords<'a>, &EventsShape, u64, &mut [u64]) -> bool);
    black_box(place as fn(&AtomicU64, u64, u64, &[AtomicU64; 256]) -> Result<u64, Full>);
}
