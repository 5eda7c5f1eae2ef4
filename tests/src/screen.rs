//! The screen that `ekey-ctl status` prints: its last paragraph, which says what to do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::await_until::DEADLINE;
use crate::daemon::Daemon;
use crate::golden::{self, Sentence};
use crate::program::Finished;
use crate::scratch::Scratch;

/// How long the last paragraph must stay the same before `UPDATE_GOLDEN` writes it.
const SETTLED: Duration = Duration::from_secs(12);

/// Waits until the screen's last paragraph, its line ends removed, is this sentence of a golden file, and returns the exit code.
/// With `UPDATE_GOLDEN`, waits until the paragraph stays the same, and writes it to the file.
///
/// # Panics
/// When the deadline passes, with the last screen.
pub fn await_advice(daemon: &Daemon, scratch: &Scratch, advice: &Sentence) -> Option<i32> {
    if !golden::updates() {
        return await_last_words(daemon, scratch, &advice.expected());
    }
    let (mut words, mut deadline) = (String::new(), Instant::now() + SETTLED);
    loop {
        let (screen, code) = look(daemon, scratch);
        if last_words(&screen) != words {
            (words, deadline) = (last_words(&screen), Instant::now() + SETTLED);
        } else if Instant::now() > deadline {
            advice.check(&words);
            return code;
        }
        sleep(Duration::from_millis(20));
    }
}

/// Waits until the screen's last paragraph, its line ends removed, is `expected`, and returns the exit code.
///
/// # Panics
/// When the deadline passes, with the last screen.
pub fn await_last_words(daemon: &Daemon, scratch: &Scratch, expected: &str) -> Option<i32> {
    let started = Instant::now();
    loop {
        let (screen, code) = look(daemon, scratch);
        if last_words(&screen) == expected {
            return code;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "expected the last words\n{expected}\nbut got {:?} in\n{screen}",
            last_words(&screen)
        );
        sleep(Duration::from_millis(20));
    }
}

/// Runs the `ekey-ctl` command that the last paragraph names in back quotes, with more arguments.
///
/// # Panics
/// When the paragraph names none.
#[must_use]
pub fn follow(daemon: &Daemon, scratch: &Scratch, more: &[&str]) -> Finished {
    let words = last_words(&look(daemon, scratch).0);
    let command = words.split('`').skip(1).step_by(2).find_map(|quoted| quoted.strip_prefix("ekey-ctl "));
    let command = command.unwrap_or_else(|| panic!("no command to run in {words:?}"));
    let arguments: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
    daemon.ctl(scratch, &arguments)
}

/// Returns the screen of this moment and the exit code.
fn look(daemon: &Daemon, scratch: &Scratch) -> (String, Option<i32>) {
    let finished = daemon.ctl(scratch, &["status"]);
    let screen = finished.words();
    (screen, finished.code)
}

fn last_words(screen: &str) -> String {
    let last = screen.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.replace('\n', " ")
}
