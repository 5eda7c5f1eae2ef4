//! The conversation with another machine's EGD servers, for the fuzz targets: what the servers send, and when.

use std::time::{Duration, Instant};

use super::machine::{Ask, Machine, Received, Step};
use crate::config;

/// A conversation on a clock of its own.
pub struct ClientBench {
    machine: Machine,
    start: Instant,
    now: Duration,
}

/// What the conversation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientStep {
    /// Connect to the server of this number.
    Connect(usize),
    /// Ask how much the server holds.
    Greet,
    /// Ask for so many bytes.
    Ask(u8),
    /// Wait, for so long at most.
    Wait(Option<Duration>),
    /// Give the server up.
    Fail,
}

/// What was made of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// No entropy.
    Nothing,
    /// It is an EGD server.
    Greeting,
    /// All of it is entropy.
    Entropy,
    /// None of it may be used, and the server is given up.
    Refused,
}

impl ClientBench {
    /// With so many servers, none of them reached yet.
    #[must_use]
    pub fn new(servers: usize) -> Self {
        let connect = vec![config::Server::Unix("/e".into()); servers];
        Self { machine: Machine::new(&config::EgdClient::of(connect)), start: Instant::now(), now: Duration::ZERO }
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// So many bytes are wanted.
    pub fn want(&mut self, bytes: usize) {
        self.machine.want(bytes);
    }

    /// What to do now; a server that is given up is left alone from then on, as the thread does it.
    #[expect(clippy::should_implement_trait, reason = "the machine's own name for it; it is no iterator")]
    pub fn next(&mut self) -> ClientStep {
        let now = self.start + self.now;
        match self.machine.next(now) {
            Ok(Step::Connect { server, .. }) => ClientStep::Connect(server),
            Ok(Step::Send(Ask::Available)) => ClientStep::Greet,
            Ok(Step::Send(Ask::Entropy(count))) => ClientStep::Ask(count),
            Ok(Step::Wait(until)) => ClientStep::Wait(until.map(|until| until.saturating_duration_since(now))),
            Err(_) => {
                self.machine.failed(now);
                ClientStep::Fail
            }
        }
    }

    /// The server takes the connection.
    pub fn connected(&mut self) {
        self.machine.connected();
    }

    /// The connection breaks, or does not come about.
    pub fn failed(&mut self) {
        self.machine.failed(self.start + self.now);
    }

    /// The server sends this.
    pub fn receive(&mut self, bytes: &[u8]) -> Heard {
        let now = self.start + self.now;
        match self.machine.receive(now, bytes) {
            Ok(Received::Nothing) => Heard::Nothing,
            Ok(Received::Greeting) => Heard::Greeting,
            Ok(Received::Entropy) => Heard::Entropy,
            Err(_) => {
                self.machine.failed(now);
                Heard::Refused
            }
        }
    }
}
