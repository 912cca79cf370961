//! Columns that are as wide as they must be.

use crate::terminal::{Style, columns as terminal_width};

/// A table. The first column is for names and aligned left, the others right unless asked otherwise.
pub(super) struct Grid {
    header: Vec<String>,
    left: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new<const N: usize>(header: [&str; N]) -> Grid {
        Grid {
            header: header.map(str::to_uppercase).to_vec(),
            left: vec![0],
            rows: Vec::new(),
        }
    }

    pub(super) fn align_left<const N: usize>(&mut self, columns: [usize; N]) {
        self.left.extend(columns);
    }

    /// Adds a row, which may be shorter than the header.
    pub(super) fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(cells.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text; columns in which no row says anything are left out.
    pub(super) fn render(&self, style: Style) -> String {
        let width = |cell: &String| terminal_width(cell);
        let columns: Vec<(usize, usize)> = (0..self.header.len())
            .filter_map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let widest = cells.map(width).max().unwrap_or(0);
                (widest > 0).then(|| (column, widest.max(width(&self.header[column]))))
            })
            .collect();
        let line = |cells: &[String]| {
            let mut line = String::new();
            for &(column, widest) in &columns {
                let cell = cells.get(column).map_or("", String::as_str);
                let padding = " ".repeat(widest - terminal_width(cell));
                let gap = if line.is_empty() { "" } else { "  " };
                if self.left.contains(&column) {
                    line.extend([gap, cell, &padding]);
                } else {
                    line.extend([gap, &padding, cell]);
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        let mut text = format!("{}\n", style.heading(&line(&self.header)));
        for row in &self.rows {
            text += &line(row);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut grid = Grid::new(["name", "value", "unit", "note"]);
        grid.align_left([3]);
        grid.row(["a".to_owned(), "1,000".to_owned(), String::new(), "x".to_owned()]);
        grid.row(["längst".to_owned(), "7".to_owned()]);
        grid.row([String::new(), "12".to_owned(), String::new(), "yz".to_owned()]);
        let expected = "NAME    VALUE  NOTE\na       1,000  x\nlängst      7\n           12  yz\n";
        assert_eq!(grid.render(Style::PLAIN), expected);
    }
}
