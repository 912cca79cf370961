//! SPEC.md and RELIABILITY.md taken apart: sections, their tables, their code blocks.

/// A section, from its heading to the next one of any depth.
pub struct Section {
    /// As in the heading, `10.7.2` say.
    pub number: String,
    pub title: String,
    pub tables: Vec<Table>,
    /// Each with its language, empty for plain ones.
    pub blocks: Vec<(String, String)>,
    /// All lines below the heading.
    pub text: String,
}

/// A table. Cells are trimmed, their backticks gone.
#[derive(Clone, Default)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The cells of one column.
    pub fn column(&self, name: &str) -> impl Iterator<Item = &str> {
        let index = self.index(name);
        self.rows.iter().map(move |row| row[index].as_str())
    }

    pub fn index(&self, name: &str) -> usize {
        let index = self.columns.iter().position(|column| column == name);
        index.unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns))
    }

    /// The row whose first cell is `key`.
    pub fn row(&self, key: &str) -> &[String] {
        let row = self.rows.iter().find(|row| row[0] == key);
        row.unwrap_or_else(|| panic!("no row {key} under {:?}", self.columns))
    }
}

pub struct Document {
    pub text: &'static str,
    pub sections: Vec<Section>,
}

impl Document {
    /// The format's text, as it was when the tests were compiled.
    pub fn spec() -> Document {
        Document::of(include_str!("../../SPEC.md"))
    }

    /// What users are promised, likewise.
    pub fn reliability() -> Document {
        Document::of(include_str!("../../RELIABILITY.md"))
    }

    fn of(text: &'static str) -> Document {
        let mut sections: Vec<Section> = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(heading) = line.strip_prefix("##") {
                let heading = heading.trim_start_matches('#').trim();
                let (number, title) = heading.split_once(' ').expect(heading);
                sections.push(Section {
                    number: number.trim_end_matches('.').to_owned(),
                    title: title.to_owned(),
                    tables: Vec::new(),
                    blocks: Vec::new(),
                    text: String::new(),
                });
                continue;
            }
            let Some(section) = sections.last_mut() else {
                continue;
            };
            section.text.push_str(line);
            section.text.push('\n');
            if let Some(language) = line.strip_prefix("```") {
                let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                section.blocks.push((language.to_owned(), body.join("\n")));
            } else if line.starts_with('|') {
                let columns = cells(line);
                let rule = lines.next().unwrap_or_default();
                assert!(rule.starts_with("|---"), "a table without a rule: {line}");
                section.tables.push(Table {
                    columns,
                    rows: Vec::new(),
                });
                for line in lines.by_ref() {
                    if !line.starts_with('|') {
                        section.text.push_str(line);
                        section.text.push('\n');
                        break;
                    }
                    let table = section.tables.last_mut().unwrap();
                    let row = cells(line);
                    assert_eq!(row.len(), table.columns.len(), "{line}");
                    table.rows.push(row);
                }
            }
        }
        Document { text, sections }
    }

    pub fn section(&self, number: &str) -> &Section {
        let section = self.sections.iter().find(|section| section.number == number);
        section.unwrap_or_else(|| panic!("no section {number}"))
    }

    /// Every table with these first columns, with its section.
    pub fn tables<'a>(&'a self, columns: &'a [&str]) -> impl Iterator<Item = (&'a Section, &'a Table)> {
        let starts = move |table: &&Table| {
            table.columns.len() >= columns.len() && table.columns.iter().zip(columns).all(|(a, b)| a == b)
        };
        let sections = self.sections.iter();
        sections.flat_map(move |section| {
            section
                .tables
                .iter()
                .filter(starts)
                .map(move |table| (section, table))
        })
    }
}

/// The cells of a line; a bar within backticks is part of a cell.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for character in line.trim().trim_start_matches('|').chars() {
        match character {
            '`' => quoted = !quoted,
            '|' if !quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    // What follows the last bar.
    cells.pop();
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

/// A whole number as SPEC.md writes it: `4096`, `0x1f8`, `2^60`, `86400·10^9`, `-20`.
pub fn number(text: &str) -> i128 {
    let text = text.trim();
    if let Some((left, right)) = text.split_once('·') {
        return number(left) * number(right);
    }
    if let Some((base, exponent)) = text.split_once('^') {
        return number(base).pow(exponent.trim().parse().unwrap());
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return i128::from(
            u64::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{text:?} is no number")),
        );
    }
    let digits: String = text
        .chars()
        .filter(|c| *c != ',')
        .map(|c| if c == '−' { '-' } else { c })
        .collect();
    digits.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}
