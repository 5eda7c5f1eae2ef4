//! Tells the service manager (sd_notify(3)) when there is entropy, and that the event loop still runs.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager, if one started the daemon.
pub(super) struct ServiceManager {
    is_ready: bool,
    /// How often to feed its watchdog, and when next.
    watchdog: Option<(Duration, Instant)>,
}

impl ServiceManager {
    /// Reads its watchdog's limit from the environment. Feeds it twice in that time.
    pub(super) fn new(now: Instant) -> Self {
        Self { is_ready: false, watchdog: sd_notify::watchdog_enabled().map(|limit| (limit / 2, now)) }
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
