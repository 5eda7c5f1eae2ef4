//! The conversation with the servers as a state machine: what to do next, without a socket and without a clock.
//!
//! A new connection is first asked how much the server holds (`0x00`). Whatever greets like an SSH, mail or web server is found
//! out by the answer, before any of its text is taken for entropy. Then there is one request at a time (`0x02`, whose answer is
//! bare bytes), and only while bytes are wanted. A server that fails rests, longer each time; meanwhile it is the next one's turn.

use std::time::{Duration, Instant};

use super::failure::Failure;
use crate::config;

/// No server holds so many bits ready (64 MiB), and every printable text is a larger number.
const MOST_BITS: u32 = 0x2000_0000;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Connect to the server of this number, and say how that went; give up at `until`.
    Connect {
        /// Its place in the list.
        server: usize,
        /// The time that is left for it.
        until: Instant,
    },
    /// Send this.
    Send(Ask),
    /// Wait for input, or more to be wanted, or this time.
    Wait(Option<Instant>),
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// How many bits the server holds.
    Available,
    /// So many bytes of entropy.
    Entropy(u8),
}

impl Ask {
    /// As it goes over the wire.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Available => vec![0x00],
            Self::Entropy(count) => vec![0x02, count],
        }
    }
}

/// What an input was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// The beginning of an answer without entropy.
    Nothing,
    /// The proof that an EGD server is at the other end.
    Greeting,
    /// Entropy, all of it.
    Entropy,
}

/// The conversation. Its owner calls [`next`](Self::next), does what that says, tells how it went, and calls it again.
pub(super) struct Machine {
    request_bytes: u8,
    timeout: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    servers: Vec<Rest>,
    /// The one that the state is about.
    server: usize,
    state: State,
    wanted: usize,
}

/// How long a server is left alone.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Option<Instant>,
    next_pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Apart,
    Connecting,
    /// Connected, and nothing sent yet.
    Unknown,
    Greeting {
        bits: u32,
        bytes: u8,
        until: Instant,
    },
    Idle,
    Asked {
        left: u8,
        until: Instant,
    },
}

impl Machine {
    /// A conversation with none of the configured servers yet.
    pub(super) fn new(config: &config::EgdClient) -> Self {
        let rest = Rest { until: None, next_pause: config.first_pause };
        Self {
            request_bytes: config.request_bytes,
            timeout: config.timeout,
            first_pause: config.first_pause,
            longest_pause: config.longest_pause,
            servers: vec![rest; config.connect.len()],
            server: 0,
            state: State::Apart,
            wanted: 0,
        }
    }

    /// From now on `bytes` are wanted, those included that were asked for and have not come.
    pub(super) fn want(&mut self, bytes: usize) {
        self.wanted = bytes;
    }

    /// What to do now.
    ///
    /// # Errors
    /// [`Failure::Silent`] if the server has let its time pass.
    pub(super) fn next(&mut self, now: Instant) -> Result<Step, Failure> {
        match self.state {
            State::Apart => Ok(self.next_server(now)),
            State::Connecting => Ok(Step::Wait(None)),
            State::Unknown => {
                self.state = State::Greeting { bits: 0, bytes: 0, until: now + self.timeout };
                Ok(Step::Send(Ask::Available))
            }
            State::Greeting { until, .. } | State::Asked { until, .. } if until <= now => {
                Err(Failure::Silent(self.timeout))
            }
            State::Greeting { until, .. } | State::Asked { until, .. } => Ok(Step::Wait(Some(until))),
            State::Idle => {
                let count = u8::try_from(self.wanted).unwrap_or(u8::MAX).min(self.request_bytes);
                if count == 0 {
                    return Ok(Step::Wait(None));
                }
                self.state = State::Asked { left: count, until: now + self.timeout };
                Ok(Step::Send(Ask::Entropy(count)))
            }
        }
    }

    /// The server took the connection.
    pub(super) fn connected(&mut self) {
        self.state = State::Unknown;
    }

    /// There is no connection any more, or none came about.
    pub(super) fn failed(&mut self, now: Instant) {
        let rest = &mut self.servers[self.server];
        rest.until = Some(now + rest.next_pause);
        rest.next_pause = (rest.next_pause * 2).min(self.longest_pause);
        self.state = State::Apart;
    }

    /// The server sent these bytes; says what they are.
    ///
    /// # Errors
    /// [`Failure::NotEgd`] or [`Failure::NotAskedFor`]: then none of the bytes may be used.
    pub(super) fn receive(&mut self, now: Instant, input: &[u8]) -> Result<Received, Failure> {
        match self.state {
            State::Greeting { bits, bytes, until } => self.hear_greeting(bits, bytes, until, input),
            State::Asked { left, .. } => {
                let count = u8::try_from(input.len()).map_err(|_| Failure::NotAskedFor)?;
                let left = left.checked_sub(count).ok_or(Failure::NotAskedFor)?;
                self.wanted = self.wanted.saturating_sub(input.len());
                self.state = if left > 0 {
                    State::Asked { left, until: now + self.timeout }
                } else {
                    self.servers[self.server].next_pause = self.first_pause;
                    State::Idle
                };
                Ok(Received::Entropy)
            }
            State::Apart | State::Connecting | State::Unknown | State::Idle => Err(Failure::NotAskedFor),
        }
    }

    fn hear_greeting(&mut self, bits: u32, bytes: u8, until: Instant, input: &[u8]) -> Result<Received, Failure> {
        // More than the four bytes of the answer is what a server of something else says at length.
        let count = u8::try_from(input.len()).map_err(|_| Failure::NotEgd)?;
        let bytes = bytes.checked_add(count).filter(|bytes| *bytes <= 4).ok_or(Failure::NotEgd)?;
        let bits = input.iter().fold(bits, |bits, byte| bits << 8 | u32::from(*byte));
        if bytes < 4 {
            self.state = State::Greeting { bits, bytes, until };
            return Ok(Received::Nothing);
        }
        if bits > MOST_BITS {
            return Err(Failure::NotEgd);
        }
        self.state = State::Idle;
        Ok(Received::Greeting)
    }

    /// The first of the list that does not rest, or how long until one does not.
    fn next_server(&mut self, now: Instant) -> Step {
        let ready = |rest: &Rest| rest.until.is_none_or(|until| until <= now);
        let Some(server) = self.servers.iter().position(ready) else {
            return Step::Wait(self.servers.iter().filter_map(|rest| rest.until).min());
        };
        self.server = server;
        self.state = State::Connecting;
        Step::Connect { server, until: now + self.timeout }
    }
}

#[cfg(test)]
mod tests;
