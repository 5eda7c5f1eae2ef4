//! A table with aligned columns. The first row is its header.

use crate::render::paint::{Line, Tone};

/// Makes the lines. A row may have fewer cells than the header.
pub(crate) fn lines(rows: &[Vec<&str>]) -> Vec<Line> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let tone = match (index, row.get(1)) {
                (0, _) => Tone::Head,
                (_, Some(&"NO")) => Tone::Bad,
                _ => Tone::Plain,
            };
            Line::new(tone, &cells.join("  "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_a_missing_cell_is_blank() {
        let seen = lines(&[vec!["NR", "OK", "Status"], vec!["1", "NO", "Unknown"], vec!["12"]]);
        let texts: Vec<&str> = seen.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["NR  OK  Status", "1   NO  Unknown", "12"]);
        assert_eq!(seen[1].tone, Tone::Bad);
    }
}
