//! How a registered series becomes a handle, for each kind of handle.

use std::sync::Arc;

use super::counter::{Counter, FloatCounter};
use super::gauge::{Cell, FloatGauge, Gauge};
use super::group::{Fields, Group};
use super::histogram::{FloatHistogram, Histogram};
use super::in_flight::{InFlight, Table};
use super::number::Number;
use super::samples::{Recent, Samples};
use super::series::{Distribution, Scalar};
use super::state::State;
use super::text::{Text, TextBlock};
use super::time_mark::TimeMark;
use crate::buckets::{Classic, Exponential, Indexer};
use crate::layout::group::GroupShape;
use crate::layout::in_flight::InFlightShape;
use crate::layout::kind::{Kind, Merge};
use crate::layout::samples::SamplesShape;
use crate::layout::text::TextShape;
use crate::segment::attachment::Attachment;

/// The parameters of a series, checked, without its labels.
#[derive(Clone, Debug)]
pub struct Parameters {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) merge: Merge,
    pub(super) factor: f64,
    pub(super) exponential: Option<Exponential>,
    pub(super) classic: Option<Classic>,
    pub(super) bounds: Vec<u8>,
    pub(super) statuses: Vec<u8>,
    pub(super) ring_slots: u8,
    pub(super) samples: Option<SamplesShape>,
    pub(super) text: Option<TextShape>,
    pub(super) group: Option<GroupShape>,
    pub(super) fields: String,
    pub(super) in_flight: Option<InFlightShape>,
}

mod sealed {
    pub trait Sealed {}
}

/// A kind of handle that can be registered. Not to be implemented elsewhere.
pub trait Instrument: sealed::Sealed + Sized + Send + Sync + 'static {
    #[doc(hidden)]
    fn kind(is_classic: bool) -> Kind;
    #[doc(hidden)]
    fn merge() -> Merge {
        Merge::Sum
    }
    #[doc(hidden)]
    fn noop() -> Self;
    #[doc(hidden)]
    fn make(place: Place<'_>) -> Self;
}

/// Gauges: [`Gauge`] and [`FloatGauge`].
pub trait IsGauge: Instrument {}

/// Histograms: [`Histogram`] and [`FloatHistogram`].
pub trait IsHistogram: Instrument {}

/// Where a series was placed, for the handle to be made.
#[derive(Debug)]
pub struct Place<'a> {
    pub(super) attachment: &'a Arc<Attachment>,
    pub(super) placement: u64,
    /// As the series has it, whatever was asked for.
    pub(super) text: Option<TextShape>,
    pub(super) parameters: &'a Parameters,
}

impl Place<'_> {
    fn distribution(&self) -> Arc<Distribution> {
        let parameters = self.parameters;
        let (scheme, buckets) = match (&parameters.exponential, &parameters.classic) {
            (Some(exponential), _) => ((Indexer::new(*exponential), None), exponential.buckets()),
            (None, Some(classic)) => {
                let unused = Indexer::new(Exponential::OTHER);
                ((unused, Some(classic.clone())), classic.buckets())
            }
            (None, None) => return Arc::new(Distribution::noop()),
        };
        let shape = crate::layout::block::BlockShape::new(buckets, usize::from(parameters.ring_slots));
        Arc::new(Distribution::new(
            self.attachment,
            self.placement,
            scheme,
            parameters.factor,
            shape,
        ))
    }
}

macro_rules! instrument {
    ($handle:ident, $kind:expr, $noop:expr, $make:expr $(, $merge:expr)?) => {
        impl sealed::Sealed for $handle {}
        impl Instrument for $handle {
            $(fn merge() -> Merge {
                $merge
            })?
            fn kind(is_classic: bool) -> Kind {
                $kind(is_classic)
            }
            fn noop() -> Self {
                $noop
            }
            fn make(place: Place<'_>) -> Self {
                $make(place)
            }
        }
    };
}

