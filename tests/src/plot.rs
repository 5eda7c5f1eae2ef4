//! A plot as SVG: a few curves on a logarithmic scale, drawn without a library.

use std::fmt::Write as _;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 6] = ["#c0392b", "#1f77b4", "#2ca02c", "#8e44ad", "#e67e22", "#555555"];

/// A curve: its name and its points, whose heights are above 0.
pub struct Curve {
    /// The name in the legend.
    pub name: String,
    /// Across and up.
    pub points: Vec<(f64, f64)>,
}

/// Draws curves over a common width, from the lowest to the highest value; heights are logarithmic.
#[must_use]
pub fn logarithmic(title: &str, across: &str, up: &str, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let greatest = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max);
    let (from, to) = (least(&mut points().map(|point| point.0)), greatest(&mut points().map(|point| point.0)));
    let low = least(&mut points().map(|point| point.1)).log10().floor();
    let high = greatest(&mut points().map(|point| point.1)).log10().ceil().max(low + 1.0);
    let x = |value: f64| LEFT + (value - from) / (to - from).max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value.log10() - low) / (high - low) * (HEIGHT - TOP - BOTTOM);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{title}</text>\n\
         <text x=\"{LEFT}\" y=\"{}\">{across}</text>\n",
        HEIGHT - 12.0
    );
    let mut decade = low;
    while decade <= high {
        let (value, height) = (10_f64.powf(decade), y(10_f64.powf(decade)));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{height:.1}\" y2=\"{height:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:e} {up}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            height + 4.0
        );
        decade += 1.0;
    }
    for step in 0..=4 {
        let value = from + (to - from) * f64::from(step) / 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{value:.0}</text>",
            x(value),
            HEIGHT - BOTTOM + 18.0
        );
    }
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let points = curve.points.iter().map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up)));
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            points.collect::<Vec<_>>().join(" "),
            LEFT + 10.0,
            TOP + 16.0 * (number as f64 + 1.0),
            curve.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_values_are_drawn_higher_within_the_frame() {
        let curve = Curve { name: "c".to_owned(), points: vec![(1.0, 0.001), (50.0, 0.02), (99.0, 7.0)] };
        let svg = logarithmic("t", "across", "s", &[curve]);
        let points = svg.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a curve");
        let heights = points.split(' ').map(|point| {
            let (x, y) = point.split_once(',').expect("two coordinates");
            let (x, y) = (x.parse::<f64>().expect("a number"), y.parse::<f64>().expect("a number"));
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y), "{x},{y}");
            y
        });
        assert!(heights.collect::<Vec<_>>().is_sorted_by(|one, next| one > next), "{points}");
    }
}
