//! What `ekey-ctl status` shows to a person: whether it is one screen, and the last words on it, which say what to do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::await_until::DEADLINE;
use crate::daemon::Daemon;
use crate::program::Finished;
use crate::scratch::Scratch;

/// A terminal has 24 lines of 80 columns, one of them for the prompt.
const LINES: usize = 23;
const COLUMNS: usize = 80;

/// Waits until the last words of the screen are these, without its line ends, and gives the exit code that came with them.
///
/// # Panics
/// When they never are; then the last screen is shown. When a screen is too large.
pub fn await_last_words(daemon: &Daemon, scratch: &Scratch, due: &str) -> Option<i32> {
    let started = Instant::now();
    loop {
        let (screen, code) = look(daemon, scratch);
        if last_words(&screen) == due {
            return code;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "the last words are not\n{due}\nbut {:?} in\n{screen}",
            last_words(&screen)
        );
        sleep(Duration::from_millis(20));
    }
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
