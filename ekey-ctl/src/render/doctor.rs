//! Shows the doctor's checks on one screen: a line each, with the advice below where there is something to do.

use ekey_control::amount;

use crate::doctor::{Check, Verdict};
use crate::render::paint::{Line, Tone};

/// The columns before the text.
const MARGIN: usize = 16;

/// Makes the whole screen. The last line says whether there is something to do.
pub(crate) fn lines(checks: &[Check]) -> Vec<Line> {
    let mut lines: Vec<Line> = checks.iter().flat_map(of_check).collect();
    let todo = checks.iter().filter(|check| check.verdict == Verdict::Todo).count();
    lines.push(Line::plain(""));
    lines.push(match todo {
        0 => Line::new(Tone::Good, "Nothing to do."),
        _ => Line::new(Tone::Warn, &format!("{} to do: see the lines marked TODO.", amount::many(todo, "thing"))),
    });
    lines
}

fn of_check(check: &Check) -> Vec<Line> {
    let (word, tone) = match check.verdict {
        Verdict::Ok => ("ok", Tone::Good),
        Verdict::Note => ("note", Tone::Plain),
        Verdict::Todo => ("TODO", Tone::Bad),
    };
    let head = format!("{word:<5}{:<11}", check.topic);
    let advice = check.advice.iter().map(|advice| format!("{:MARGIN$}-> {advice}", ""));
    let lines = [format!("{head}{}", check.text)].into_iter().chain(advice);
    lines.map(|text| Line::new(tone, &text).margin(MARGIN)).collect()
}
