//! What `ekey-ctl status` shows to a person: whether it is one screen, in time, and the last words on it, which say what to do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::program::Finished;
use crate::scratch::Scratch;

/// A terminal has 24 lines of 80 columns, one of them for the prompt.
const LINES: usize = 23;
const COLUMNS: usize = 80;
/// How long a person waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// The machine may be busy with other tests: the best of so many looks counts.
const LOOKS: usize = 10;
const SOON: Duration = Duration::from_secs(60);

/// Waits until the last words of the screen are these, without its line ends, and gives the exit code that came with them.
///
/// # Panics
/// When they never are; then the last screen is shown. When a screen is too large, or never there within a second.
pub fn await_last_words(daemon: &Daemon, scratch: &Scratch, due: &str) -> Option<i32> {
    let started = Instant::now();
    let code = loop {
        let (screen, code) = look(daemon, scratch);
        if last_words(&screen) == due {
            break code;
        }
        assert!(started.elapsed() < SOON, "the last words are not\n{due}\nbut {:?} in\n{screen}", last_words(&screen));
        sleep(Duration::from_millis(20));
    };
    let looks = (0..LOOKS).map(|_| {
        let started = Instant::now();
        let _ = look(daemon, scratch);
        started.elapsed()
    });
    let best = looks.scan(Duration::MAX, |best, took| {
        *best = took.min(*best);
        Some(*best)
    });
    let in_time = best.into_iter().find(|best| *best < PATIENCE);
    assert!(in_time.is_some(), "no answer of {LOOKS} came within {PATIENCE:?}");
    code
}

/// Runs the command that the last words name between back quotes, with more arguments.
///
/// # Panics
/// When they name none of `ekey-ctl`.
#[must_use]
pub fn follow(daemon: &Daemon, scratch: &Scratch, more: &[&str]) -> Finished {
    let words = last_words(&look(daemon, scratch).0);
    let command = words.split('`').skip(1).step_by(2).find_map(|quoted| quoted.strip_prefix("ekey-ctl "));
    let command = command.unwrap_or_else(|| panic!("no command to run in {words:?}"));
    let arguments: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
    daemon.ctl(scratch, &arguments)
}

/// The screen of this moment, and the exit code that comes with it.
fn look(daemon: &Daemon, scratch: &Scratch) -> (String, Option<i32>) {
    let finished = daemon.ctl(scratch, &["status"]);
    let screen = finished.words();
    let columns = screen.lines().map(str::len).max().unwrap_or(0);
    let lines = screen.lines().count();
    assert!(lines <= LINES && columns <= COLUMNS, "{lines} lines of up to {columns} columns:\n{screen}");
    (screen, finished.code)
}

fn last_words(screen: &str) -> String {
    let last = screen.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.replace('\n', " ")
}
