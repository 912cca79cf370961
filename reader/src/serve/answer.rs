//! From content to a response: length, type, compression, and what a client must not guess.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    HeaderMap, HeaderValue, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// Less than this is sent as it is: compressed it would not be one packet less.
const LEAST_COMPRESSED: usize = 1024;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    pub(super) is_compressed: bool,
}

impl Answer {
    pub(super) fn new(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Answer {
        Answer {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
            is_compressed: false,
        }
    }

    /// A line for people.
    pub(super) fn line(status: StatusCode, line: &str) -> Answer {
        Answer::new(status, TEXT, format!("{line}\n"))
    }

    /// To a request with HEAD hyper sends all of it but the body.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let length = HeaderValue::from(self.body.len());
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let content_type = HeaderValue::from_str(&self.content_type);
        headers.insert(
            CONTENT_TYPE,
            content_type.unwrap_or(HeaderValue::from_static(TEXT)),
        );
        headers.insert(CONTENT_LENGTH, length);
        // The next one is another one.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        if self.is_compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            // What comes behind such a request is not read.
            StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// Does the client take gzip (RFC 9110, 12.5.3)? Without such a header nothing is compressed.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let text: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let mut any = None;
    for coding in text.iter().flat_map(|text| text.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let is_wanted =
            quality.is_none_or(|text| text.trim().parse::<f32>().is_ok_and(|quality| quality > 0.0));
        match &*name {
            "gzip" | "x-gzip" => return is_wanted,
            "*" => any = Some(is_wanted),
            _ => {}
        }
    }
    any.unwrap_or(false)
}

/// The content as gzip; `None` if it is too short, or cannot be compressed.
pub(super) fn compressed(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() < LEAST_COMPRESSED {
        return None;
    }
    // Text like this shrinks to a tenth at any level; the fastest costs a third of the default.
    let mut encoder = GzEncoder::new(Vec::with_capacity(content.len() / 8), Compression::fast());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
            takes_gzip(&headers)
        };
        for text in [
            "gzip",
            "deflate, gzip;q=1.0, *;q=0.5",
            "br, GZIP;q=0.1",
            "*",
            "identity;q=0, *;q=0.1",
        ] {
            assert!(takes(text), "{text}");
        }
        for text in [
            "",
            "identity",
            "gzip;q=0",
            "*, gzip;q=0.0",
            "br;q=1",
            "*;q=0",
            "gzip;q=x",
        ] {
            assert!(!takes(text), "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
