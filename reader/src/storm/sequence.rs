//! Two snapshots of one reader, one after the other: nothing goes down, and nothing vanishes.

use std::sync::Arc;

use shmetrics::snapshot::{Histogram, Quality, Series};
use shmetrics::{Snapshot, Value};

/// What went down or vanished, if anything did.
pub(crate) fn compare(now: &Snapshot, before: &Snapshot) -> Result<(), String> {
    for (index, earlier) in before.series.iter().enumerate() {
        let name = &earlier.description.name;
        // New series may have come in between, for these are in order of registration and may become ready late.
        let same = |series: &&Series| Arc::ptr_eq(&series.description, &earlier.description);
        let later = now
            .series
            .get(index)
            .filter(same)
            .or_else(|| now.series.iter().find(same));
        let Some(later) = later else {
            return Err(format!("{name} is not there any more"));
        };
        if fell(&earlier.value, &later.value) {
            return Err(format!(
                "{name} went down: {:?} after {:?}",
                later.value, earlier.value
            ));
        }
    }
    Ok(())
}

fn fell(earlier: &Value, later: &Value) -> bool {
    match (earlier, later) {
        (Value::CounterU64(earlier), Value::CounterU64(later)) => earlier > later,
        (Value::CounterF64(earlier), Value::CounterF64(later)) => earlier > later,
        (Value::Events(earlier), Value::Events(later)) => {
            earlier.written > later.written || earlier.dropped > later.dropped
        }
        (Value::Samples(earlier), Value::Samples(later)) => earlier.count > later.count,
        (Value::Histogram(earlier), Value::Histogram(later)) => {
            let buckets = earlier.counts.iter().zip(&later.counts);
            // Only the count of what is bounded has bounds.
            let sums = is_exact(earlier) && is_exact(later) && earlier.sum > later.sum;
            earlier.count > later.count || sums || buckets.into_iter().any(|(e, l)| e > l)
        }
        _ => false,
    }
}

fn is_exact(histogram: &Histogram) -> bool {
    histogram.quality == Quality::Exact
}
