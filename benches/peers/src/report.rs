//! What comes out: tables, and what was to be reached. As Markdown, which also reads well in a terminal.

use std::fmt::Write;

use crate::measure::Figures;

/// A table of one section.
pub struct Table {
    pub heading: String,
    /// What the operation is, in a sentence.
    pub note: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Something that is to be reached, and what was.
pub struct Target {
    pub work: String,
    pub wanted: String,
    pub reached: String,
    pub met: bool,
}

/// Everything that was measured by one section.
#[derive(Default)]
pub struct Report {
    pub tables: Vec<Table>,
    pub targets: Vec<Target>,
    /// What could not be measured here, and why.
    pub skipped: Vec<String>,
}

/// How far a value is to go.
#[derive(Clone, Copy)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    pub fn table(&mut self, table: Table) {
        println!("{}", table.markdown());
        self.tables.push(table);
    }

    /// `unit` stands behind the numbers: ` × raw`, ` ns`.
    pub fn target(&mut self, work: &str, value: f64, limit: Limit, unit: &str) {
        let (wanted, met) = match limit {
            Limit::AtMost(limit) => (format!("≤ {limit}{unit}"), value <= limit),
            Limit::AtLeast(limit) => (format!("≥ {limit}{unit}"), value >= limit),
        };
        let target = Target {
            work: work.to_owned(),
            wanted,
            reached: format!("{}{unit}", number(value)),
            met,
        };
        println!(
            "{}: {}, wanted {}: {}",
            target.work,
            target.reached,
            target.wanted,
            verdict(met)
        );
        self.targets.push(target);
    }

    pub fn skip(&mut self, what: &str) {
        println!("skipped: {what}");
        self.skipped.push(what.to_owned());
    }

    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            let _ = writeln!(text, "{}", table.markdown());
        }
        if !self.targets.is_empty() {
            text.push_str("| To be reached | wanted | reached | |\n|---|---|---|---|\n");
            for target in &self.targets {
                let Target {
                    work,
                    wanted,
                    reached,
                    met,
                } = target;
                let _ = writeln!(text, "| {work} | {wanted} | {reached} | {} |", verdict(*met));
            }
            text.push('\n');
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "Skipped: {skipped}.\n");
        }
        text
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

impl Table {
    /// A row per contestant: ns per operation, between which quartiles, and how many times as much as the first one (`raw`) and as
    /// `ours`.
    pub fn of(heading: &str, note: &str, all: &[Figures], ours: usize) -> Table {
        let rows = all.iter().map(|figures| {
            let (low, high) = figures.quartiles();
            vec![
                figures.name.clone(),
                number(figures.median()),
                format!("{} – {}", number(low), number(high)),
                number(figures.times(&all[0])),
                number(figures.times(&all[ours])),
            ]
        });
        Table {
            heading: heading.to_owned(),
            note: note.to_owned(),
            columns: ["", "ns", "half of the rounds", "× first row", "× shmetrics"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.collect(),
        }
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n{}\n\n", self.heading, self.note);
        let _ = writeln!(text, "| {} |", self.columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(self.columns.len() - 1));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

/// Three digits that mean something.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e5 {
        grouped(value)
    } else if size >= 100.0 {
        grouped(value.round())
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// Whole, with commas.
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("−{text}") } else { text }
}

/// Bytes in a unit that fits.
pub fn bytes(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{} MB", number(value / 1e6)),
        size if size >= 1e4 => format!("{} kB", number(value / 1e3)),
        _ => format!("{} B", grouped(value)),
    }
}

/// Nanoseconds in a unit that fits.
pub fn time(ns: f64) -> String {
    match ns.abs() {
        size if size >= 1e9 => format!("{} s", number(ns / 1e9)),
        size if size >= 1e6 => format!("{} ms", number(ns / 1e6)),
        size if size >= 1e3 => format!("{} µs", number(ns / 1e3)),
        _ => format!("{} ns", number(ns)),
    }
}

/// Writes the text between `<!-- begin NAME -->` and `<!-- end NAME -->` of a document anew.
pub fn replace(document: &str, name: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let from = document
        .find(&begin)
        .ok_or_else(|| format!("there is no `{}`", begin.trim()))?
        + begin.len();
    let to = from
        + document[from..]
            .find(&end)
            .ok_or_else(|| format!("there is no `{end}`"))?;
    Ok(format!(
        "{}\n{}\n\n{}",
        &document[..from],
        text.trim(),
        &document[to..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_written_anew() {
        let document = "before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n";
        let replaced = replace(document, "a", "new").unwrap();
        assert_eq!(
            replaced,
            "before\n<!-- begin a -->\n\nnew\n\n<!-- end a -->\nafter\n"
        );
        assert_eq!(replace(&replaced, "a", "new").unwrap(), replaced);
        assert!(replace(document, "b", "new").is_err());
    }

    #[test]
    fn numbers_have_three_digits_and_commas() {
        assert_eq!(number(0.1221), "0.122");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(1234.4), "1,234");
        assert_eq!(grouped(-1_234_567.0), "−1,234,567");
        assert_eq!(time(1_500.0), "1.50 µs");
    }
}
