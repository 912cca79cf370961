//! The page for people who open the address in a browser: where everything is.

use super::segments::Segments;

/// Plain HTML, without scripts.
pub(super) fn page(telemetry_path: &str, segments: &Segments) -> String {
    let mut list = String::new();
    for segment in segments.iter() {
        let name = escaped(&segment.name);
        let state = match &segment.problem {
            None => format!("<a href=\"/json?segment={}\">JSON</a>", encoded(&segment.name)),
            Some(problem) => escaped(&problem.message),
        };
        list.push_str(&format!("<li>{name}: {state}</li>\n"));
    }
    for (place, problem) in &segments.problems {
        list.push_str(&format!(
            "<li>{}: {}</li>\n",
            escaped(place),
            escaped(&problem.message)
        ));
    }
    if list.is_empty() {
        list.push_str("<li>none yet</li>\n");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>shmetrics</title></head><body>\n\
         <h1>shmetrics {version}</h1>\n\
         <ul>\n\
         <li><a href=\"{metrics}\">{metrics}</a>: for Prometheus and other scrapers</li>\n\
         <li><a href=\"/json\">/json</a>: the snapshot</li>\n\
         <li><a href=\"/stats\">/stats</a>: names and values</li>\n\
         <li><a href=\"/events\">/events</a>: what happened, event by event</li>\n\
         <li><a href=\"/health\">/health</a>: what somebody must act on</li>\n\
         </ul>\n<h2>Segments</h2>\n<ul>\n{list}</ul>\n</body></html>\n",
        version = env!("CARGO_PKG_VERSION"),
        metrics = escaped(telemetry_path),
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For the part of an address behind `=`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_cannot_become_markup() {
        assert_eq!(escaped("<b a=\"'\">&"), "&lt;b a=&quot;&#39;&quot;&gt;&amp;");
        assert_eq!(encoded("a b&c=\"ü"), "a%20b%26c%3D%22%C3%BC");
    }
}
