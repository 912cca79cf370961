//! What `demo` and `torture` share: real processes that work and die, notes of what they did, and the look at what a reader says of it.
//!
//! | file | subject |
//! |---|---|
//! | `memory` | words that outlive the process that stored them |
//! | `random` | numbers that are the same for a seed, everywhere |
//! | `process` | starting this program again, and ending with one's parent |
//! | `place` | where a temporary segment is |
//! | `sequence` | two snapshots of one reader, one after the other |

pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod sequence;
