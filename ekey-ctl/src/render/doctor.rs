//! Shows the doctor's checks on one screen: a line each, with the advice below where there is something to do.

use ekey_control::amount;

use crate::doctor::{Check, Verdict};
use crate::render::paint::{Line, Tone, narrow};

const WIDTH: usize = 80;
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
    if check.verdict != Verdict::Todo {
        return vec![Line::new(tone, &format!("{head}{}", check.text)).fit(WIDTH)];
    }
    let advice = check.advice.iter().flat_map(|advice| wrap(&format!("-> {advice}")));
    let text = wrap(&check.text).into_iter().chain(advice);
    let margin = format!("{:MARGIN$}", "");
    text.enumerate()
        .map(|(at, text)| Line::new(tone, &format!("{}{text}", if at == 0 { &head } else { &margin })))
        .collect()
}

/// Breaks a text between words into lines that fit next to the margin. A longer word gets its own line.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in narrow(text).split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH - MARGIN => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
