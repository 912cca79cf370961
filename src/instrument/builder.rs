//! Registration as users write it: `segment.counter("…").help("…").label("…", "…").register()`.

use core::marker::PhantomData;
use std::sync::Arc;

use super::family::Family;
use super::group::Group;
use super::handle::{Instrument, IsGauge, IsHistogram, Parameters, Place};
use super::histogram::Histogram;
use super::in_flight::InFlight;
use super::samples::Samples;
use super::state::State;
use super::text::Text;
use super::time_mark::TimeMark;
use crate::buckets::{Classic, Exponential};
use crate::error::RegisterError;
use crate::layout::group::{self, GroupShape};
use crate::layout::in_flight::{InFlightShape, MAX_IN_FLIGHT};
use crate::layout::kind::{Kind, Merge};
use crate::layout::labels;
use crate::layout::record::{MAX_HELP_LENGTH, MAX_NAME_LENGTH, MAX_RING_SLOTS, MAX_UNIT_LENGTH};
use crate::layout::samples::{MAX_SAMPLES, SamplesShape};
use crate::layout::statuses;
use crate::layout::text::{MAX_TEXT_CAPACITY, TextShape};
use crate::segment::Unit;
use crate::segment::attachment::Attachment;
use crate::segment::error_log;
use crate::segment::registry::{FamilyKey, SeriesKey, block_shape_of, register_family, register_series};
use crate::segment::ticker;

/// Ring slots of a histogram unless asked otherwise: the newest closed epoch can then be told.
const DEFAULT_RING_SLOTS: u8 = 2;
/// Samples that a series shows unless asked otherwise.
const DEFAULT_SAMPLES: u64 = 100;
/// Exported units per nanosecond, per billionth.
const NANO: f64 = 1e-9;

/// A series or family about to be registered. Made by [`crate::Segment::counter`] and its siblings.
///
/// Registering is get-or-create: the same name and labels, in whatever order, in whatever process, are the same series. A family has
/// one kind, unit and merge rule, those of its first series; asking for another is an error. Other bucket parameters for an existing
/// series are a revision of it: readers merge both. The help text is that of the first registration.
#[derive(Debug)]
#[must_use = "a builder does nothing until `register` or `family` is called"]
pub struct Builder<'a, I> {
    attachment: Option<&'a Arc<Attachment>>,
    name: &'a str,
    help: &'a str,
    unit: Unit<'a>,
    labels: Vec<(&'a str, &'a str)>,
    merge: Merge,
    exponential: Option<(u8, i16, i16)>,
    scale: Option<u8>,
    bounds: Option<&'a [f64]>,
    statuses: Vec<(&'a str, Option<u32>)>,
    factor: Option<f64>,
    ring_slots: u8,
    samples: u64,
    fields: Vec<&'a str>,
    entries: u64,
    text: u64,
    limit: u64,
    instrument: PhantomData<fn() -> I>,
}

impl<'a, I: Instrument> Builder<'a, I> {
    pub(crate) fn new(attachment: Option<&'a Arc<Attachment>>, name: &'a str) -> Self {
        Builder {
            attachment,
            name,
            help: "",
            unit: Unit::None,
            labels: Vec::new(),
            merge: I::merge(),
            exponential: None,
            scale: None,
            bounds: None,
            statuses: Vec::new(),
            factor: None,
            ring_slots: DEFAULT_RING_SLOTS,
            samples: DEFAULT_SAMPLES,
            fields: Vec::new(),
            entries: InFlightShape::DEFAULT.entries() as u64,
            text: TextShape::DEFAULT.capacity() as u64,
            limit: Family::<I, 1>::DEFAULT_LIMIT,
            instrument: PhantomData,
        }
    }

