//! A collector that is chosen when the program runs, and that costs next to nothing if nothing is chosen.

use std::sync::Arc;

use super::collector::Collector;
use super::event::Event;

/// Any collector, or none: what a server holds that is told at start what to do with its events. Clones share the collector.
///
/// A collector that says it is not [enabled](Collector::is_enabled) when it is given is dropped, and asked never again. Cost when off: one
/// load and one branch, as [`record_with`](Collector::record_with) makes no event then; behind `dyn Collector` it is a call, only to hear that
/// nobody wants it. Cost when on: a call, and that of the collector.
///
/// ```
/// use std::sync::Arc;
/// use shmetrics::stats::lifecycle::{AnyCollector, BufferedCollector, Collector, Event, NoopCollector};
/// let events = Arc::new(BufferedCollector::new(10));
/// for collector in [AnyCollector::off(), AnyCollector::new(NoopCollector), AnyCollector::new(events.clone())] {
///     collector.record_with(|| Event::RequestStarted {
///         connection_id: 1,
///         worker_id: 0,
///         method: "GET".into(),
///         path: "/".into(),
///         http_version: "1.1".into(),
///         timestamp_ns: shmetrics::monotonic_ns(),
///     });
/// }
/// assert_eq!(events.len(), 1);
/// ```
#[derive(Clone, Default)]
pub struct AnyCollector {
    collector: Option<Arc<dyn Collector>>,
}

impl AnyCollector {
    /// None.
    pub fn off() -> AnyCollector {
        AnyCollector::default()
    }

    /// This one, if it does anything. One that is turned on and off as the program runs must say that it is enabled here.
    pub fn new(collector: impl Collector + 'static) -> AnyCollector {
        AnyCollector {
            collector: collector
                .is_enabled()
                .then(|| Arc::new(collector) as Arc<dyn Collector>),
        }
    }
}

impl std::fmt::Debug for AnyCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnyCollector")
            .field("is_enabled", &self.is_enabled())
            .finish()
    }
}

impl Collector for AnyCollector {
    #[inline(always)]
    fn record(&self, event: &Event<'_>) {
        if let Some(collector) = &self.collector {
            collector.record(event);
        }
    }

    /// Is there one? It is not asked.
    #[inline(always)]
    fn is_enabled(&self) -> bool {
        self.collector.is_some()
    }
}
