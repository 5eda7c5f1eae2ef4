//! What the service manager is told (sd_notify(3)): when there is entropy, and that the event loop still turns.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::Daemon;

/// The service manager's watchdog.
pub(super) struct Watchdog {
    every: Duration,
    next: Instant,
}

impl Watchdog {
    /// The one that the service manager wants to be fed, if it does: twice in the time that it waits.
    pub(super) fn wanted(now: Instant) -> Option<Self> {
        sd_notify::watchdog_enabled().map(|limit| Self { every: limit / 2, next: now })
    }

    /// When to feed it next.
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
            notify(&[NotifyState::Ready, NotifyState::Status(words)]);
            self.confinement.lock_memory();
        }
    }

    pub(super) fn pat_watchdog(&mut self, now: Instant) {
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.next <= now
        {
            watchdog.next = now + watchdog.every;
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Tells it, if there is one that listens.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