    pub(crate) fn with_bounds(mut self, bounds: &'a [f64]) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// What the family says, for people; at most 1,024 bytes.
    pub fn help(mut self, help: &'a str) -> Self {
        self.help = help;
        self
    }

    /// What the family is measured in; its text has at most 63 bytes.
    pub fn unit(mut self, unit: Unit<'a>) -> Self {
        self.unit = unit;
        self
    }

    /// Adds a label; any UTF-8, the name 1 to 255 bytes, the value at most 1,024, at most 32 labels.
    pub fn label(mut self, name: &'a str, value: &'a str) -> Self {
        self.labels.push((name, value));
        self
    }

    /// Adds labels.
    pub fn labels(mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.labels.extend(labels);
        self
    }

    /// How many label sets a [`family`](Self::family) may have in all processes together before further ones are counted in its
    /// overflow series; default 256.
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Registers the series and returns its handle. On a segment that does nothing, a handle that does nothing.
    pub fn register(self) -> Result<I, RegisterError> {
        let parameters = self.parameters()?;
        let labels = encode(self.name, &self.labels)?;
        let Some(attachment) = self.attachment else {
            return Ok(I::noop());
        };
        let family = register_family(attachment, self.family_key(&parameters));
        let made = family.and_then(|family| make(attachment, &parameters, family, &labels, false, u64::MAX));
        made.inspect_err(|error| error_log::registration_refused(attachment, error))
    }

    /// Registers the family, with these label names, and its overflow series. [`Family::with`] then gets the series of label values.
    /// Labels added by [`label`](Self::label) are part of every series.
    pub fn family<const N: usize>(self, names: [&str; N]) -> Result<Family<I, N>, RegisterError> {
        let parameters = self.parameters()?;
        let overflow = [(super::family::OVERFLOW_LABEL, "true")];
        let constant: Vec<_> = self
            .labels
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let mut all: Vec<&str> = names
            .iter()
            .copied()
            .chain(self.labels.iter().map(|(n, _)| *n))
            .collect();
        all.sort_unstable();
        all.dedup();
        if N == 0 || all.len() != N + constant.len() || all.len() > labels::MAX_LABELS {
            return Err(RegisterError::LabelNames {
                name: self.name.to_owned(),
            });
        }
        // Names that no label can have are told now, not at the first use.
        encode(self.name, &all.iter().map(|name| (*name, "")).collect::<Vec<_>>())?;
        let overflow_labels: Vec<_> = self.labels.iter().copied().chain(overflow).collect();
        let overflow_labels = encode(self.name, &overflow_labels)?;
        let names = names.map(str::to_owned);
        let Some(attachment) = self.attachment else {
            return Ok(Family::new(
                None,
                parameters,
                0,
                names,
                constant,
                self.limit,
                I::noop(),
            ));
        };
        let registered = register_family(attachment, self.family_key(&parameters)).and_then(|family| {
            let overflow = make(attachment, &parameters, family, &overflow_labels, true, u64::MAX)?;
            Ok((family, overflow))
        });
        let (family, overflow) =
            registered.inspect_err(|error| error_log::registration_refused(attachment, error))?;
        let attachment = Some(Arc::clone(attachment));
        // The overflow series is a member, too.
        let limit = self.limit.saturating_add(1);
        Ok(Family::new(
            attachment, parameters, family, names, constant, limit, overflow,
        ))
    }

    fn family_key<'b>(&'b self, parameters: &'b Parameters) -> FamilyKey<'b> {
        FamilyKey {
            name: self.name,
            help: self.help,
            unit: self.unit.text(),
            kind: parameters.kind,
            merge: parameters.merge,
        }
    }

    fn parameters(&self) -> Result<Parameters, RegisterError> {
        let name = self.name.to_owned();
        if self.name.is_empty() || self.name.len() > MAX_NAME_LENGTH {
            return Err(RegisterError::NameLength {
                found: name.len(),
                name,
                most: MAX_NAME_LENGTH,
            });
        }
        let texts = [
            ("help", self.help, MAX_HELP_LENGTH),
            ("unit", self.unit.text(), MAX_UNIT_LENGTH),
        ];
        for (field, text, most) in texts {
            if text.len() > most {
                return Err(RegisterError::TextLength {
                    field,
                    name,
                    found: text.len(),
                    most,
                });
            }
        }
        let kind = I::kind(self.bounds.is_some());
        let statuses = match kind {
            Kind::State => statuses::encode(&self.statuses).map_err(|source| RegisterError::Statuses {
                name: name.clone(),
                source,
            })?,
            _ => Vec::new(),
        };
        let classic = match self.bounds {
            Some(bounds) => Some(Classic::new(bounds).map_err(|source| RegisterError::Bounds {
                name: name.clone(),
                source,
            })?),
            None => None,
        };
        if classic.is_some() && self.ring_slots > MAX_RING_SLOTS {
            let ring_slots = self.ring_slots;
            return Err(RegisterError::Buckets {
                name,
                scale: 0,
                low: 0,
                high: 0,
                ring_slots,
            });
        }
        let samples = match kind {
            Kind::Samples => Some(SamplesShape::new(self.samples).ok_or(RegisterError::Samples {
                name: name.clone(),
                found: self.samples,
                most: MAX_SAMPLES,
            })?),
            _ => None,
        };
        let fields = match kind {
            Kind::Group => group::encode(&self.fields).map_err(|source| RegisterError::Fields {
                name: name.clone(),
                source,
            })?,
            _ => String::new(),
        };
        let in_flight = match kind {
            Kind::InFlight => Some(InFlightShape::with_entries(self.entries).ok_or(
                RegisterError::Entries {
                    name: name.clone(),
                    found: self.entries,
                    most: MAX_IN_FLIGHT,
                },
            )?),
            _ => None,
        };
        let text = match kind {
            Kind::Text => Some(TextShape::new(self.text).ok_or(RegisterError::TextCapacity {
                name: name.clone(),
                found: self.text,
                most: MAX_TEXT_CAPACITY,
            })?),
            _ => None,
        };
        let exponential = match (kind.is_histogram(), &classic) {
            (true, None) => Some(self.exponential()?),
            _ => None,
        };
        let bounds = classic
            .iter()
            .flat_map(|classic| classic.bounds())
            .flat_map(|bound| bound.to_bits().to_ne_bytes());
        let default_factor = match self.unit {
            Unit::Seconds | Unit::Ratio => NANO,
            _ => 1.0,
        };
        let is_integer = kind == Kind::HistogramInteger;
        Ok(Parameters {
            name,
            kind,
            merge: self.merge,
            factor: if is_integer {
                self.factor.unwrap_or(default_factor)
            } else {
                1.0
            },
            exponential,
            bounds: bounds.collect(),
            statuses,
            classic,
            ring_slots: if kind.is_histogram() { self.ring_slots } else { 0 },
            samples,
            text,
            group: GroupShape::new(self.fields.len()),
            fields,
            in_flight,
        })
    }

    fn exponential(&self) -> Result<Exponential, RegisterError> {
        let preset = match self.unit {
            Unit::Seconds => Exponential::SECONDS,
            Unit::Bytes => Exponential::BYTES,
            Unit::Ratio => Exponential::RATIO,
            _ => Exponential::OTHER,
        };
        let (scale, low, high) = self
            .exponential
            .unwrap_or((preset.scale(), preset.low(), preset.high()));
        let scale = self.scale.unwrap_or(scale);
        let is_factor_fine = self
            .factor
            .is_none_or(|factor| factor.is_finite() && factor > 0.0);
        match Exponential::new(scale, low, high) {
            Some(parameters) if self.ring_slots <= MAX_RING_SLOTS && is_factor_fine => Ok(parameters),
            _ => {
                let (name, ring_slots) = (self.name.to_owned(), self.ring_slots);
                Err(RegisterError::Buckets {
                    name,
                    scale,
                    low,
                    high,
                    ring_slots,
                })
            }
        }
    }
}

impl<I: IsGauge> Builder<'_, I> {
    /// How the values of several processes become one; default: their sum.
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }
}

