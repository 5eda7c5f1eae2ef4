//! What the client's thread notes of itself, for the status.

use std::time::Instant;

use ekey_control::status::{EgdClientState, EgdClientStatus};

use crate::config::Server;

/// The state and the counts.
pub(super) struct Record {
    servers: Vec<String>,
    state: EgdClientState,
    since: Instant,
    server: usize,
    address: Option<String>,
    connections: u64,
    requests: u64,
    received: u64,
    failures: u64,
    last_error: Option<String>,
    /// The last logged failure of each server.
    logged: Vec<Option<String>>,
}

impl Record {
    /// Starts at zero.
    pub(super) fn new(servers: &[Server], now: Instant) -> Self {
        Self {
            servers: servers.iter().map(ToString::to_string).collect(),
            state: EgdClientState::Connecting,
            since: now,
            server: 0,
            address: None,
            connections: 0,
            requests: 0,
            received: 0,
            failures: 0,
            last_error: None,
            logged: vec![None; servers.len()],
        }
    }

    /// Notes that an attempt to connect begins.
    pub(super) fn connecting(&mut self, server: usize, now: Instant) {
        self.server = server;
        self.enter(EgdClientState::Connecting, now);
    }

    /// Notes that the connection is open; whether an EGD server answers is not known yet.
    pub(super) fn reached(&mut self, address: String) {
        self.address = Some(address);
    }

    /// Notes that an EGD server answered.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connections += 1;
        self.enter(EgdClientState::Connected, now);
        self.logged[self.server] = None;
        let (server, address) = (&self.servers[self.server], self.address.as_deref().unwrap_or_default());
        tracing::info!("EGD server {server}: connected to {address}; no MAC proves its bytes");
    }

    /// Counts a request for entropy.
    pub(super) fn asked(&mut self) {
        self.requests += 1;
    }

    /// Counts bytes of entropy that came.
    pub(super) fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Notes that the server failed. Logs each kind of failure once, until the server is connected again.
    pub(super) fn failed(&mut self, failure: &str, now: Instant) {
        self.failures += 1;
        self.address = None;
        self.enter(EgdClientState::Resting, now);
        let text = format!("EGD server {}: {failure}", self.servers[self.server]);
        let logged = &mut self.logged[self.server];
        if logged.as_deref() == Some(failure) {
            tracing::debug!("{text}");
        } else {
            tracing::warn!("{text}");
            *logged = Some(failure.to_owned());
        }
        self.last_error = Some(text);
    }

    /// Returns the status.
    pub(super) fn status(&self, now: Instant) -> EgdClientStatus {
        EgdClientStatus {
            servers: self.servers.clone(),
            state: self.state,
            since_s: now.saturating_duration_since(self.since).as_secs(),
            server: self.servers.get(self.server).cloned().unwrap_or_default(),
            address: self.address.clone(),
            proven: false,
            requests: self.requests,
            received_bytes: self.received,
            reconnects: self.connections.saturating_sub(1),
            failures: self.failures,
            last_error: self.last_error.clone(),
        }
    }

    fn enter(&mut self, state: EgdClientState, now: Instant) {
        // The time counts since a server was found or lost; attempts in between do not reset it.
        let connected = |state| state == EgdClientState::Connected;
        if connected(self.state) != connected(state) {
            self.since = now;
        }
        self.state = state;
    }
}
