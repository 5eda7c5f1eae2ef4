//! Reads a line at the terminal without showing it.
//!
//! The echo always comes back: signals that end or stop the program are blocked while it is off, and delivered once it is on again.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use zeroize::Zeroizing;

use super::{MOST_BYTES, SecretError};
use crate::signals::Blocked;

/// The signals that would end or stop the program.
const ENDING: [Signal; 5] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP];

/// Prints `prompt` on standard error, and reads a line from standard input, which must be a terminal.
pub(super) fn ask(prompt: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut line = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    loop {
        let blocked = Blocked::new(&ENDING).map_err(io::Error::from)?;
        // Never read: a pending signal is delivered once it is unblocked.
        let signals = blocked.descriptor().map_err(io::Error::from)?;
        let quiet = Quiet::make()?;
        io::stderr().write_all(prompt.as_bytes())?;
        let whole = read_line(&signals, &mut line);
        drop(quiet);
        // A pending signal ends the program here, or stops it for a while.
        drop(blocked);
        match whole {
            Ok(true) => return Ok(line),
            // The program was stopped, and is in the foreground again: ask once more.
            Ok(false) => line.clear(),
            Err(error) => return Err(error),
        }
    }
}

/// Reads to the end of the line. Returns `false` if a signal came first.
fn read_line(signals: &SignalFd, line: &mut Vec<u8>) -> Result<bool, SecretError> {
    let stdin = io::stdin();
    let mut chunk = Zeroizing::new([0; 256]);
    loop {
        let mut ready =
            [PollFd::new(stdin.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            outcome => outcome.map_err(io::Error::from)?,
        };
        if ready[1].any().unwrap_or(true) {
            return Ok(false);
        }
        let count = match nix::unistd::read(stdin.as_fd(), &mut chunk[..]) {
            Err(Errno::EINTR) => continue,
            outcome => outcome.map_err(io::Error::from)?,
        };
        let typed = chunk.get(..count).unwrap_or_default();
        if line.len() + count > MOST_BYTES {
            return Err(SecretError::TooLong);
        }
        line.extend_from_slice(typed);
        // The end of the input also ends the line.
        if count == 0 || typed.ends_with(b"\n") {
            return Ok(true);
        }
    }
}

/// The terminal without echo. Dropping it restores the echo.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn make() -> io::Result<Self> {
        let before = termios::tcgetattr(stdin(&io::stdin()))?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::ECHONL);
        // Discard what was typed ahead: it was visible.
        termios::tcsetattr(stdin(&io::stdin()), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = termios::tcsetattr(stdin(&io::stdin()), SetArg::TCSAFLUSH, &self.before);
    }
}

fn stdin(stdin: &io::Stdin) -> BorrowedFd<'_> {
    stdin.as_fd()
}
