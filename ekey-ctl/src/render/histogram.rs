//! Draws how often each byte value came, in the terminal and as SVG.

use std::fmt::Write as _;

use ekey_health::Report;

use super::paint::{Line, Tone};

/// Columns in the terminal, of four byte values each.
const COLUMNS: usize = 64;
const ROWS: usize = 8;
/// Standard deviations from the middle to the upper and lower edges.
const SPAN: f64 = 6.0;
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws for the terminal. The middle line is the expected count, the edges are six standard deviations away.
pub(crate) fn lines(report: &Report, unicode: bool) -> Vec<Line> {
    let sums: Vec<u64> = report.counts.chunks(256 / COLUMNS).map(|counts| counts.iter().sum()).collect();
    let expected = report.summary.bytes as f64 / COLUMNS as f64;
    let span = SPAN * (expected * (1.0 - 1.0 / COLUMNS as f64)).sqrt();
    let heights: Vec<usize> = sums
        .iter()
        .map(|sum| {
            let part = (*sum as f64 - expected) / span / 2.0 + 0.5;
            (part * (8 * ROWS) as f64).round().clamp(0.0, (8 * ROWS) as f64) as usize
        })
        .collect();
    let mut lines = vec![Line::new(Tone::Head, "Histogram of the byte values, four to a column")];
    for row in (0..ROWS).rev() {
        let cells: String = heights.iter().map(|height| cell(height.saturating_sub(8 * row).min(8), unicode)).collect();
        let label = match row {
            _ if row == ROWS - 1 => format!("{:.0}", expected + span),
            _ if row == ROWS / 2 - 1 => format!("{expected:.0} expected"),
            0 => format!("{:.0}", (expected - span).max(0.0)),
            _ => String::new(),
        };
        lines.push(Line::plain(&format!("  {cells} {label}")));
    }
    lines.push(Line::plain(&format!("  0{:>32}{:>31}", "128", "255")));
    lines
}

fn cell(eighths: usize, unicode: bool) -> char {
    match eighths {
        _ if unicode => EIGHTHS[eighths],
        0..=3 => ' ',
        _ => '#',
    }
}

/// Draws as SVG: 256 bars, a line for the expected count, a band of three standard deviations.
pub(crate) fn svg(report: &Report) -> String {
    const WIDTH: f64 = 800.0;
    const HEIGHT: f64 = 240.0;
    const LEFT: f64 = 60.0;
    const TOP: f64 = 36.0;
    let expected = report.summary.bytes as f64 / 256.0;
    let deviation = (expected * 255.0 / 256.0).sqrt();
    let most = report.counts.iter().copied().max().unwrap_or(0) as f64;
    let least = report.counts.iter().copied().min().unwrap_or(0) as f64;
    let (low, high) = (least.min(expected - SPAN * deviation).max(0.0), most.max(expected + SPAN * deviation));
    let y = |count: f64| TOP + HEIGHT * (1.0 - (count - low) / (high - low));
    let verdict = if report.is_good() { "they pass every test" } else { "not random" };
    let title = format!("Histogram of {} bytes: {verdict}", report.summary.bytes);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{title}</title>\n<desc>How often each of the 256 byte values came: {expected:.0} times are expected, \
         {least:.0} to {most:.0} were seen. The band is three standard deviations wide on either side.</desc>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"14\" \
         fill=\"#1a1a1a\">{title}</text>\n",
        LEFT + WIDTH + 20.0,
        TOP + HEIGHT + 36.0,
    );
    let (band_top, band_bottom) = (y((expected + 3.0 * deviation).min(high)), y((expected - 3.0 * deviation).max(low)));
    let _ = writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{band_top:.1}\" width=\"{WIDTH}\" height=\"{:.1}\" fill=\"#e3eef9\"/>",
        band_bottom - band_top
    );
    for (value, count) in report.counts.iter().enumerate() {
        let (x, top) = (LEFT + value as f64 * WIDTH / 256.0, y(*count as f64));
        let _ = writeln!(
            out,
            "<rect x=\"{x:.2}\" y=\"{top:.1}\" width=\"2.4\" height=\"{:.1}\" fill=\"#1f5f99\"/>",
            TOP + HEIGHT - top
        );
    }
    let middle = y(expected);
    let _ = writeln!(
        out,
        "<line x1=\"{LEFT}\" y1=\"{middle:.1}\" x2=\"{:.0}\" y2=\"{middle:.1}\" stroke=\"#b00020\" stroke-dasharray=\"6 4\"/>",
        LEFT + WIDTH
    );
    for (text, at) in
        [(format!("{high:.0}"), TOP), (format!("{expected:.0}"), middle), (format!("{low:.0}"), TOP + HEIGHT)]
    {
        let _ = writeln!(
            out,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#1a1a1a\">{text}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for value in [0, 64, 128, 192, 255] {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#1a1a1a\">{value}</text>",
            LEFT + (f64::from(value) + 0.4) * WIDTH / 256.0,
            TOP + HEIGHT + 18.0
        );
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use ekey_health::{Alpha, Examination};

    use super::*;

    fn report(bytes: impl Iterator<Item = u8>) -> Report {
        let mut examination = Examination::new(Alpha::default());
        examination.feed(&bytes.collect::<Vec<u8>>());
        examination.report().expect("enough bytes")
    }

    #[test]
    fn even_counts_fill_half_and_a_missing_value_none() {
        let even = report((0..=255).cycle().take(256 * 100));
        for (unicode, full) in [(true, '█'), (false, '#')] {
            let lines = lines(&even, unicode);
            assert_eq!(lines.len(), ROWS + 2);
            let row = |at: usize| lines[1 + at].text.chars().nth(10).unwrap_or(' ');
            assert_eq!((row(ROWS / 2), row(ROWS / 2 - 1)), (full, ' '), "{lines:#?}");
            assert!(lines.iter().all(|line| line.text.chars().count() <= 80), "{lines:#?}");
        }
        let lines = lines(&report((0..128).cycle().take(25_600)), false);
        assert!(lines.iter().skip(1).take(ROWS).all(|line| line.text.chars().nth(50) != Some('#')), "{lines:#?}");
    }

    #[test]
    fn the_svg_has_a_bar_for_each_value_and_a_title() {
        let svg = svg(&report((0..=255).cycle().take(256 * 100)));
        assert_eq!(svg.matches("fill=\"#1f5f99\"").count(), 256);
        for expected in ["<title>Histogram of 25600 bytes", "100 times are expected", "role=\"img\"", "</svg>\n"] {
            assert!(svg.contains(expected), "no {expected:?} in {svg:.600}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "a number that is none");
    }
}
