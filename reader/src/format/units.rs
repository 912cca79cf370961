//! Numbers as people read them.

/// Whole numbers in groups of three: `12,345,678`.
pub(crate) fn grouped(value: u64) -> String {
    group(&value.to_string())
}

/// As [`grouped`], with a sign.
pub(crate) fn grouped_signed(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three significant digits, or all of a whole number.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if size.fract() == 0.0 && size < 1e15 {
        return grouped_signed(value as i64);
    }
    match size {
        _ if !(1e-4..1e12).contains(&size) => format!("{value:.2e}"),
        1000.0.. => grouped_signed(value.round() as i64),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => {
            let digits = 2 - size.log10().floor() as i32;
            format!("{value:.*}", digits.clamp(2, 8) as usize)
        }
    }
}

fn scaled(value: f64, steps: &[(f64, &str)]) -> String {
    let fitting = steps.iter().rev().find(|(size, _)| value.abs() >= *size);
    match fitting.or(steps.first()) {
        Some((size, unit)) => format!("{} {unit}", number(value / size)),
        None => number(value),
    }
}

/// Bytes: `2.50 MiB`.
pub(crate) fn bytes(value: f64) -> String {
    const STEPS: [(f64, &str); 5] = [
        (1.0, "B"),
        (1024.0, "KiB"),
        (1_048_576.0, "MiB"),
        (1_073_741_824.0, "GiB"),
        (1_099_511_627_776.0, "TiB"),
    ];
    scaled(value, &STEPS)
}

/// Seconds: `340 µs`, `2.50 min`.
pub(crate) fn seconds(value: f64) -> String {
    const STEPS: [(f64, &str); 7] = [
        (1e-9, "ns"),
        (1e-6, "µs"),
        (1e-3, "ms"),
        (1.0, "s"),
        (60.0, "min"),
        (3600.0, "h"),
        (86_400.0, "d"),
    ];
    if value == 0.0 {
        "0 s".to_owned()
    } else {
        scaled(value, &STEPS)
    }
}

/// A value of a series, by its unit.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "seconds" => seconds(value),
        "bytes" => bytes(value),
        "ratio" => format!("{} %", number(value * 100.0)),
        _ => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(value), text);
        }
        assert_eq!(grouped_signed(i64::MIN), "-9,223,372,036,854,775,808");
        for (value, text) in [
            (0.0, "0"),
            (-2.0, "-2"),
            (1.5, "1.50"),
            (0.012_345, "0.0123"),
            (123_456.7, "123,457"),
            (1e-9, "1.00e-9"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(value), text);
        }
        for (value, text) in [
            (0.0, "0 s"),
            (3.4e-7, "340 ns"),
            (0.0015, "1.50 ms"),
            (90.0, "1.50 min"),
            (1e-12, "0.00100 ns"),
        ] {
            assert_eq!(seconds(value), text);
        }
        assert_eq!(quantity(0.125, "ratio"), "12.5 %");
        assert_eq!(quantity(1536.0, "bytes"), "1.50 KiB");
        assert_eq!(quantity(3.0, "requests"), "3");
    }
}
