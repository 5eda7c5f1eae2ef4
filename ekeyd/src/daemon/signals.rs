//! Signals as events: SIGTERM and SIGINT stop the daemon, SIGHUP makes it read its files again.

use std::io;
use std::os::fd::AsRawFd as _;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Stop cleanly.
    Stop,
    /// Read keyring and configuration again.
    Reload,
}

/// The pending signals.
pub(super) struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks the signals for this thread and those it starts, and turns them into events on `token`.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn take_over(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut set = SigSet::empty();
        [Number::SIGTERM, Number::SIGINT, Number::SIGHUP].into_iter().for_each(|number| set.add(number));
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd })
    }

    /// Returns the next signal, if one has come.
    pub(super) fn next(&mut self) -> Option<Signal> {
        let info = self.fd.read_signal().ok().flatten()?;
        let hup = i32::try_from(info.ssi_signo).ok() == Some(Number::SIGHUP as i32);
        Some(if hup { Signal::Reload } else { Signal::Stop })
    }
}
