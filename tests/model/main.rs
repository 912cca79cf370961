//! Random segments and random operations against plain models: where every cell is, and what every series says.
#![allow(unsafe_code)]

#[path = "../support/random.rs"]
mod random;
#[path = "../support/mod.rs"]
mod support;

mod geometry;
mod operations;
mod revisions;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use proptest::prelude::*;

use shmetrics::buckets::{Classic, Exponential};
use shmetrics::events::{self, EventWriter, FieldKind};
use shmetrics::layout::block::BlockShape;
use shmetrics::layout::directory::*;
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::header::*;
use shmetrics::layout::kind::Space;
use shmetrics::layout::record::*;
use shmetrics::layout::{LINE_LENGTH, WORD_LENGTH};
use shmetrics::snapshot::{BucketScheme, Number, Quality};
use shmetrics::{
    Counter, Family, FloatCounter, FloatGauge, FloatHistogram, Gauge, Histogram, InFlight, Merge, Preset,
    Reader, RegisterError, Segment, Snapshot, TimeMark, Unit, Value,
};
use support::*;

/// One case at a time: a child that another test forks takes slots and lanes of every segment that is open then.
///
/// The first also opens a segment that stays, so that the ticker thread runs all the time: see [`Handles::run_batch`] for what a
/// thread that begins or ends during a fork can do.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static TICKER: OnceLock<Segment> = OnceLock::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    TICKER.get_or_init(|| {
        let scratch = Scratch::new("ticker");
        let segment = Segment::options().create_at(scratch.path("segment")).unwrap();
        segment.histogram("ticking").register().unwrap();
        segment
    });
    alone
}
