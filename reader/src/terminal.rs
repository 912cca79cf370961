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

/// Can this character move the cursor, hide text or turn its direction?
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
