//! What the fuzzer's inputs mean: a segment as its nonzero words, and how such a segment is damaged on purpose.
//!
//! ```text
//! input    length of the file, u32 LE · words of the first part, u32 LE · words
//! word     number of the word in the file, u32 LE · its bytes, 8
//! ```
//!
//! The words of the first part make the file that is opened; the others are stored afterwards, while the reader has it mapped. Files
//! are mostly zeros, so inputs are short and every byte of them matters.

pub mod mutate;
pub mod sparse;
