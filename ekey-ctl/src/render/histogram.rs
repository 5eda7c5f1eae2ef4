//! Draws how often each byte value came, in the terminal and as SVG.

use std::fmt::Write as _;

use ekey_control::chart::{STYLE, escaped};
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

/// Draws as SVG: 256 bars between two axes, a line for the expected count, a band of three standard deviations. `origin` says
/// whose bytes these are.
pub(crate) fn svg(report: &Report, origin: &str) -> String {
    const WIDTH: f64 = 800.0;
    const HEIGHT: f64 = 240.0;
    const LEFT: f64 = 72.0;
    const TOP: f64 = 76.0;
    const BOTTOM: f64 = TOP + HEIGHT;
    let expected = report.summary.bytes as f64 / 256.0;
    let deviation = (expected * 255.0 / 256.0).sqrt();
    let most = report.counts.iter().copied().max().unwrap_or(0) as f64;
    let least = report.counts.iter().copied().min().unwrap_or(0) as f64;
    let (low, high) = (least.min(expected - SPAN * deviation).max(0.0), most.max(expected + SPAN * deviation));
    let y = |count: f64| TOP + HEIGHT * (1.0 - (count - low) / (high - low));
    let x = |value: f64| LEFT + value * WIDTH / 256.0;
    let verdict = if report.is_good() { "they pass every test" } else { "not random" };
    let title = format!("Histogram of {} bytes: {verdict}", report.summary.bytes);
    let (width, height) = (LEFT + WIDTH + 20.0, BOTTOM + 46.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\">\n<title>{title}</title>\n<desc>How often each of the 256 byte values came: {expected:.0} times are expected, \
         {least:.0} to {most:.0} were seen. The band is three standard deviations wide on either side.</desc>\n\
         <style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"head\" x=\"16\" y=\"24\">{title}</text>\n<text class=\"label\" x=\"16\" y=\"42\">{}</text>\n",
        escaped(origin)
    );
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let count = low + part * (high - low);
        let at = y(count);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}h{WIDTH}\"/><text class=\"label\" x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{count:.0}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let (band_top, band_bottom) = (y((expected + 3.0 * deviation).min(high)), y((expected - 3.0 * deviation).max(low)));
    for (value, count) in report.counts.iter().enumerate() {
        let top = y(*count as f64);
        let _ = writeln!(
            out,
            "<rect class=\"bar\" x=\"{:.2}\" y=\"{top:.1}\" width=\"2.4\" height=\"{:.1}\"/>",
            x(value as f64),
            BOTTOM - top
        );
    }
    let _ = writeln!(
        out,
        "<rect class=\"area b\" x=\"{LEFT}\" y=\"{band_top:.1}\" width=\"{WIDTH}\" height=\"{:.1}\"/>\
         <path class=\"line b\" d=\"M{LEFT} {:.1}h{WIDTH}\"/>\
         <path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}h{WIDTH}\"/>",
        band_bottom - band_top,
        y(expected)
    );
    for value in [0, 32, 64, 96, 128, 160, 192, 224, 255] {
        let _ = writeln!(
            out,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{value}</text>",
            x(f64::from(value) + 0.4),
            BOTTOM + 18.0
        );
    }
    let _ = writeln!(
        out,
        "<text class=\"label\" x=\"{LEFT}\" y=\"{:.0}\" text-anchor=\"end\">times seen</text>\
         <text class=\"label\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">expected {expected:.0} (dashed), give or take three \
         standard deviations (band)</text>\
         <text class=\"label\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">byte value</text>",
        TOP - 12.0,
        LEFT + WIDTH,
        TOP - 12.0,
        LEFT + WIDTH / 2.0,
        BOTTOM + 36.0
    );
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
    fn the_svg_has_a_bar_for_each_value_and_both_axes() {
        let svg = svg(&report((0..=255).cycle().take(256 * 100)), "keyhost, <sample.bin>");
        assert_eq!(svg.matches("<rect class=\"bar\"").count(), 256);
        for expected in ["<title>Histogram of 25600 bytes", "100 times are expected", "role=\"img\"", "</svg>\n"] {
            assert!(svg.contains(expected), "no {expected:?} in {svg:.600}");
        }
        for expected in
            [STYLE, "keyhost, &lt;sample.bin&gt;", ">times seen<", ">byte value<", "class=\"axis\"", ">255<"]
        {
            assert!(svg.contains(expected), "no {expected:?} in {svg:.600}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "a number that is none");
    }
}
