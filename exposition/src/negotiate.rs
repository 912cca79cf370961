//! Which format a client gets: its `Accept` header, read as RFC 9110 (section 12.5.1) says, against what there is.

use crate::name::Escaping;

/// A format and its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus text 0.0.4: what everything reads.
    #[default]
    Text004,
    /// Prometheus text 1.0.0: the same, with quoted names allowed.
    Text100,
    /// OpenMetrics text 0.0.1.
    OpenMetrics001,
    /// OpenMetrics text 1.0.0.
    OpenMetrics100,
    /// Prometheus protobuf, delimited: the only one with native histograms.
    Protobuf,
}

impl Format {
    /// In the order in which they are given to who does not mind.
    const ALL: [Format; 5] = [
        Format::Text004,
        Format::Text100,
        Format::OpenMetrics001,
        Format::OpenMetrics100,
        Format::Protobuf,
    ];

    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Format::Text004 | Format::Text100 => ("text", "plain"),
            Format::OpenMetrics001 | Format::OpenMetrics100 => ("application", "openmetrics-text"),
            Format::Protobuf => ("application", "vnd.google.protobuf"),
        }
    }

    /// Parameters that belong to the media type.
    const fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Format::Text004 => &[("version", "0.0.4")],
            Format::Text100 | Format::OpenMetrics100 => &[("version", "1.0.0")],
            Format::OpenMetrics001 => &[("version", "0.0.1")],
            Format::Protobuf => &[
                ("proto", "io.prometheus.client.MetricFamily"),
                ("encoding", "delimited"),
            ],
        }
    }
}

/// What a client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The format.
    pub format: Format,
    /// What becomes of names that are not plain.
    pub escaping: Escaping,
}

impl Choice {
    /// The value of the header `Content-Type`.
    pub fn content_type(self) -> String {
        let (kind, subtype) = self.format.media_type();
        let mut text = format!("{kind}/{subtype}");
        for (name, value) in self.format.parameters() {
            text.push_str(&format!("; {name}={value}"));
        }
        if self.format != Format::Protobuf {
            text.push_str("; charset=utf-8");
        }
        text + "; escaping=" + self.escaping.name()
    }
}

/// One element of the header.
#[derive(Debug, Default)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    proto: Option<&'a str>,
    encoding: Option<&'a str>,
    escaping: Escaping,
    /// In thousandths.
    quality: u32,
}

/// The format that a client prefers, of those there are: text 0.0.4 with underscores if it says nothing or knows none of them.
///
/// Of each format the most specific element counts, and its quality decides. Of equal ones: one that is named before one that a
/// `*` allows, then the order of the header. Several headers are joined with commas. Never fails: what makes no sense is passed over.
pub fn negotiate(accept: &str) -> Choice {
    let ranges: Vec<Range<'_>> = split(accept, ',').filter_map(parse).collect();
    let mut best: Option<((u32, bool, usize), Choice)> = None;
    for format in Format::ALL {
        let fits = ranges
            .iter()
            .enumerate()
            .filter_map(|(at, range)| Some((range.specificity(format)?, at, range)));
        // The first of the most specific ones.
        let Some((specificity, at, range)) =
            fits.min_by_key(|(specificity, at, _)| (usize::MAX - specificity, *at))
        else {
            continue;
        };
        let rank = (range.quality, specificity > ANY_SUBTYPE, usize::MAX - at);
        if range.quality > 0 && best.is_none_or(|(other, _)| rank > other) {
            best = Some((
                rank,
                Choice {
                    format,
                    escaping: range.escaping,
                },
            ));
        }
    }
    best.map(|(_, choice)| choice).unwrap_or_default()
}

/// Specificity of `text/*`; `*/*` has 0.
const ANY_SUBTYPE: usize = 1;

impl Range<'_> {
    /// How closely it describes a format; `None`: not at all.
    fn specificity(&self, format: Format) -> Option<usize> {
        let (kind, subtype) = format.media_type();
        if self.subtype == "*" {
            return match self.kind {
                "*" => Some(0),
                own if own.eq_ignore_ascii_case(kind) => Some(ANY_SUBTYPE),
                _ => None,
            };
        }
        if !(self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)) {
            return None;
        }
        // Protobuf without these may be any message.
        let needed = format == Format::Protobuf;
        let mut specificity = ANY_SUBTYPE + 1;
        for (name, value) in format.parameters() {
            let wanted = match *name {
                "version" => self.version,
                "proto" => self.proto,
                _ => self.encoding,
            };
            match wanted {
                Some(wanted) if wanted == *value => specificity += 1,
                None if !needed => {}
                _ => return None,
            }
        }
        Some(specificity)
    }
}

fn parse(element: &str) -> Option<Range<'_>> {
    let mut parts = split(element, ';');
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let mut range = Range {
        kind: kind.trim(),
        subtype: subtype.trim(),
        quality: 1000,
        ..Range::default()
    };
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        match name.trim().to_ascii_lowercase().as_str() {
            "version" => range.version = Some(value),
            "proto" => range.proto = Some(value),
            "encoding" => range.encoding = Some(value),
            // The other spelling was in the documents of Prometheus for some time.
            "escaping" if value == "allow-utf8" => range.escaping = Escaping::AllowUtf8,
            "escaping" => {
                let known = Escaping::ALL
                    .into_iter()
                    .find(|escaping| escaping.name() == value);
                range.escaping = known.unwrap_or_default();
            }
            "q" => range.quality = quality(value)?,
            _ => {}
        }
    }
    Some(range)
}

