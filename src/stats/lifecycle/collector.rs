//! What takes events.

use std::sync::Arc;

use super::event::Event;

/// Takes events. Called by any thread, at any moment of a request: it should be quick, and it must not panic.
pub trait Collector: Send + Sync {
    /// Takes one event.
    fn record(&self, event: &Event<'_>);

    /// Does it do anything? If not, a server need not even make the event.
    #[inline]
    fn is_enabled(&self) -> bool {
        true
    }

    /// Makes an event and takes it, if that does anything. Collectors need not define it.
    #[inline(always)]
    fn record_with<'e>(&self, make: impl FnOnce() -> Event<'e>)
    where
        Self: Sized,
    {
        if self.is_enabled() {
            self.record(&make());
        }
    }
}

/// Takes events and does nothing: the default of a server that nobody watches. Cost: none, if the compiler sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopCollector;

impl Collector for NoopCollector {
    #[inline(always)]
    fn record(&self, _event: &Event<'_>) {}

    #[inline(always)]
    fn is_enabled(&self) -> bool {
        false
    }
}

impl<C: Collector + ?Sized> Collector for Arc<C> {
    #[inline]
    fn record(&self, event: &Event<'_>) {
        (**self).record(event);
    }

    #[inline]
    fn is_enabled(&self) -> bool {
        (**self).is_enabled()
    }
}

impl<C: Collector + ?Sized> Collector for &C {
    #[inline]
    fn record(&self, event: &Event<'_>) {
        (**self).record(event);
    }

    #[inline]
    fn is_enabled(&self) -> bool {
        (**self).is_enabled()
    }
}

/// Nothing, or something.
impl<C: Collector> Collector for Option<C> {
    #[inline]
    fn record(&self, event: &Event<'_>) {
        if let Some(collector) = self {
            collector.record(event);
        }
    }

    #[inline]
    fn is_enabled(&self) -> bool {
        self.as_ref().is_some_and(Collector::is_enabled)
    }
}

/// Several collectors at once: each gets every event, in this order.
///
/// ```
/// use std::sync::Arc;
/// use shmetrics::stats::lifecycle::{BufferedCollector, Collector, Event, Tee};
/// let (one, other) = (Arc::new(BufferedCollector::new(10)), Arc::new(BufferedCollector::new(10)));
/// let both = Tee::new().and(one.clone()).and(other.clone());
/// both.record(&Event::ClientDisconnected { connection_id: 1, worker_id: 0, during_streaming: false, timestamp_ns: 7 });
/// assert_eq!((one.len(), other.len()), (1, 1));
/// ```
#[derive(Clone, Default)]
pub struct Tee {
    collectors: Vec<Arc<dyn Collector>>,
}

impl Tee {
    /// None yet.
    pub fn new() -> Tee {
        Tee::default()
    }

    /// And this one.
    #[must_use]
    pub fn and(mut self, collector: impl Collector + 'static) -> Tee {
        self.collectors.push(Arc::new(collector));
        self
    }
}

impl std::fmt::Debug for Tee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tee")
            .field("collectors", &self.collectors.len())
            .finish()
    }
}

impl Collector for Tee {
    fn record(&self, event: &Event<'_>) {
        for collector in &self.collectors {
            collector.record(event);
        }
    }

    fn is_enabled(&self) -> bool {
        self.collectors.iter().any(Collector::is_enabled)
    }
}
