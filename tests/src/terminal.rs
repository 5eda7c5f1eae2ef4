//! A program at a terminal of its own, as a person uses it: keys go in, and what the screen gets comes out.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};

use crate::await_until::await_until;

/// A program and its terminal. Dropping it kills the program.
pub struct Terminal {
    /// The program.
    pub child: Child,
    /// The terminal's settings before the program ran.
    pub before: Termios,
    keyboard: File,
    slave: OwnedFd,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a program at a terminal of this size. `TERM` is `xterm` unless the command sets it.
    ///
    /// # Panics
    /// When the system has no terminal for it.
    #[must_use]
    pub fn start(mut command: Command, columns: u16, lines: u16) -> Self {
        let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pseudo terminal");
        let before = tcgetattr(&pty.slave).expect("a terminal has settings");
        let end = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm");
        }
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program can be run");
        let keyboard = File::from(pty.master);
        let mut screen = keyboard.try_clone().expect("a descriptor");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&shown);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count) = screen.read(&mut chunk) {
                kept.lock().expect("no thread panics while it holds the lock").extend_from_slice(&chunk[..count]);
            }
        });
        Self { child, before, keyboard, slave: pty.slave, shown }
    }

    /// Presses keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("a terminal takes keys");
    }

    /// Returns all that the screen got so far.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("no thread panics while it holds the lock")).into_owned()
    }

    /// Waits until the screen has got this text.
    pub fn await_shown(&self, what: &str) {
        await_until(&format!("{what:?} on the screen"), || self.shown().contains(what).then_some(()));
    }

    /// Returns the terminal's settings now.
    ///
    /// # Panics
    /// When the terminal is gone.
    #[must_use]
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.slave).expect("a terminal has settings")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
