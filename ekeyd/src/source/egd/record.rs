//! What the client's thread notes of itself, for the status.

use std::time::Instant;

use ekey_control::books::FetchedBooks;
use ekey_control::status::{EgdClientState, EgdClientStatus, ServerTests};

use crate::config::EgdClient;
use crate::log_limit::LogLimit;
use crate::source::health::Vitals;
use crate::source::{Grade, SourceId};

/// The state and the counts.
pub(super) struct Record {
    servers: Vec<Seen>,
    state: EgdClientState,
    since: Instant,
    server: usize,
    address: Option<String>,
    connections: u64,
    requests: u64,
    received: u64,
    books: FetchedBooks,
    failures: u64,
    last_error: Option<String>,
}

/// What is known of one server.
struct Seen {
    name: String,
    /// Whether the kernel may count its bytes as entropy.
    credited: bool,
    /// Whether its first block has passed the tests.
    has_passed: bool,
    held_back: usize,
    vitals: Vitals,
    logged_connection: LogLimit,
    logged_failure: LogLimit,
}

impl Record {
    /// Starts at zero. `vitals` are those of each server.
    pub(super) fn new(config: &EgdClient, vitals: Vec<Vitals>, now: Instant) -> Self {
        let servers = config.connect.iter().zip(vitals).map(|(server, vitals)| Seen {
            name: server.to_string(),
            credited: config.credit.covers(server),
            has_passed: false,
            held_back: 0,
            vitals,
            logged_connection: LogLimit::default(),
            logged_failure: LogLimit::default(),
        });
        Self {
            servers: servers.collect(),
            state: EgdClientState::Connecting,
            since: now,
            server: 0,
            address: None,
            connections: 0,
            requests: 0,
            received: 0,
            books: FetchedBooks::default(),
            failures: 0,
            last_error: None,
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
        let (server, address) = (&mut self.servers[self.server], self.address.as_deref().unwrap_or_default());
        if let Some(more) = server.logged_connection.admit(now) {
            tracing::info!("EGD server {}: connected to {address}; no MAC proves its bytes{more}", server.name);
        }
    }

    /// Counts a request for entropy.
    pub(super) fn asked(&mut self) {
        self.requests += 1;
    }

    /// Counts bytes of entropy that came and were tested, and notes the state of the tests.
    pub(super) fn tested(&mut self, bytes: usize, vitals: Vitals, has_passed: bool, held_back: usize) {
        self.received += bytes as u64;
        let server = &mut self.servers[self.server];
        (server.vitals, server.has_passed, server.held_back) = (vitals, has_passed, held_back);
    }

    /// Notes that nothing of this server is held back any more.
    pub(super) fn let_go(&mut self, server: usize) {
        self.servers[server].held_back = 0;
    }

    /// Counts bytes that are handed on.
    pub(super) fn handed(&mut self, bytes: usize, grade: Grade) {
        match grade {
            Grade::Fit => self.books.handed_bytes += bytes as u64,
            Grade::Unfit { .. } => self.books.put_aside_bytes += bytes as u64,
        }
    }

    /// Returns whether the kernel may count the present server's bytes as entropy.
    pub(super) fn is_credited(&self) -> bool {
        self.servers.get(self.server).is_some_and(|server| server.credited)
    }

    /// Returns whether this source is one of the servers.
    pub(super) fn is_from(&self, source: SourceId) -> bool {
        (0..self.servers.len()).any(|server| SourceId::egd(server) == source)
    }

    /// Notes that the server failed. Logs it at most once a minute.
    pub(super) fn failed(&mut self, failure: &str, now: Instant) {
        self.failures += 1;
        self.address = None;
        self.enter(EgdClientState::Resting, now);
        let server = &mut self.servers[self.server];
        let text = format!("EGD server {}: {failure}", server.name);
        match server.logged_failure.admit(now) {
            Some(more) => tracing::warn!("{text}{more}"),
            None => tracing::debug!("{text}"),
        }
        self.last_error = Some(text);
    }

    /// Returns the status.
    pub(super) fn status(&self, now: Instant) -> EgdClientStatus {
        let tests = |server: &Seen| ServerTests {
            server: server.name.clone(),
            passed: server.has_passed,
            health: server.vitals.status(&[]),
        };
        let held_back = self.servers.iter().map(|server| server.held_back as u64).sum();
        EgdClientStatus {
            servers: self.servers.iter().map(|server| server.name.clone()).collect(),
            state: self.state,
            since_s: now.saturating_duration_since(self.since).as_secs(),
            server: self.servers.get(self.server).map(|server| server.name.clone()).unwrap_or_default(),
            address: self.address.clone(),
            proven: false,
            requests: self.requests,
            received_bytes: self.received,
            reconnects: self.connections.saturating_sub(1),
            failures: self.failures,
            last_error: self.last_error.clone(),
            credited: Some(self.is_credited()),
            books: Some(FetchedBooks { held_back_bytes: held_back, ..self.books }),
            tests: self.servers.iter().map(tests).collect(),
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
