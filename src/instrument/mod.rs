//! Layer 7: the handles users hold.
//!
//! | file | subject |
//! |---|---|
//! | `builder` | `segment.counter("…").help("…").register()` |
//! | `handle` | how a registered series becomes a handle |
//! | `series` | what every handle points to: one place word, loaded once per operation |
//! | `block` | this thread's block of a series |
//! | `counter`, `gauge`, `histogram`, `number`, `samples`, `group`, `time_mark`, `state` | the handles |
//! | `events`, `event_ring` | events with named fields, and the ring that they go into |
//! | `text` | a text that is replaced as a whole |
//! | `in_flight` | what is being worked on, over all processes |
//! | `bound` | handles tied to one thread, for the tightest loops |
//! | `timer` | a guard that records how long it lived |
//! | `family` | series by label values, cached |
//!
//! Handles are `Clone + Send + Sync + 'static`. An operation never fails, panics, blocks or allocates; after a thread's first use (or
//! [`crate::Segment::attach_thread`]) it makes no system call and reads no clock, but for [`TimeMark::mark`], [`Text::set`] and [`InFlight::start`]. All may be used in signal handlers.

mod block;
mod bound;
mod builder;
mod counter;
mod event_ring;
mod events;
mod family;
mod gauge;
mod group;
mod handle;
mod histogram;
mod in_flight;
mod number;
mod samples;
mod series;
mod state;
mod text;
mod time_mark;
mod timer;

pub use bound::{BoundCounter, BoundHistogram};
pub use builder::Builder;
pub use counter::{Counter, FloatCounter};
pub use events::{EventWriter, Events, EventsBuilder, Value as EventValue};
pub use family::Family;
pub use gauge::{FloatGauge, Gauge};
pub use group::Group;
pub use handle::{Instrument, IsGauge, IsHistogram};
pub use histogram::{FloatHistogram, Histogram};
pub use in_flight::{EndedKey, InFlight, InFlightToken};
pub use number::Number;
pub use samples::Samples;
pub use state::State;
pub use text::Text;
pub use time_mark::TimeMark;
pub use timer::{RecordDuration, Timer};
