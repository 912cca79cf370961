//! How people write sizes, durations, modes and addresses, on the command line and in the environment.

use std::time::Duration;

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// Bytes: `4096`, `64k`, `256MiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, suffix) = split(text.trim());
    let unit: u64 = match suffix {
        "" | "B" => 1,
        "k" | "K" | "kB" => 1000,
        "M" | "MB" => 1000 * 1000,
        "G" | "GB" => 1000 * 1000 * 1000,
        "T" | "TB" => 1000 * 1000 * 1000 * 1000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        "Ti" | "TiB" => 1 << 40,
        _ => return Err("use bytes, or a whole number with k, M, G, KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "use a whole number, like 64MiB".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "that is more than 2^64 bytes".to_owned())
}

/// A duration above zero: `1s`, `250ms`, `2m`; a number alone are seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, suffix) = split(text.trim());
    let unit = match suffix {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("use a number with ms, s, m or h, like 10s".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "use a number, like 10s".to_owned())?;
    match Duration::try_from_secs_f64(number * unit) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err("it must be more than 0".to_owned()),
        Err(_) => Err("it is too long".to_owned()),
    }
}

/// Permissions in octal: `0640`.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 && !text.starts_with('+') => Ok(mode),
        _ => Err("use octal permissions from 0 to 0777, like 0640".to_owned()),
    }
}

/// `HOST:PORT`, `[IPV6]:PORT` or `:PORT`, as text: names are looked up when it is listened on.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let usage = || "use HOST:PORT, like 127.0.0.1:10291, [::1]:10291 or :10291".to_owned();
    let (host, port) = text.trim().rsplit_once(':').ok_or_else(usage)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = bare.is_some() || !host.contains([':', '[', ']', '/']);
    match port.parse::<u16>() {
        Ok(port) if is_host => Ok(format!("{host}:{port}")),
        _ => Err(usage()),
    }
}

/// A path of a URL: begins with a slash, and has nothing that a client would write in another way.
pub(crate) fn telemetry_path(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    match text.strip_prefix('/') {
        Some(rest) if !rest.is_empty() && rest.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err(
            "use a path of letters, digits and / - _ . ~ that begins with a slash, like /metrics".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64k", 64_000),
            ("1 GiB", 1 << 30),
            ("3MB", 3_000_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1.5M", "1X", "99999999TiB", "1e3"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in [
            ("1", 1000),
            ("250ms", 250),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "s",
            "0",
            "-1s",
            "nan",
            "1e9",
            "1d",
            "1.2.3s",
            "99999999999999999999999h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (text, address_text) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            (":10291", ":10291"),
            ("[::1]:80", "[::1]:80"),
            (" localhost:9 ", "localhost:9"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(address_text), "{text}");
        }
        for text in [
            "",
            "80",
            "localhost",
            "::1:80",
            "a:70000",
            "a:-1",
            "http://a:80",
            "[::1:80",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn telemetry_paths() {
        assert_eq!(telemetry_path("/metrics").as_deref(), Ok("/metrics"));
        assert_eq!(telemetry_path("/a/b-1").as_deref(), Ok("/a/b-1"));
        for text in ["", "/", "metrics", "/a b", "/a?b", "/%41"] {
            assert!(telemetry_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes() {
        assert_eq!(mode("0640"), Ok(0o640));
        assert_eq!(mode("777"), Ok(0o777));
        for text in ["", "1777", "8", "-1", "+7", "rw"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
