//! Batches of events in the memory of one process. For tests, and for programs that have no segment.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::collector::Collector;
use super::event::Event;

/// What is called with each batch.
type OnFlush = Box<dyn Fn(&[Event<'static>]) + Send + Sync>;

/// Keeps events in memory until somebody takes them. Bounded: with a callback, a full buffer is handed over by the thread that filled it;
/// without one, the oldest events make room and are counted. What is in it is gone with its process: a
/// [`SegmentCollector`](super::SegmentCollector) keeps events of all processes, and after a crash.
///
/// The callback runs outside of the lock, so it may use the collector, also record into it. A callback that panics does not reach the
/// request: the batch is counted as dropped.
pub struct BufferedCollector {
    state: Mutex<State>,
    most: usize,
    on_flush: Option<OnFlush>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event<'static>>,
    high_water: usize,
    dropped: u64,
    /// A thread is calling back.
    is_flushing: bool,
}

impl BufferedCollector {
    /// Keeps at most so many events; 0 counts as 1.
    pub fn new(max_buffer_size: usize) -> BufferedCollector {
        BufferedCollector {
            state: Mutex::default(),
            most: max_buffer_size.max(1),
            on_flush: None,
        }
    }

    /// Keeps all events until they are taken: for tests only, as memory has no limit then.
    pub fn unbounded() -> BufferedCollector {
        BufferedCollector::new(usize::MAX)
    }

    /// Calls this with each batch that is not empty: when the buffer is full, and at [`flush`](Self::flush).
    #[must_use]
    pub fn on_flush(
        mut self,
        callback: impl Fn(&[Event<'static>]) + Send + Sync + 'static,
    ) -> BufferedCollector {
        self.on_flush = Some(Box::new(callback));
        self
    }

    /// Takes all events out, in the order in which they were recorded.
    pub fn flush(&self) -> Vec<Event<'static>> {
        let batch = Vec::from(std::mem::take(&mut self.state().events));
        self.hand_over(&batch);
        batch
    }

    /// Events that wait.
    pub fn len(&self) -> usize {
        self.state().events.len()
    }

    /// Does none wait?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most that ever waited.
    pub fn high_water(&self) -> usize {
        self.state().high_water
    }

    /// Events that made room for others, or that a callback failed with.
    pub fn dropped(&self) -> u64 {
        self.state().dropped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics with the lock held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls back, without the lock.
    fn hand_over(&self, batch: &[Event<'static>]) {
        let Some(callback) = self.on_flush.as_ref().filter(|_| !batch.is_empty()) else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| callback(batch))).is_err() {
            self.state().dropped += batch.len() as u64;
        }
    }
}

impl std::fmt::Debug for BufferedCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferedCollector")
            .field("len", &self.len())
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl Collector for BufferedCollector {
    fn record(&self, event: &Event<'_>) {
        let event = event.clone().into_owned();
        let mut state = self.state();
        // A callback that records, or other threads meanwhile, may fill it again: then the oldest go.
        if state.events.len() >= self.most {
            state.events.pop_front();
            state.dropped += 1;
        }
        state.events.push_back(event);
        state.high_water = state.high_water.max(state.events.len());
        if state.events.len() < self.most || self.on_flush.is_none() || state.is_flushing {
            return;
        }
        let batch = Vec::from(std::mem::take(&mut state.events));
        state.is_flushing = true;
        drop(state);
        self.hand_over(&batch);
        self.state().is_flushing = false;
    }
}