/// Thousandths of a quality; `None`: it is none.
fn quality(text: &str) -> Option<u32> {
    let value: f64 = text.parse().ok()?;
    (0.0..=1.0)
        .contains(&value)
        .then_some((value * 1000.0).round() as u32)
}

/// Splits at a separator that is not in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Escaping::*;
    use Format::*;

    const PROTO: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    fn chosen(accept: &str) -> (Format, Escaping) {
        let Choice { format, escaping } = negotiate(accept);
        (format, escaping)
    }

    #[test]
    fn real_clients_get_what_they_prefer() {
        let table = [
            // Nobody says anything; curl; a browser; wget.
            ("", (Text004, Underscores)),
            ("*/*", (Text004, Underscores)),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
                (Text004, Underscores),
            ),
            // Prometheus 2.42.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                (OpenMetrics100, Underscores),
            ),
            // 2.30, and the one with native histograms.
            (
                "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                (OpenMetrics001, Underscores),
            ),
            (
                &format!(
                    "{PROTO},application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                ),
                (Protobuf, Underscores),
            ),
            // 2.5x.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                (OpenMetrics100, Underscores),
            ),
            // 3.x, without and with native histograms.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                (OpenMetrics100, AllowUtf8),
            ),
            (
                &format!(
                    "{PROTO};escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
                ),
                (Protobuf, AllowUtf8),
            ),
            // The other spelling, once in the documents.
            (
                "text/plain;version=1.0.0;escaping=allow-utf8;q=0.6",
                (Text100, AllowUtf8),
            ),
            // 3.x, told to keep to plain names.
            (
                "text/plain;version=1.0.0;escaping=underscores;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                (Text100, Underscores),
            ),
            // VictoriaMetrics; Telegraf.
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", (Text004, Underscores)),
            (
                &format!("{PROTO};q=0.7,text/plain;version=0.0.4;q=0.3"),
                (Protobuf, Underscores),
            ),
        ];
        for (accept, expected) in table {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
    }

    #[test]
    fn every_rule_of_the_header_is_followed() {
        let table = [
            // Versions that are not told, and not known.
            ("text/plain", (Text004, Underscores)),
            ("application/openmetrics-text", (OpenMetrics001, Underscores)),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
                (Text004, Underscores),
            ),
            (
                "application/openmetrics-text;version=2.0.0",
                (Text004, Underscores),
            ),
            // Any other message, or in another form.
            ("application/vnd.google.protobuf", (Text004, Underscores)),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text,application/openmetrics-text;version=1.0.0;q=0.1",
                (OpenMetrics100, Underscores),
            ),
            // Quality before order, order among equals, what is named before what is allowed.
            (
                "text/plain;q=0.2, application/openmetrics-text;version=1.0.0;q=0.3",
                (OpenMetrics100, Underscores),
            ),
            (
                "application/openmetrics-text;version=1.0.0, text/plain",
                (OpenMetrics100, Underscores),
            ),
            (
                "text/plain, application/openmetrics-text;version=1.0.0",
                (Text004, Underscores),
            ),
            (
                "*/*, application/openmetrics-text;version=1.0.0",
                (OpenMetrics100, Underscores),
            ),
            ("text/*", (Text004, Underscores)),
            ("application/*;q=0.9, */*;q=0.5", (OpenMetrics001, Underscores)),
            // The most specific element counts: here it forbids.
            ("text/*, text/plain;version=0.0.4;q=0", (Text100, Underscores)),
            ("*/*, text/plain;q=0", (OpenMetrics001, Underscores)),
            ("*/*;q=0", (Text004, Underscores)),
            (
                "application/openmetrics-text;version=1.0.0;escaping=dots;q=0",
                (Text004, Underscores),
            ),
            // Escaping goes with its element.
            (
                "text/plain;version=0.0.4;escaping=dots, */*;escaping=values",
                (Text004, Dots),
            ),
            (
                "text/plain;escaping=values;q=0.5, application/openmetrics-text;q=0.4",
                (Text004, Values),
            ),
            ("text/plain;escaping=nonsense", (Text004, Underscores)),
            // Case, space, quotes, and what makes no sense.
            (
                " TEXT/Plain ; Version=\"1.0.0\" ; Q=0.5 , ",
                (Text100, Underscores),
            ),
            (
                "text/plain;note=\"a,b;c/d\";version=1.0.0",
                (Text100, Underscores),
            ),
            (
                ",;=/,text,/;q=,text/plain;q=7,application/openmetrics-text;q=0.001",
                (OpenMetrics001, Underscores),
            ),
            ("text/plain;q=NaN", (Text004, Underscores)),
        ];
        for (accept, expected) in table {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_content_type_says_what_was_chosen() {
        let text = |format, escaping| Choice { format, escaping }.content_type();
        assert_eq!(
            text(Text004, Underscores),
            "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
        );
        assert_eq!(
            text(OpenMetrics100, AllowUtf8),
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
        );
        assert_eq!(
            text(Protobuf, Values),
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=values"
        );
        // Who asks for a type that was answered gets it again.
        for format in Format::ALL {
            for escaping in Escaping::ALL {
                let choice = Choice { format, escaping };
                assert_eq!(negotiate(&choice.content_type()), choice);
            }
        }
    }
}
