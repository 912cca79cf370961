//! `inspect --hex`: offset, bytes in the order of the file, name and meaning.
//!
//! ```text
//! 00000038  2000 0000 0000 0000                      header.process_slots                    32
//! 00000130  * 25 words 0                             header.reserved
//! ```
//!
//! Offset and bytes alone give the content back: what is not listed is 0, or not committed.

use std::fmt::Write as _;

use shmetrics::dump::Line;

use crate::terminal::clean;

/// Characters of the bytes: two words, which is a line of text.
const BYTES_WIDTH: usize = 40;
/// Characters of most names.
const NAME_WIDTH: usize = 38;

/// Appends a line.
pub(crate) fn line(line: &Line, text: &mut String) {
    let bytes = match line.zeros {
        0 => hex(&line.words),
        1 => "* 1 word 0".to_owned(),
        zeros => format!("* {zeros} words 0"),
    };
    let full = format!(
        "{:08x}  {bytes:BYTES_WIDTH$} {:NAME_WIDTH$}  {}",
        line.offset,
        clean(&line.name),
        clean(&line.meaning)
    );
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", full.trim_end());
}

/// Bytes as they are in the file, two and two.
fn hex(words: &[u64]) -> String {
    let pairs = words.iter().flat_map(|word| {
        let bytes = word.to_ne_bytes();
        [0, 2, 4, 6].map(|at| format!("{:02x}{:02x}", bytes[at], bytes[at + 1]))
    });
    pairs.collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_in_the_order_of_the_file() {
        let words = [u64::from_ne_bytes(*b"\x01\x02345678")];
        assert_eq!(hex(&words), "0102 3334 3536 3738");
    }
}
