//! What happens to the connections and requests of a server: seven events, collectors that take them, and metrics made of them.
//!
//! ```text
//!            ┌─ NoopCollector      nothing
//! record ──> ├─ BufferedCollector  this process' memory, in batches
//! (Tee: all) ├─ LineCollector      JSON lines for a log
//!            └─ SegmentCollector   the segment: events of all processes, and metrics
//!                    └──> Follower   each reader gets every event once
//!                    └──> Figures    what a snapshot says
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `event`, `stored` | the events; how they stand in a segment |
//! | `collector` | what takes events; several at once |
//! | `any` | one that is chosen when the program runs, or none |
//! | `buffered` | batches in memory |
//! | `lines` | JSON lines with a level, for a log |
//! | `segment` | events and metrics in a segment |
//! | `follower` | reading the events of all processes |
//! | `figures` | reading the metrics |
//!
//! Order per connection: opened → (started → \[disconnected\] → completed)* → closed. Between connections there is none but the times.
//! Times are [`monotonic_ns`](crate::monotonic_ns), given by the caller: an opened event carries when the connection was accepted.

mod any;
mod buffered;
mod collector;
mod event;
mod figures;
mod follower;
mod lines;
mod segment;
mod stored;

pub use self::any::AnyCollector;
pub use self::buffered::BufferedCollector;
pub use self::collector::{Collector, NoopCollector, Tee};
pub use self::event::{Event, UNKNOWN};
pub use self::figures::{Figures, Requests};
pub use self::follower::{Batch, Follower};
pub use self::lines::{Level, LineCollector, LineOptions};
pub use self::segment::{SegmentCollector, SegmentOptions};
