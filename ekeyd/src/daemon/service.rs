//! The service manager (systemd): what it is told, and its watchdog.

use std::time::{Duration, Instant};

use super::Daemon;

/// The service manager's watchdog.
pub(super) struct Watchdog {
    every: Duration,
    next: Instant,
}

impl Watchdog {
    /// The one that the service manager keeps, if it does.
    pub(super) fn wanted(now: Instant) -> Option<Self> {
        sd_notify::watchdog_enabled().map(|limit| Self { every: limit / 2, next: now })
    }

    /// When to show next that the daemon lives.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

impl Daemon {
    /// Says once that there is entropy, and in which words.
    pub(super) fn say_ready(&mut self, words: &str) {
        if !self.is_ready {
            self.is_ready = true;
            tracing::info!("{words}");
            notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(words)]);
        }
    }

    pub(super) fn pat_watchdog(&mut self, now: Instant) {
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.next <= now
        {
            watchdog.next = now + watchdog.every;
            notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

/// Tells the service manager, if there is one.
pub(super) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
