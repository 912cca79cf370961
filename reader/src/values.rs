//! How people write sizes, durations and modes, on the command line and in the environment.

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
    fn modes() {
        assert_eq!(mode("0640"), Ok(0o640));
        assert_eq!(mode("777"), Ok(0o777));
        for text in ["", "1777", "8", "-1", "+7", "rw"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