impl Builder<'_, TimeMark> {
    /// When it happened first, instead of last.
    pub fn first(mut self) -> Self {
        self.merge = Merge::Min;
        self
    }
}

impl<'a> Builder<'a, State> {
    /// Declares a status, numbered from 0 in the order of these calls; the first is that with which a process begins. At most 64, each
    /// with a name of 1 to 63 bytes. `unhealthy_from`: the streak from which on a process with it is unhealthy, `None` for never.
    pub fn status(mut self, name: &'a str, unhealthy_from: Option<u32>) -> Self {
        self.statuses.push((name, unhealthy_from));
        self
    }

    /// Declares several.
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = (&'a str, Option<u32>)>) -> Self {
        self.statuses.extend(statuses);
        self
    }
}

impl<I: IsHistogram> Builder<'_, I> {
    /// Buckets per octave, as a power of two: 3, the default, are 8 buckets from 1 to 2, each 9 % wide. 0 to 7.
    pub fn scale(mut self, scale: u8) -> Self {
        self.scale = Some(scale);
        self
    }

    /// The range, as exponents of two of the exported unit: `range(-20, 12)` is 1 µs to 68 min in seconds. What is below falls into the
    /// low bucket, what is above into the overflow bucket.
    pub fn range(mut self, low: i16, high: i16) -> Self {
        self.exponential = Some((self.scale.unwrap_or(Exponential::SECONDS.scale()), low, high));
        self
    }

    /// Range for short durations in seconds: 2^-30 (1 ns) to 2^2 (4 s).
    pub fn nanos(self) -> Self {
        let preset = Exponential::SECONDS_NANOS;
        self.range(preset.low(), preset.high())
    }

    /// Closed epochs that the segment keeps, 0 to 64; default 2. Each costs as much memory as the buckets.
    pub fn ring_slots(mut self, ring_slots: u8) -> Self {
        self.ring_slots = ring_slots;
        self
    }
}

