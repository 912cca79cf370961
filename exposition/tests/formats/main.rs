//! Every format: as expected to the byte, and, of whatever a segment may say, valid, complete and without a series twice.

mod expected;
mod groups;
mod identity;
mod make;
mod marks;
mod native;
mod own;
mod parse;
mod proto;
mod random;
#[path = "../../../tests/support/random.rs"]
mod seed;
mod sequence;
mod strict;
#[path = "../../../tests/support/mod.rs"]
mod support;
