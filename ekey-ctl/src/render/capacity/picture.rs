//! Draws the answer: demand and supply, the pool, and the waiting clients over time.

use std::fmt::Write as _;

use ekey_control::amount;
use ekey_control::chart::{STYLE, escaped};

use super::Answer;
use super::people::{assumptions, verdict};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 784.0;
/// Height of a panel's drawing, then of the whole panel.
const TALL: f64 = 110.0;
const PANEL: f64 = 158.0;
const TOP: f64 = 70.0;

/// Returns a whole SVG file.
pub(crate) fn picture(answer: &Answer) -> String {
    let outcome = &answer.outcome;
    let step = outcome.step_seconds();
    let column = |value: fn(&crate::capacity::Step) -> u64| {
        outcome.steps.iter().map(|step| value(step) as f64).collect::<Vec<_>>()
    };
    let demand = column(|step| step.asked).iter().map(|bytes| bytes / step).collect::<Vec<_>>();
    let height = TOP + 3.0 * PANEL + 58.0;
    let title = escaped(&verdict(answer));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\
         <title>{title}</title><style>{STYLE}</style><rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>"
    );
    let range = format!("{}, {} of simulated time", answer.host, amount::span(outcome.seconds.round() as u64));
    let mut heads: Vec<(&str, String)> =
        wrapped(&verdict(answer), 84).into_iter().map(|words| ("head", words)).collect();
    heads.push(("label", range));
    for (line, (class, words)) in heads.iter().enumerate() {
        let y = 22.0 + 18.0 * line as f64;
        let _ = write!(out, "<text class=\"{class}\" x=\"16\" y=\"{y}\">{}</text>", escaped(words));
    }
    let rate = |value: f64| amount::rate(value);
    let supply = vec![answer.world.supply(); demand.len()];
    Panel { place: 0, title: "Demand, and supply (dashed)", told: &rate, limit: None }.draw(
        &demand,
        Some(&supply),
        &mut out,
    );
    let bytes = |value: f64| amount::bytes(value.max(0.0).round() as u64);
    Panel { place: 1, title: "Pool, at the lowest of each step", told: &bytes, limit: Some(answer.world.pool as f64) }
        .draw(&column(|step| step.pool), None, &mut out);
    let clients = |value: f64| format!("{value:.0}");
    Panel { place: 2, title: "Clients that wait, at the most", told: &clients, limit: None }.draw(
        &column(|step| step.waiting),
        None,
        &mut out,
    );
    let bottom = TOP + 2.0 * PANEL + 24.0 + TALL + 17.0;
    for (part, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        let x = LEFT + part * (RIGHT - LEFT);
        let at = amount::span((outcome.seconds * part).round() as u64);
        let _ = write!(out, "<text x=\"{x}\" y=\"{bottom}\" text-anchor=\"{anchor}\">{at}</text>");
    }
    for (line, words) in assumptions(answer).iter().enumerate() {
        let _ = write!(out, "<text x=\"16\" y=\"{}\">{}</text>", bottom + 24.0 + 16.0 * line as f64, escaped(words));
    }
    out.push_str("</svg>\n");
    out
}

/// One drawing. The panels stand one below the other.
struct Panel<'a> {
    place: usize,
    title: &'a str,
    told: &'a dyn Fn(f64) -> String,
    /// Where the axis ends, if the values have a limit.
    limit: Option<f64>,
}

impl Panel<'_> {
    fn draw(&self, values: &[f64], other: Option<&[f64]>, out: &mut String) {
        let all = values.iter().chain(other.into_iter().flatten());
        let most =
            self.limit.filter(|limit| *limit > 0.0).unwrap_or_else(|| round_up(all.copied().fold(1.0, f64::max)));
        let middle = (most > 1.0).then_some(0.5);
        let top = TOP + PANEL * self.place as f64 + 24.0;
        let y = |value: f64| top + TALL * (1.0 - value / most);
        let x = |number: usize| LEFT + (RIGHT - LEFT) * (number as f64 + 0.5) / values.len() as f64;
        let _ = write!(out, "<text class=\"head\" x=\"{LEFT}\" y=\"{}\">{}</text>", top - 8.0, self.title);
        for part in [0.0, 1.0].into_iter().chain(middle) {
            let (value, at) = (most * part, y(most * part));
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                (self.told)(value).replace(".0 ", " ")
            );
        }
        let path = |values: &[f64]| {
            values.iter().enumerate().fold(String::new(), |mut path, (number, value)| {
                let _ = write!(path, "{}{:.1} {:.1}", if number == 0 { 'M' } else { 'L' }, x(number), y(*value));
                path
            })
        };
        let line = path(values);
        let (first, last) = (x(0), x(values.len() - 1));
        let _ = write!(out, "<path class=\"area\" d=\"{line}L{last:.1} {0:.1}L{first:.1} {0:.1}Z\"/>", y(0.0));
        let _ = write!(out, "<path class=\"line\" d=\"{line}\"/>");
        if let Some(other) = other {
            let _ = write!(out, "<path class=\"line b\" d=\"{}\"/>", path(other));
        }
    }
}

/// Rounds up to 1, 1.2, 1.6, 2, 4, 6 or 8 times a power of ten, so that half of it is round too.
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0]
        .map(|step| step * decade)
        .into_iter()
        .find(|round| *round >= value)
        .unwrap_or(10.0 * decade)
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + 1 + word.len() > width {
            lines.push(word.to_owned());
            continue;
        }
        if !lines[last].is_empty() {
            lines[last].push(' ');
        }
        lines[last].push_str(word);
    }
    lines
}