instrument!(
    Counter,
    |_| Kind::CounterU64,
    Counter {
        series: Arc::new(Scalar::noop())
    },
    |place: Place<'_>| {
        Counter {
            series: Arc::new(Scalar::counter(place.attachment, place.placement)),
        }
    }
);
instrument!(
    FloatCounter,
    |_| Kind::CounterF64,
    FloatCounter {
        series: Arc::new(Scalar::noop())
    },
    |place: Place<'_>| {
        FloatCounter {
            series: Arc::new(Scalar::counter(place.attachment, place.placement)),
        }
    }
);
instrument!(
    Gauge,
    |_| Kind::GaugeI64,
    Gauge {
        cell: Cell::new(Scalar::noop(), Merge::Sum)
    },
    |place: Place<'_>| {
        let series = Scalar::gauge(place.attachment, place.placement);
        Gauge {
            cell: Cell::new(series, place.parameters.merge),
        }
    }
);
instrument!(
    FloatGauge,
    |_| Kind::GaugeF64,
    FloatGauge {
        cell: Cell::new(Scalar::noop(), Merge::Sum)
    },
    |place: Place<'_>| {
        let series = Scalar::gauge(place.attachment, place.placement);
        FloatGauge {
            cell: Cell::new(series, place.parameters.merge),
        }
    }
);
instrument!(
    Histogram,
    |_| Kind::HistogramInteger,
    Histogram {
        series: Arc::new(Distribution::noop())
    },
    |place: Place<'_>| Histogram {
        series: place.distribution()
    }
);
instrument!(
    FloatHistogram,
    |is_classic| if is_classic {
        Kind::HistogramClassic
    } else {
        Kind::HistogramFloat
    },
    FloatHistogram {
        series: Arc::new(Distribution::noop())
    },
    |place: Place<'_>| FloatHistogram {
        series: place.distribution()
    }
);

instrument!(
    TimeMark,
    |_| Kind::TimeMark,
    TimeMark::new(Scalar::noop(), Merge::Max),
    |place: Place<'_>| {
        let series = Scalar::gauge(place.attachment, place.placement);
        TimeMark::new(series, place.parameters.merge)
    },
    Merge::Max
);
instrument!(
    State,
    |_| Kind::State,
    State::new(Scalar::noop(), &[]),
    |place: Place<'_>| {
        let series = Scalar::gauge(place.attachment, place.placement);
        State::new(series, &place.parameters.statuses)
    },
    Merge::Each
);
instrument!(
    Number,
    |_| Kind::Number,
    Number::new([Scalar::noop(), Scalar::noop()]),
    |place: Place<'_>| {
        Number::new([0, 1].map(|unit| Scalar::counter(place.attachment, place.placement + unit)))
    }
);

instrument!(
    Samples,
    |_| Kind::Samples,
    Samples::new(Recent::noop()),
    |place: Place<'_>| {
        Samples::new(match place.parameters.samples {
            Some(shape) => Recent::new(place.attachment, place.placement, shape),
            None => Recent::noop(),
        })
    }
);

impl<const N: usize> sealed::Sealed for Group<N> {}
impl<const N: usize> Instrument for Group<N> {
    fn kind(_: bool) -> Kind {
        Kind::Group
    }
    fn noop() -> Self {
        Group::new(Fields::noop())
    }
    fn make(place: Place<'_>) -> Self {
        Group::new(match place.parameters.group {
            Some(shape) => Fields::new(place.attachment, place.placement, shape),
            None => Fields::noop(),
        })
    }
}

instrument!(
    Text,
    |_| Kind::Text,
    Text::new(TextBlock::noop()),
    |place: Place<'_>| {
        Text::new(match place.text {
            Some(shape) => TextBlock::new(place.attachment, place.placement, shape),
            None => TextBlock::noop(),
        })
    }
);

instrument!(
    InFlight,
    |_| Kind::InFlight,
    InFlight::new(Table::noop()),
    |place: Place<'_>| {
        InFlight::new(match place.parameters.in_flight {
            Some(shape) => Table::new(place.attachment, place.placement, shape),
            None => Table::noop(),
        })
    }
);

impl IsGauge for Gauge {}
impl IsGauge for FloatGauge {}
impl IsHistogram for Histogram {}
impl IsHistogram for FloatHistogram {}
