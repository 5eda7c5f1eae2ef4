//! What the daemon remembers of itself, and shows over HTTP.

#[cfg(feature = "demo")]
use std::net::SocketAddr;
use std::time::Instant;

use ekey_control::KeyStatus;
use mio::event::Event;

use super::Daemon;
use crate::observe::{Sample, Server, Totals, View};
use crate::source::key::Key;

impl Daemon {
    /// Where the page is, if anywhere.
    #[cfg(feature = "demo")]
    pub(crate) fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Server::address)
    }

    pub(super) fn handle_http(&mut self, event: &Event) {
        let Some(http) = &mut self.http else { return };
        let Some(asked) = http.handle(event, self.poll.registry()) else { return };
        let answer = View { status: &self.status(), history: &self.recorder.history() }.answer(&asked.request);
        if let Some(http) = &mut self.http {
            http.answer(&asked, answer);
        }
    }

    /// Takes down how things stand if it is time to, and ends connections that last too long.
    pub(super) fn observe(&mut self, now: Instant) {
        if let Some(http) = &mut self.http {
            http.expire(now, self.poll.registry());
        }
        if self.recorder.next() <= now {
            let sample = self.sample();
            self.recorder.note(sample);
        }
    }

    /// When to [`observe`](Self::observe) next.
    pub(super) fn next_observation(&self) -> Option<Instant> {
        let deadline = self.http.as_ref().and_then(Server::next_deadline);
        deadline.into_iter().chain([self.recorder.next()]).min()
    }

    fn sample(&self) -> Sample {
        let keys: Vec<KeyStatus> = self.keys.iter().map(Key::status).collect();
        Sample {
            received: self.pool.counters().received,
            pool: self.pool.len() as u64,
            temperature: keys.iter().filter_map(|key| key.sensors.temperature_decikelvin).max(),
            keys: keys.iter().map(totals).collect(),
        }
    }
}

fn totals(key: &KeyStatus) -> Totals {
    Totals {
        key: key.number,
        rejected: key.frames.dropped().saturating_add(key.frames.framing_errors),
        recoveries: key.recoveries,
    }
}
