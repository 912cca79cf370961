//! Segments made without the writers of shmetrics: a second opinion on the format.
//!
//! Everything here is built from the layout and the buckets of the library and from SPEC.md alone, never from its protocols, so that
//! a mistake made by writers and readers together does not pass unseen. It is for tests, and for whoever writes another
//! implementation.
//!
//! | module | subject |
//! |---|---|
//! | [`image`] | a segment in memory, made word by word, also as a writer leaves it that died in the middle |
//! | [`hex`] | a segment as text that `xxd -r` understands |
//! | [`fact`] | what a reader must find in a segment |
//! | [`golden`] | the segments in `tests/data`, with what must come out |
//! | [`generate`] | a random valid segment from a seed, with what must come out |
//! | [`expected`] | what the reader of the library says about a segment, as JSON |
//! | [`held`] | locks on the bytes that say a process lives |

// Readers are not there when loom runs the protocols.
#[cfg(not(shmetrics_loom))]
pub mod expected;
#[cfg(not(shmetrics_loom))]
pub mod fact;
#[cfg(not(shmetrics_loom))]
pub mod generate;
#[cfg(not(shmetrics_loom))]
pub mod golden;
pub mod held;
pub mod hex;
pub mod image;
