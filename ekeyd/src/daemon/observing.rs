//! The daemon's history, and its status over HTTP.

#[cfg(feature = "demo")]
use std::net::SocketAddr;
use std::time::Instant;

use ekey_control::{History, KeyStatus, Status};
use mio::Registry;
use mio::event::Event;

use super::Daemon;
use crate::config::Config;
use crate::observe::{Recorder, Sample, Server, Totals, View};
use crate::socket::ListenError;

/// The recorded history, and the HTTP server if there is one.
pub(super) struct Observatory {
    http: Option<Server>,
    recorder: Recorder,
}

impl Observatory {
    /// Starts to record, and listens at the configured address.
    ///
    /// # Errors
    /// [`ListenError`] if it cannot listen there.
    pub(super) fn start(config: &Config, registry: &Registry, first_token: usize) -> Result<Self, ListenError> {
        let http = config.http.as_ref().map(|http| Server::start(http, registry, first_token)).transpose()?;
        Ok(Self { http, recorder: Recorder::new() })
    }

    /// Returns the history so far.
    pub(super) fn history(&self) -> History {
        self.recorder.history()
    }
}

impl Daemon {
    /// Returns the address of the page, if there is one.
    #[cfg(feature = "demo")]
    pub(crate) fn http_address(&self) -> Option<SocketAddr> {
        self.observatory.http.as_ref().map(Server::address)
    }

    pub(super) fn handle_http(&mut self, event: &Event) {
        let Some(http) = &mut self.observatory.http else { return };
        let Some(asked) = http.handle(event) else { return };
        let answer = View { status: &self.status(), history: &self.observatory.history() }.answer(&asked.request);
        if let Some(http) = &mut self.observatory.http {
            http.answer(&asked, answer);
        }
    }

    /// Records a sample if it is time to, and ends connections that last too long.
    pub(super) fn observe(&mut self, now: Instant) {
        if let Some(http) = &mut self.observatory.http {
            http.go_on(now, self.poll.registry());
        }
        if self.observatory.recorder.next() <= now {
            let sample = sample(&self.status());
            self.observatory.recorder.note(sample);
        }
    }

    /// Returns when to [`observe`](Self::observe) next.
    pub(super) fn next_observation(&self) -> Option<Instant> {
        let deadline = self.observatory.http.as_ref().and_then(Server::next_deadline);
        deadline.into_iter().chain([self.observatory.recorder.next()]).min()
    }
}

fn sample(status: &Status) -> Sample {
    Sample {
        received: status.pool.received_bytes,
        pool: status.pool.bytes,
        temperature: status.keys.iter().filter_map(|key| key.sensors.temperature_decikelvin).max(),
        keys: status.keys.iter().map(totals).collect(),
    }
}

fn totals(key: &KeyStatus) -> Totals {
    Totals {
        key: key.number,
        rejected: key.frames.dropped().saturating_add(key.frames.framing_errors),
        recoveries: key.recoveries,
    }
}
