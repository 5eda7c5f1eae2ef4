//! Accepts the connections of one listener, and tries again after a failure.

use std::io;
use std::time::{Duration, Instant};

use super::{Listener, Stream};
use crate::log_limit::LogLimit;

/// Time until the next attempt after accepting failed. Most failures mean that the process has no file descriptor left.
const PAUSE: Duration = Duration::from_secs(1);

/// A listener, and whether connections may wait at it.
#[derive(Debug)]
pub(crate) struct Doorman {
    listener: Listener,
    /// The listener's name in the log.
    place: String,
    /// When to look for connections without an event.
    look_at: Option<Instant>,
    /// Whether the last attempt failed, or there was no room: then each turn of the event loop looks again.
    held: bool,
    failures: LogLimit,
}

impl Doorman {
    /// Watches a listener. Connections may wait already.
    pub(crate) fn new(listener: Listener, place: String) -> Self {
        Self { listener, place, look_at: Some(Instant::now()), held: false, failures: LogLimit::default() }
    }

    /// Returns the listener's name.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Notes an event: a connection waits.
    pub(crate) fn note_event(&mut self, now: Instant) {
        self.look_at = Some(now);
    }

    /// Whether to accept in this turn of the event loop.
    pub(crate) fn wants_turn(&self, now: Instant) -> bool {
        self.held || self.is_pending(now)
    }

    /// Whether connections may wait that can be accepted at once.
    pub(crate) fn is_pending(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// Returns when to accept without an event.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.look_at
    }

    /// Accepts the next connection. `None` if none waits or that failed.
    pub(crate) fn accept(&mut self, now: Instant) -> Option<Stream> {
        match self.listener.accept() {
            Ok(Some(stream)) => {
                self.held = false;
                return Some(stream);
            }
            Ok(None) => (self.look_at, self.held) = (None, false),
            Err(error) => self.fail(&error, now),
        }
        None
    }

    /// Notes that a connection could not be kept. Logs why: a peer may cause that again and again.
    pub(crate) fn fail(&mut self, error: &io::Error, now: Instant) {
        if let Some(more) = self.failures.admit(now) {
            let place = &self.place;
            tracing::warn!("{place}: cannot accept a connection: {error}; is the limit of open files too low?{more}");
        }
        self.held = true;
        self.look_at = Some(now + PAUSE);
    }

    /// Leaves connections waiting until there is room for them.
    pub(crate) fn hold(&mut self) {
        (self.look_at, self.held) = (None, true);
    }
}
