//! A progress bar on standard error, if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use ekey_control::amount;

use crate::terminal;

const WIDTH: usize = 30;
const EVERY: Duration = Duration::from_millis(200);

/// A bar that redraws itself.
pub(crate) struct Progress {
    total: u64,
    done: u64,
    started: Instant,
    drawn: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// Makes a bar for `total` bytes.
    pub(crate) fn of(total: u64) -> Self {
        Self {
            total,
            done: 0,
            started: Instant::now(),
            drawn: None,
            shown: io::stderr().is_terminal() && !terminal::is_dumb(),
        }
    }

    /// Adds bytes that came.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        if self.shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.drawn = Some(Instant::now());
            self.draw("\r");
        }
    }

    /// Ends the bar's line.
    pub(crate) fn end(&mut self) {
        if self.drawn.is_some() {
            self.draw("\r");
            let _ = writeln!(io::stderr());
        }
    }

    fn draw(&self, before: &str) {
        let line = bar(self.done, self.total, self.started.elapsed().as_secs_f64());
        // A bar that wraps would fill the screen.
        let line: String = line.chars().take(terminal::size().0.saturating_sub(1)).collect();
        // A terminal that fails must not stop the work.
        let _ = write!(io::stderr(), "{before}{line}\u{1b}[K").and_then(|()| io::stderr().flush());
    }
}

fn bar(done: u64, total: u64, seconds: f64) -> String {
    let part = done as f64 / total.max(1) as f64;
    let filled = ((part * WIDTH as f64) as usize).min(WIDTH);
    let rate = done as f64 / seconds.max(0.001);
    let left =
        if done > 0 { amount::duration(((total - done.min(total)) as f64 / rate) as u64) } else { "?".to_owned() };
    format!(
        "[{}{}] {:3.0} %  {} of {}  {}  {left} left",
        "#".repeat(filled),
        ".".repeat(WIDTH - filled),
        part * 100.0,
        amount::bytes(done),
        amount::bytes(total),
        amount::rate(rate),
    )
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_progress_bar_shows_amount_and_remaining_time() {
        for (done, expected) in [
            (0, "[..............................]   0 %  0 B of 1.0 MB  0 B/s  ? left"),
            (250_000, "[#######.......................]  25 %  250.0 kB of 1.0 MB  25.0 kB/s  30 s left"),
            (1_000_000, "[##############################] 100 %  1.0 MB of 1.0 MB  100.0 kB/s  0 s left"),
        ] {
            assert_eq!(bar(done, 1_000_000, 10.0), expected);
        }
    }
}
