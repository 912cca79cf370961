//! Output: a broken pipe is no error, colours only for people who want them, and no text of a segment reaches a terminal raw.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};

use crate::exit::{Failure, io_failure};

/// Writes to stdout. Nobody reading it any more ends the command quietly.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Quiet),
        Err(error) => Err(io_failure(
            "write to stdout",
            &error,
            "free space, or write elsewhere",
        )),
    }
}

/// Writes one line to stderr. There is nobody to tell if that fails.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", clean(line));
}

/// Overwrites the line on stderr, where that is a terminal.
pub(crate) fn progress(line: &str) {
    let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
}

pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Can this character move the cursor, hide text or turn its direction? Controls, what is never seen, and the tags that copy ASCII.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Columns that a terminal takes for a cleaned text: two for East Asian wide characters and pictures, none for marks that stand on the
/// one before. By blocks of Unicode, which is enough to keep columns straight; terminals differ in the rest.
pub(crate) fn columns(text: &str) -> usize {
    let width = |c: char| match u32::from(c) {
        0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f => 0,
        0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x33ff | 0x3400..=0x4dbf | 0x4e00..=0xa4cf => 2,
        0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    };
    text.chars().map(width).sum()
}

/// As [`clean`], in quotes where the text could be taken for something else on its line: another column, labels, an end.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    let is_space = |c: char| c.is_whitespace() && c != ' ';
    let is_plain = !text.contains(|c| matches!(c, '{' | '}' | '"' | '=' | ',' | '\\') || is_space(c))
        && !text.contains("  ")
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    match is_plain {
        true => clean(text),
        false => Cow::Owned(format!("\"{}\"", escaped(text))),
    }
}

/// As [`clean`], with quotes and backslashes escaped: what stands between quotes cannot end them.
pub(crate) fn escaped(text: &str) -> String {
    clean(&text.replace('\\', "\\\\").replace('"', "\\\"")).into_owned()
}

/// The text on one line, with what could mislead a terminal or its reader written out: `\u{1b}`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_treacherous(c) {
            cleaned.extend(c.escape_unicode())
        } else {
            cleaned.push(c)
        }
    }
    Cow::Owned(cleaned)
}

/// As [`clean`], for finished JSON: such characters can only be inside its strings, where `\u001b` means the same.
pub(crate) fn clean_json(json: String) -> String {
    // Line ends between tokens are the printer's own; within strings JSON has escaped them.
    let is_raw = |c: char| is_treacherous(c) && c != '\n';
    if !json.contains(is_raw) {
        return json;
    }
    let mut cleaned = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_raw(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(cleaned, "\\u{unit:04x}");
            }
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

/// Paints text, or not.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    enabled: bool,
}

impl Style {
    /// For stdout: colours on a terminal, unless `NO_COLOR` is set (to anything, as no-color.org says).
    pub(crate) fn of_stdout() -> Style {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Style {
            enabled: stdout_is_terminal() && !unwanted && !dumb,
        }
    }

    #[cfg(test)]
    pub(crate) const PLAIN: Style = Style { enabled: false };

    fn paint(self, code: &str, text: &str) -> String {
        if self.enabled {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mislead_is_written_out() {
        assert_eq!(clean("plain ünïcode 漢字"), "plain ünïcode 漢字");
        assert_eq!(
            clean("a\x1b[2Jb\nc\u{9b}d\u{202e}e\u{7f}"),
            r"a\u{1b}[2Jb\u{a}c\u{9b}d\u{202e}e\u{7f}"
        );
    }

    #[test]
    fn what_looks_like_something_else_is_quoted() {
        for plain in ["", "hits_total", "web worker", "längst/µs", "漢字", "a\u{1b}"] {
            assert_eq!(quoted(plain), clean(plain));
        }
        assert_eq!(quoted("hits{a=\"b\"}"), r#""hits{a=\"b\"}""#);
        assert_eq!(quoted("hits  99"), "\"hits  99\"");
        assert_eq!(quoted("hits\u{2003}99"), "\"hits\u{2003}99\"");
        assert_eq!(quoted(r"\u{1b}"), r#""\\u{1b}""#);
        assert_eq!(quoted(" a"), "\" a\"");
    }

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        assert_eq!(columns("plain"), 5);
        assert_eq!(columns("漢字"), 4);
        assert_eq!(columns("e\u{301}\u{302}\u{303}"), 1);
        assert_eq!(columns("한 🙂"), 5);
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({"a\u{9b}": "\u{202e}\u{1b}\u{feff}\n", "b": [1, 2]});
        let cleaned = clean_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(
            !cleaned.contains(|c| is_treacherous(c) && c != '\n'),
            "{cleaned:?}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&cleaned).unwrap(),
            value
        );
    }
}
