//! A segment as text: the form of `xxd`, without lines of zeros, with comments.
//!
//! ```text
//! # 0:  smallest: one counter
//! # 0:  length 589824
//! 00000000: 8f73 686d 6574 0d0a 0100 0000 0000 0000
//! ```
//!
//! Bytes stand in file order. A comment begins with `# 0:` and two blanks, because `xxd -r` has no comments: it passes over what is
//! not a hex digit, takes the 0 as an offset, and gives up on a line at the third character in a row that is no digit. So it takes a
//! comment for a line at offset 0 without bytes, and the file need not be seekable.

use std::fmt::Write;

const COMMENT: &str = "# 0:  ";
const LENGTH: &str = "length ";
const LINE_BYTES: usize = 16;

/// The words of a file, and what is told about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dump {
    /// Lines of comment, without the length.
    pub about: Vec<String>,
    /// Bytes of the file.
    pub length: u64,
    /// Its words, in the byte order of this machine; those after the last that is not 0 may be missing.
    pub words: Vec<u64>,
}

/// Why text is not a dump.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// No comment says how long the file is.
    #[error("no line says how long the file is; add one: {COMMENT}{LENGTH}BYTES")]
    NoLength,
    /// A line is neither bytes nor a comment.
    #[error(
        "line {line} is {text:?}; expected an offset in hex, a colon and up to 16 bytes in hex, or {COMMENT:?}"
    )]
    BadLine {
        /// Its number, from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// A line is not where the line before ends, or later; or it is not a multiple of 16; or beyond the end of the file.
    #[error(
        "line {line} is at offset {offset:#x}; expected ascending multiples of 16 within the length of the file"
    )]
    BadOffset {
        /// Its number, from 1.
        line: usize,
        /// Its offset.
        offset: u64,
    },
}

/// Longest file that is expanded: golden files are small, and a length is easily mistyped.
const MAX_LENGTH: u64 = 1 << 30;

impl Dump {
    /// The dump as text. Lines of zeros are left out.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.about {
            text += &format!("{COMMENT}{line}\n");
        }
        text += &format!("{COMMENT}{LENGTH}{}\n", self.length);
        for (index, words) in self.words.chunks(LINE_BYTES / 8).enumerate() {
            let offset = index * LINE_BYTES;
            if offset as u64 >= self.length || words.iter().all(|&word| word == 0) {
                continue;
            }
            let _ = write!(text, "{offset:08x}:");
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            bytes.truncate(self.length as usize - offset);
            for pair in bytes.chunks(2) {
                text.push(' ');
                for byte in pair {
                    let _ = write!(text, "{byte:02x}");
                }
            }
            text.push('\n');
        }
        text
    }

    /// Reads a dump.
    pub fn parse(text: &str) -> Result<Dump, HexError> {
        let mut dump = Dump::default();
        let mut length = None;
        let mut bytes: Vec<u8> = Vec::new();
        for (index, content) in text.lines().enumerate() {
            let line = index + 1;
            let bad = || HexError::BadLine {
                line,
                text: content.to_owned(),
            };
            if let Some(comment) = content.strip_prefix(COMMENT.trim_end()) {
                let comment = comment.trim_start();
                match comment.strip_prefix(LENGTH).map(str::parse) {
                    Some(Ok(parsed)) if parsed <= MAX_LENGTH => length = Some(parsed),
                    Some(_) => return Err(bad()),
                    None => dump.about.push(comment.to_owned()),
                }
                continue;
            }
            let (offset, digits) = content.split_once(':').ok_or_else(bad)?;
            // The library function would take a sign.
            let is_hex = offset.bytes().all(|byte| byte.is_ascii_hexdigit());
            let offset = is_hex.then(|| u64::from_str_radix(offset, 16).ok()).flatten();
            let offset = offset.ok_or_else(bad)?;
            let found = parse_bytes(digits).ok_or_else(bad)?;
            let most = length.ok_or(HexError::NoLength)?;
            let end = offset.saturating_add(found.len() as u64);
            if !offset.is_multiple_of(LINE_BYTES as u64) || offset < bytes.len() as u64 || end > most {
                return Err(HexError::BadOffset { line, offset });
            }
            bytes.resize(offset as usize, 0);
            bytes.extend(found);
        }
        dump.length = length.ok_or(HexError::NoLength)?;
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        dump.words = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|chunk| u64::from_ne_bytes(*chunk))
            .collect();
        Ok(dump)
    }
}

/// At most a line of bytes, in hex, with blanks between; `None` if it is something else.
fn parse_bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    if digits.is_empty() || digits.len() > 2 * LINE_BYTES || !is_hex {
        return None;
    }
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let (pairs, rest) = digits.as_chunks::<2>();
    (rest.is_empty()).then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(length: u64, words: &[u64]) -> Dump {
        Dump {
            about: vec!["a: face".into(), "b".into()],
            length,
            words: words.to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for dump in [
            dump(64, &[1, 2, 0, 0, u64::MAX, 0, 0, 3]),
            dump(4096, &[0, 0, 0, 7]),
            dump(20, &[1, 2, 3]),
        ] {
            let read = Dump::parse(&dump.to_text()).unwrap();
            assert_eq!((&read.about, read.length), (&dump.about, dump.length));
            assert_eq!(read.words[..], dump.words[..read.words.len()]);
            assert!(dump.words[read.words.len()..].iter().all(|word| *word == 0));
        }
    }

    #[test]
    fn other_text_is_refused_with_its_line() {
        let with = |line: &str| Dump::parse(&format!("# 0:  length 32\n{line}\n"));
        for line in [
            "00000000",
            "0000000z: 00",
            "00000000: 0",
            "00000000: zz",
            "00000000:",
        ] {
            assert!(
                matches!(with(line), Err(HexError::BadLine { line: 2, .. })),
                "{line}"
            );
        }
        for line in ["00000008: 00", "00000030: 00", "00000000: 00\n00000000: 00"] {
            assert!(matches!(with(line), Err(HexError::BadOffset { .. })), "{line}");
        }
        assert_eq!(Dump::parse("00000000: 00\n"), Err(HexError::NoLength));
        assert!(matches!(
            Dump::parse("# 0:  length x\n"),
            Err(HexError::BadLine { line: 1, .. })
        ));
    }
}
