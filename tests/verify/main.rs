//! `verify`: nothing is found in what real writers make, alive, killed or copied; every damage is found by its rule, and no damage at
//! all makes it fail. `dump`, whose words the damage goes by, ends on the same files, within bounds.

mod busy;
mod damage;
mod directories;
mod dump;
mod errors;
mod events;
mod fixture;
mod groups;
mod header;
mod histograms;
mod in_flight;
mod live;
#[path = "../support/memory.rs"]
mod memory;
mod overlap;
mod random;
mod records;
mod resets;
#[path = "../support/random.rs"]
mod seed;
mod storage;
#[path = "../support/mod.rs"]
mod support;
mod texts;
