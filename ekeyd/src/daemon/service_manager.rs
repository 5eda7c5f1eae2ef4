//! What the service manager hears (sd_notify(3)): when there is entropy, and that the event loop still turns.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager, if one started the daemon.
pub(super) struct ServiceManager {
    is_ready: bool,
    /// How often it wants to hear from the daemon, and when next.
    watchdog: Option<(Duration, Instant)>,
}

impl ServiceManager {
    /// Reads what it wants: its watchdog is fed twice in the time that it waits.
    pub(super) fn new(now: Instant) -> Self {
        Self { is_ready: false, watchdog: sd_notify::watchdog_enabled().map(|limit| (limit / 2, now)) }
    }

    /// Whether it was told that there is entropy.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Says once that there is entropy, and logs it in these words. Returns whether this was the first time.
    pub(super) fn say_ready(&mut self, words: &str) -> bool {
        if self.is_ready {
            return false;
        }
        self.is_ready = true;
        tracing::info!("{words}");
        notify(&[NotifyState::Ready, NotifyState::Status(words)]);
        true
    }

    /// Returns when to feed its watchdog.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.watchdog.map(|(_, next)| next)
    }

    /// Feeds its watchdog if it is time to.
    pub(super) fn feed_watchdog(&mut self, now: Instant) {
        if let Some((every, next)) = &mut self.watchdog
            && *next <= now
        {
            *next = now + *every;
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Sends it these states, if it listens.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