impl Builder<'_, Samples> {
    /// How many samples readers show, from the first one on: 1 to 4,096; default 100. Each costs 20 to 40 bytes per thread that records.
    pub fn keep(mut self, samples: u64) -> Self {
        self.samples = samples;
        self
    }
}

impl Builder<'_, Text> {
    /// Bytes of the longest text: 1 to 4,096; default 224. A longer one is cut at a character. Costs eight times as much, once per
    /// segment. A series has one capacity, that of its first registration; who asks for another gets the series as it is.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.text = bytes;
        self
    }
}

impl<'a, const N: usize> Builder<'a, Group<N>> {
    /// What is counted together, 1 to 15 names of 1 to 63 letters, digits, `_`, `.` and `-`, in the order in which
    /// [`add`](Group::add) takes the amounts. Other fields for an existing series are a revision of it: readers add up those of one name.
    pub fn fields(mut self, names: [&'a str; N]) -> Self {
        self.fields = names.to_vec();
        self
    }
}

impl Builder<'_, InFlight> {
    /// Keys that can be in flight or parked at a time, over all processes: 1 to 32,768, rounded up to a power of two; default 512. Each
    /// costs 144 bytes, once per segment. Let it be a few times what you expect: a key whose bucket of
    /// eight is full has no entry. Another capacity for an existing series makes a second table beside the first.
    pub fn capacity(mut self, entries: u64) -> Self {
        self.entries = entries;
        self
    }
}

impl Builder<'_, Histogram> {
    /// Exported units per base unit, if not that of the unit: `factor(1e-3)` with [`Unit::Seconds`] records milliseconds.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = Some(factor);
        self
    }
}

fn encode(name: &str, pairs: &[(&str, &str)]) -> Result<Vec<u8>, RegisterError> {
    labels::encode(pairs).map_err(|source| RegisterError::Labels {
        name: name.to_owned(),
        source,
    })
}

/// Registers one series and makes its handle.
pub(super) fn make<I: Instrument>(
    attachment: &Arc<Attachment>,
    parameters: &Parameters,
    family: u64,
    labels: &[u8],
    overflow: bool,
    limit: u64,
) -> Result<I, RegisterError> {
    let key = SeriesKey {
        name: &parameters.name,
        family,
        kind: parameters.kind,
        labels,
        factor: parameters.factor,
        exponential: parameters.exponential,
        text: parameters.text,
        in_flight: parameters.in_flight,
        events: None,
        group: parameters.group,
        extra: match parameters.kind {
            Kind::State => &parameters.statuses,
            Kind::Group => parameters.fields.as_bytes(),
            _ => &parameters.bounds,
        },
        ring_slots: parameters.ring_slots,
        samples: parameters.samples,
        overflow,
        limit,
    };
    let registered = register_series(attachment, key)?;
    if parameters.ring_slots > 0 && block_shape_of(&key).is_some() {
        ticker::refresh(attachment);
        ticker::require(attachment);
    }
    Ok(I::make(Place {
        attachment,
        placement: registered.placement,
        text: registered.text,
        parameters,
    }))
}
