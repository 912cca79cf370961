//! Bound handles: tied to one thread, with its lane at hand.
//!
//! They are `!Send`, so that they cannot leave their thread or be held across an await on a multi-threaded runtime. After `fork` a
//! stale one in the child writes to nobody (its parent's lane is covered there). They are **not** safe to use in a child made by a raw
//! `clone`: there nothing is covered before the first operation of an ordinary handle.
#![allow(unsafe_code)]

use core::marker::PhantomData;

use super::block::OwnBlock;
use super::counter::Counter;
use super::histogram::{Histogram, nanoseconds, observe};
use crate::protocol::histogram::IntegerSum;
use crate::segment::fork;
use crate::segment::thread::{self, ThreadBlock};
use crate::sync::AtomicU64;
use crate::words::{ADD_IS_ONE_INSTRUCTION, add_owned};

/// A [`Counter`] for one thread. Cost: the add, and one test.
#[derive(Debug)]
pub struct BoundCounter {
    counter: Counter,
    word: *const AtomicU64,
    generation: u64,
    not_send: PhantomData<*const ()>,
}

impl BoundCounter {
    pub(super) fn new(counter: &Counter) -> BoundCounter {
        let series = &counter.series;
        let own = series
            .own_word(thread::block())
            .or_else(|| match series.slow_word(true) {
                Some((word, true)) => Some(word),
                _ => None,
            });
        let word = own.map_or(core::ptr::null(), core::ptr::from_ref);
        if !word.is_null() {
            thread::block().count_bound(1);
        }
        BoundCounter {
            counter: counter.clone(),
            word,
            generation: fork::generation(),
            not_send: PhantomData,
        }
    }

    /// Adds one.
    #[inline(always)]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `value`.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        // SAFETY: not null means the word of this thread's lane (`new`); `counter` keeps the mapping, and the lane stays this thread's
        // while a bound handle is counted in its block. In a forked child the address is a private page.
        match unsafe { self.word.as_ref() } {
            Some(word) if ADD_IS_ONE_INSTRUCTION => add_owned(word, value),
            _ => self.counter.add(value),
        }
    }
}

impl Drop for BoundCounter {
    fn drop(&mut self) {
        let block = thread::block();
        // In a child the block was wiped, this count with it.
        if !self.word.is_null() && self.generation == fork::generation() {
            block.count_bound(u64::MAX);
        }
    }
}

/// A [`Histogram`] for one thread, with its block committed and at hand.
#[derive(Debug)]
pub struct BoundHistogram {
    histogram: Histogram,
    block: Option<*const u8>,
    thread: &'static ThreadBlock,
    generation: u64,
}

impl BoundHistogram {
    pub(super) fn new(histogram: &Histogram) -> BoundHistogram {
        let block = histogram.series.prepare_thread();
        let thread = thread::block();
        if block.is_some() {
            thread.count_bound(1);
        }
        BoundHistogram {
            histogram: histogram.clone(),
            block,
            thread,
            generation: fork::generation(),
        }
    }

    /// As [`Histogram::record`].
    #[inline(always)]
    pub fn record(&self, value: u64) {
        let Some(block) = self.block.filter(|_| self.thread.enter()) else {
            return self.histogram.record(value);
        };
        let series = &self.histogram.series;
        // SAFETY: the block is this thread's (`prepare_thread`); `histogram` keeps the mapping, and the lane stays this thread's while
        // a bound handle is counted in its block. In a forked child the address is private memory.
        let block = unsafe { OwnBlock::at(block) };
        series.record_in::<IntegerSum>(block, observe(series, value));
        self.thread.leave();
    }

    /// As [`Histogram::record_duration`].
    #[inline(always)]
    pub fn record_duration(&self, duration: std::time::Duration) {
        self.record(nanoseconds(duration));
    }
}

impl Drop for BoundHistogram {
    fn drop(&mut self) {
        if self.block.is_some() && self.generation == fork::generation() {
            self.thread.count_bound(u64::MAX);
        }
    }
}
