//! Tells the service manager (sd_notify(3)) when there is entropy, and that the event loop still runs.
//!
//! It never waits for a service manager that does not read: what that one has not taken is sent again later.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sendto, socket};
use sd_notify::NotifyState;

use crate::log_limit::LogLimit;

/// When to try again.
const PAUSE: Duration = Duration::from_secs(1);
/// Limit of messages that wait. Those of a reload are the most that come at once.
const MOST_UNSENT: usize = 16;

/// The service manager, if one started the daemon.
pub(super) struct ServiceManager {
    /// The path of its socket. `@` begins an abstract one.
    socket: Option<OsString>,
    is_ready: bool,
    /// How often to feed its watchdog, and when next.
    watchdog: Option<(Duration, Instant)>,
    unsent: VecDeque<String>,
    /// When to send again what it has not taken.
    retry: Option<Instant>,
    failures: LogLimit,
}

impl ServiceManager {
    /// Reads its watchdog's limit from the environment. Feeds it twice in that time.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET"),
            is_ready: false,
            watchdog: sd_notify::watchdog_enabled().map(|limit| (limit / 2, now)),
            unsent: VecDeque::new(),
            retry: None,
            failures: LogLimit::default(),
        }
    }

    /// Returns whether it knows that there is entropy.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Reports the first entropy and logs it in these words. Returns whether this was the first time.
    pub(super) fn say_ready(&mut self, words: &str) -> bool {
        if self.is_ready {
            return false;
        }
        self.is_ready = true;
        tracing::info!("{words}");
        self.tell(&[NotifyState::Ready, NotifyState::Status(words)]);
        true
    }

    /// Returns when to feed its watchdog, or to send again.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.watchdog.map(|(_, next)| next).into_iter().chain(self.retry).min()
    }

    /// Feeds its watchdog if it is time to, and sends again what it has not taken.
    pub(super) fn feed_watchdog(&mut self, now: Instant) {
        if self.retry.is_some_and(|at| at <= now) {
            self.send(now);
        }
        if let Some((every, next)) = &mut self.watchdog
            && *next <= now
        {
            *next = now + *every;
            // A sign of life is worth nothing later.
            if self.unsent.is_empty() {
                self.tell(&[NotifyState::Watchdog]);
            }
        }
    }

    /// Sends it these states, if there is one.
    pub(super) fn tell(&mut self, states: &[NotifyState<'_>]) {
        if self.socket.is_none() {
            return;
        }
        if self.unsent.len() == MOST_UNSENT {
            self.unsent.pop_front();
        }
        self.unsent.push_back(states.iter().map(|state| format!("{state}\n")).collect());
        self.send(Instant::now());
    }

    /// Sends what waits, as far as it is taken.
    fn send(&mut self, now: Instant) {
        self.retry = None;
        while let (Some(place), Some(message)) = (&self.socket, self.unsent.front()) {
            match send(place, message) {
                Ok(()) => {}
                Err(Errno::EAGAIN) => {
                    self.retry = Some(now + PAUSE);
                    return;
                }
                Err(errno) => {
                    if let Some(more) = self.failures.admit(now) {
                        tracing::warn!("cannot notify the service manager: {errno}{more}");
                    }
                }
            }
            self.unsent.pop_front();
        }
    }
}

/// Sends a message without waiting.
fn send(place: &OsString, message: &str) -> nix::Result<()> {
    let address = match place.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        path => UnixAddr::new(path)?,
    };
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendto(socket.as_raw_fd(), message.as_bytes(), &address, flags).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn a_manager_that_does_not_read_delays_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let now = Instant::now();
        let mut told = ServiceManager::new(now);
        (told.socket, told.watchdog) = (Some(path.into()), None);
        // Its queue is short: net.unix.max_dgram_qlen.
        while told.retry.is_none() {
            told.tell(&[NotifyState::Status("filling its queue")]);
        }
        assert!(told.say_ready("there is entropy"));
        assert_eq!(told.next_wake(), told.retry);
        manager.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let mut read =
            || manager.recv(&mut buffer).ok().map(|count| String::from_utf8_lossy(&buffer[..count]).into_owned());
        assert!(std::iter::from_fn(&mut read).count() > 0, "its queue was full");
        told.feed_watchdog(Instant::now() + PAUSE);
        let taken: String = std::iter::from_fn(read).collect();
        assert!(taken.contains("READY=1\nSTATUS=there is entropy\n"), "{taken}");
        assert!(told.unsent.is_empty() && told.retry.is_none());
    }
}
