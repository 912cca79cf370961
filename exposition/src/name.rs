//! Names: which are legal, and how the others are written.
//!
//! Up to Prometheus 2 a name has letters, digits, `_` and (metrics only) `:`, and begins with no digit. Later versions take any
//! UTF-8, if it is quoted and they asked for it. Whoever did not ask gets names by one of three schemes, which are those of
//! prometheus/common: a name that is legal is left as it is, also by a scheme that would change it.

use std::borrow::Cow;

/// What becomes of names that are not of the plain character set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Escaping {
    /// Each character that is not plain becomes `_`. Different names may become equal; then the later one is written as by
    /// [`Values`](Self::Values).
    #[default]
    Underscores,
    /// `.` becomes `_dot_`, `_` is doubled, each other character that is not plain becomes `__`.
    Dots,
    /// `U__`, then `_` doubled and each character that is not plain as `_HEX_`: nothing is lost.
    Values,
    /// Nothing: names are quoted.
    AllowUtf8,
}

impl Escaping {
    /// All of them.
    pub const ALL: [Escaping; 4] = [
        Escaping::Underscores,
        Escaping::Dots,
        Escaping::Values,
        Escaping::AllowUtf8,
    ];

    /// The value of the parameter `escaping` in `Accept` and `Content-Type`.
    pub const fn name(self) -> &'static str {
        match self {
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
            Escaping::AllowUtf8 => "allow-utf-8",
        }
    }
}

/// Where a name stands: a colon is legal in names of metrics only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Metric,
    Label,
}

/// May `c`, `at` bytes into a name, stay as it is?
fn is_plain(c: char, at: usize, place: Place) -> bool {
    c.is_ascii_alphabetic()
        || c == '_'
        || (c == ':' && place == Place::Metric)
        || (c.is_ascii_digit() && at > 0)
}

/// Can the name stand without quotes?
pub(crate) fn is_legal(name: &str, place: Place) -> bool {
    !name.is_empty() && name.char_indices().all(|(at, c)| is_plain(c, at, place))
}

/// The name as it is exposed.
pub(crate) fn escape(name: &str, escaping: Escaping, place: Place) -> Cow<'_, str> {
    if escaping == Escaping::AllowUtf8 || is_legal(name, place) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 8);
    match escaping {
        Escaping::AllowUtf8 => {}
        Escaping::Values => return Cow::Owned(by_values(name, place)),
        Escaping::Underscores => {
            let plain = |(at, c)| if is_plain(c, at, place) { c } else { '_' };
            escaped.extend(name.char_indices().map(plain));
        }
        Escaping::Dots => {
            for (at, c) in name.char_indices() {
                match c {
                    '.' => escaped.push_str("_dot_"),
                    c if c != '_' && is_plain(c, at, place) => escaped.push(c),
                    _ => escaped.push_str("__"),
                }
            }
        }
    }
    Cow::Owned(escaped)
}

/// The name by the scheme `values`, also if it is legal: no two names become equal.
pub(crate) fn by_values(name: &str, place: Place) -> String {
    let mut escaped = String::with_capacity(name.len() + 8);
    escaped.push_str("U__");
    for (at, c) in name.char_indices() {
        match c {
            '_' => escaped.push_str("__"),
            c if is_plain(c, at, place) => escaped.push(c),
            c => escaped.push_str(&format!("_{:x}_", u32::from(c))),
        }
    }
    escaped
}

/// Appends a label value, or a name within quotes: `\`, `"` and line ends are escaped.
pub(crate) fn push_quotable(out: &mut Vec<u8>, text: &str) {
    push_escaped(out, text, true);
}

/// Appends `text` with `\` and line ends escaped, and `"`, if asked.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'"' if quotes => b"\\\"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(escaped);
        copied = at + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Appends a name, in quotes if it needs them.
pub(crate) fn push_name(out: &mut Vec<u8>, name: &str, place: Place) {
    if is_legal(name, place) {
        out.extend_from_slice(name.as_bytes());
    } else {
        out.push(b'"');
        push_quotable(out, name);
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_is_that_of_prometheus_common() {
        use Escaping::*;
        // The cases of its tests: name, then by each scheme.
        let table = [
            ("no:escaping_required", ["no:escaping_required"; 3]),
            (
                "mysystem.prod.west.cpu.load",
                [
                    "mysystem_prod_west_cpu_load",
                    "mysystem_dot_prod_dot_west_dot_cpu_dot_load",
                    "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load",
                ],
            ),
            (
                "mysystem.prod.west.cpu.load_total",
                [
                    "mysystem_prod_west_cpu_load_total",
                    "mysystem_dot_prod_dot_west_dot_cpu_dot_load__total",
                    "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total",
                ],
            ),
            (
                "http.status:sum",
                ["http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"],
            ),
            (
                "label with 😱",
                ["label_with__", "label__with____", "U__label_20_with_20__1f631_"],
            ),
            ("花火", ["__", "____", "U___82b1__706b_"]),
            ("0leading", ["_leading", "__leading", "U___30_leading"]),
        ];
        for (name, expected) in table {
            for (escaping, expected) in [Underscores, Dots, Values].into_iter().zip(expected) {
                assert_eq!(escape(name, escaping, Place::Metric), expected, "{name}");
            }
            assert_eq!(escape(name, AllowUtf8, Place::Metric), name);
        }
        assert_eq!(escape("a:b", Underscores, Place::Label), "a_b");
        assert_eq!(by_values("a_total", Place::Metric), "U__a__total");
    }

    #[test]
    fn quotes_line_ends_and_backslashes_are_escaped() {
        let mut out = Vec::new();
        push_name(&mut out, "a\"b\\c\nd\re", Place::Label);
        assert_eq!(out, b"\"a\\\"b\\\\c\\nd\re\"");
        out.clear();
        push_escaped(&mut out, "\"\\\n", false);
        assert_eq!(out, b"\"\\\\\\n");
    }
}
