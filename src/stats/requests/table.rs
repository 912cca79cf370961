//! The summary as a table of two columns, for people.

use std::time::Duration;

use super::Summary;

/// Characters of a line, borders included.
const WIDTH: usize = 100;

/// A duration for people: `0s`, `3.0μs`, `20.2ms`, `1.23s`, `2min 3.4s`, `1h 2min 3.4s`.
pub fn humanised(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if duration.is_zero() {
        return "0s".to_owned();
    }
    if seconds < 1e-3 {
        return format!("{:.1}μs", seconds * 1e6);
    }
    if seconds < 1.0 {
        return format!("{:.1}ms", seconds * 1e3);
    }
    if seconds < 60.0 {
        return format!("{seconds:.2}s");
    }
    // Tenths, so that what is rounded up is carried.
    let tenths = (seconds * 10.0).round() as u64;
    let (hours, minutes, tenths) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let rest = match tenths {
        0 => String::new(),
        _ => format!(" {}.{}s", tenths / 10, tenths % 10),
    };
    match hours {
        0 => format!("{minutes}min{rest}"),
        _ => format!("{hours}h {minutes}min{rest}"),
    }
}

impl Summary {
    /// As a box table of at most 100 characters a line. What is too long is cut and ends with `...`.
    pub fn table(&self) -> String {
        let optional = |duration: Option<Duration>| duration.map_or("None".to_owned(), humanised);
        let counts: Vec<String> = self.retry_histogram.iter().map(u64::to_string).collect();
        let rows = [
            ("requests_finished", self.requests_finished.to_string()),
            ("requests_failed", self.requests_failed.to_string()),
            ("retry_histogram", format!("[{}]", counts.join(", "))),
            (
                "request_avg_failed_duration",
                optional(self.request_avg_failed_duration),
            ),
            (
                "request_avg_finished_duration",
                optional(self.request_avg_finished_duration),
            ),
            (
                "requests_finished_per_minute",
                self.requests_finished_per_minute.to_string(),
            ),
            (
                "requests_failed_per_minute",
                self.requests_failed_per_minute.to_string(),
            ),
            ("request_total_duration", humanised(self.request_total_duration)),
            ("requests_total", self.requests_total.to_string()),
            ("crawler_runtime", humanised(self.crawler_runtime)),
        ];
        let left = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        // Three borders, and a space on each side of both columns.
        let most = WIDTH - left - 7;
        let rows = rows.map(|(name, value)| (name, cut(value, most)));
        let right = rows
            .iter()
            .map(|(_, value)| value.chars().count())
            .max()
            .unwrap_or(0);
        let line = |start: char, middle: char, end: char| {
            let (left, right) = ("─".repeat(left + 2), "─".repeat(right + 2));
            format!("{start}{left}{middle}{right}{end}")
        };
        let mut table = line('┌', '┬', '┐');
        for (name, value) in rows {
            table += &format!("\n│ {name:<left$} │ {value:<right$} │");
        }
        table + "\n" + &line('└', '┴', '┘')
    }
}

/// At most so many characters.
fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let kept: String = text.chars().take(most - 3).collect();
    kept + "..."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_read_them() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (3_000, "3.0μs"),
            (999_949, "999.9μs"),
            (20_188_000, "20.2ms"),
            (1_234_000_000, "1.23s"),
            (120_000_000_000, "2min"),
            (123_400_000_000, "2min 3.4s"),
            (119_990_000_000, "2min"),
            (3_723_400_000_000, "1h 2min 3.4s"),
        ] {
            assert_eq!(humanised(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn no_line_is_longer_than_100_characters_and_all_are_equally_long() {
        let summary = Summary {
            retry_histogram: vec![1_000_000; 255],
            ..Summary::default()
        };
        for (summary, expected) in [(summary, WIDTH), (Summary::default(), 7 + 29 + 4)] {
            let table = summary.table();
            let lengths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
            assert_eq!(lengths, [expected; 12], "{table}");
            assert_eq!(table.contains("..."), expected == WIDTH);
        }
    }
}
