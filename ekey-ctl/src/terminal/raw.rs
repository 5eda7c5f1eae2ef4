//! Waits for key presses and signals, with a time limit.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

use crate::signals::Blocked;

/// The signals to wait for.
const SIGNALS: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGWINCH];
/// `q`, `Q`, `^C` and `^D` end the program.
const ENDING: [u8; 4] = [b'q', b'Q', 3, 4];

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The time is up, or the terminal needs a redraw.
    Draw,
    /// A key or a signal ends the program.
    End,
}

/// Standard input without echo and line editing, and blocked signals. Dropping it restores both.
pub(crate) struct Raw {
    /// The settings of standard input before, if it is a terminal.
    before: Option<Termios>,
    signals: SignalFd,
    _blocked: Blocked,
}

impl Raw {
    /// Blocks the signals and changes the terminal.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn take() -> io::Result<Self> {
        // Signals first: from here on none ends the program before the terminal is restored.
        let blocked = Blocked::new(&SIGNALS)?;
        let mut raw = Self { before: None, signals: blocked.descriptor()?, _blocked: blocked };
        if io::stdin().is_terminal() {
            let before = termios::tcgetattr(io::stdin())?;
            let mut keys = before.clone();
            keys.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
            termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &keys)?;
            raw.before = Some(before);
        }
        Ok(raw)
    }

    /// Waits at most `most` for a key or a signal.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn wait(&mut self, most: Duration) -> io::Result<Wake> {
        let until = Instant::now() + most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let stdin = io::stdin();
            let listen = if self.before.is_some() { PollFlags::POLLIN } else { PollFlags::empty() };
            let mut ready = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN), PollFd::new(stdin.as_fd(), listen)];
            match poll(&mut ready, left) {
                Ok(0) => return Ok(Wake::Draw),
                Err(Errno::EINTR) => continue,
                outcome => drop(outcome.map_err(io::Error::from)?),
            }
            let [signal, key] = ready.map(|fd| fd.any().unwrap_or(true));
            if signal && let Some(wake) = self.signal()? {
                return Ok(wake);
            }
            if key && self.before.is_some() && is_ending()? {
                return Ok(Wake::End);
            }
        }
    }

    fn signal(&mut self) -> io::Result<Option<Wake>> {
        let Some(info) = self.signals.read_signal()? else { return Ok(None) };
        let is = |signal: Signal| i32::try_from(info.ssi_signo).ok() == Some(signal as i32);
        Ok(match () {
            () if is(Signal::SIGWINCH) => Some(Wake::Draw),
            // Stopping the program would leave the terminal changed.
            () if is(Signal::SIGTSTP) => None,
            () => Some(Wake::End),
        })
    }
}

/// Reads what was typed. The end of the input also ends the program.
fn is_ending() -> io::Result<bool> {
    let mut typed = [0; 64];
    match nix::unistd::read(io::stdin().as_fd(), &mut typed) {
        Ok(count) => Ok(count == 0 || typed.iter().take(count).any(|key| ENDING.contains(key))),
        Err(Errno::EINTR | Errno::EAGAIN) => Ok(false),
        // The terminal is gone.
        Err(Errno::EIO) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        if let Some(before) = &self.before {
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, before);
        }
    }
}
