//! Promise: the fields of a group that a reader accepts are those after whole updates, whatever the writer overwrites meanwhile and
//! wherever it dies; and in the shared lane, if the reader says that they are exact.
#![cfg(shmetrics_loom)]

mod loom_support;

use loom::thread;
use loom_support::{Mutant, explore, words};
use shmetrics::layout::group::*;
use shmetrics::protocol::group::*;
use shmetrics::protocol::shared::Difference;
use shmetrics::sync::{AtomicU64, Relaxed, Release, fence, mutant};
use shmetrics::words::ReadWords;
use std::sync::Arc;

/// Two fields and two copies: update 3 is in the copy of update 1.
const SHAPE: GroupShape = GroupShape::with_copies(2, 1);
/// The second field is always three times the first.
const AMOUNTS: [u64; 2] = [1, 3];

fn block() -> Arc<Vec<AtomicU64>> {
    Arc::new(words(SHAPE.words()))
}

fn check_read(block: &[AtomicU64]) {
    let mut fields = [0; 2];
    if let Ok(landed) = read(ReadWords::new(block), &SHAPE, &mut fields) {
        assert_eq!(fields, [landed, 3 * landed], "update {landed}");
    }
}

/// A writer makes `updates`; somewhere in between a reader reads.
fn add_against_read(updates: u64) {
    explore(Some(0), move || {
        let block = block();
        let reader = thread::spawn({
            let block = block.clone();
            move || check_read(&block)
        });
        (0..updates).for_each(|_| add(&block, &SHAPE, &AMOUNTS));
        reader.join().unwrap();
    });
}

#[test]
fn accepted_fields_are_those_after_a_whole_update() {
    let _alone = loom_support::alone();
    for updates in 1..=4 {
        add_against_read(updates);
    }
}

/// The third update is cut short after `stores` of its fields, and made anew by the next owner, who adds something else.
fn add_after_death(stores: usize) {
    explore(Some(0), move || {
        let block = block();
        let reader = thread::spawn({
            let block = block.clone();
            move || check_read(&block)
        });
        (0..2).for_each(|_| add(&block, &SHAPE, &AMOUNTS));
        block[GROUP_BEGUN].store(3, Relaxed);
        fence(Release);
        for field in 0..stores {
            block[SHAPE.copy(3) + field].store(777, Relaxed);
        }
        if mutant::active("group.begun_lowered") {
            // What an adopter must not do.
            block[GROUP_BEGUN].store(2, Relaxed);
        }
        note_baseline(&block, &SHAPE);
        assert_eq!(block[GROUP_FIELDS + 1].load(Relaxed), 6);
        add(&block, &SHAPE, &AMOUNTS);
        reader.join().unwrap();
    });
}

#[test]
fn an_update_cut_short_is_made_anew_and_never_read_half() {
    let _alone = loom_support::alone();
    (0..=2).for_each(add_after_death);
}

/// One writer in the shared lane.
fn share_against_read(updates: u64) {
    explore(Some(0), move || {
        let block = block();
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let mut fields = [0; 2];
                let (landed, difference) = read_shared(ReadWords::new(&block), &mut fields);
                if difference == Difference(0) {
                    assert_eq!(fields, [landed, 3 * landed], "{landed} updates");
                }
            }
        });
        (0..updates).for_each(|_| add_shared(&block, &AMOUNTS));
        reader.join().unwrap();
    });
}

/// Two writers in the shared lane, and a reader: up to two preemptions.
fn share_against_each_other() {
    explore(Some(2), || {
        let block = block();
        let other = thread::spawn({
            let block = block.clone();
            move || add_shared(&block, &AMOUNTS)
        });
        let reader = thread::spawn({
            let block = block.clone();
            move || {
                let mut fields = [0; 2];
                let (landed, difference) = read_shared(ReadWords::new(&block), &mut fields);
                if difference == Difference(0) {
                    assert_eq!(fields, [landed, 3 * landed], "{landed} updates");
                }
            }
        });
        add_shared(&block, &AMOUNTS);
        other.join().unwrap();
        reader.join().unwrap();
        let mut fields = [0; 2];
        assert_eq!(
            read_shared(ReadWords::new(&block), &mut fields),
            (2, Difference(0))
        );
        assert_eq!(fields, [2, 6]);
    });
}

#[test]
fn in_the_shared_lane_no_difference_means_whole_updates() {
    let _alone = loom_support::alone();
    for updates in 1..=2 {
        share_against_read(updates);
    }
    share_against_each_other();
}

const MUTANTS: &[Mutant] = &[
    ("group.j1", || add_against_read(3)),
    ("group.j1_last", || add_against_read(3)),
    ("group.j3", || add_against_read(1)),
    ("group.r1", || add_against_read(1)),
    ("group.r2", || add_against_read(3)),
    ("group.one_more", || add_against_read(3)),
    ("group.unchecked", || add_against_read(3)),
    // A rule of the head of group.rs for the segment layer.
    ("group.begun_lowered", || add_after_death(1)),
    ("group.j5", || share_against_read(2)),
    ("group.j6", || share_against_read(1)),
    ("group.r3", || share_against_read(1)),
    ("group.r4", || share_against_read(2)),
];

#[test]
fn every_mutant_is_caught() {
    loom_support::every_mutant_is_caught(MUTANTS);
}
