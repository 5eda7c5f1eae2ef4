//! The client that keeps a machine supplied: what to do next, and with which of its servers.
//!
//! A new connection is first asked how much the server holds (`0x00`). The answer tells an EGD server from whatever greets like an
//! SSH, mail or web server, before any text is taken for entropy. Then there is one request at a time (`0x02`, whose answer is bare
//! bytes), and only while bytes are wanted. A server that fails rests, longer each time; meanwhile it is the next one's turn. One
//! whose bytes fail the owner's tests rests longest, and has its turn only while every other one rests.

use std::time::{Duration, Instant};

use crate::{Request, ServerError};

/// Limit of the bits that a server may claim to hold (64 MiB): every printable text read as a number is larger.
const MOST_BITS: u32 = 0x2000_0000;

/// How much to ask for, and how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes to ask for at a time, at most; at least 1.
    pub request_bytes: u8,
    /// How long to wait for a connection, and for each next byte of an answer.
    pub timeout: Duration,
    /// The pause after a server's first failure. It doubles with each further one.
    pub first_pause: Duration,
    /// The longest that pause becomes.
    pub longest_pause: Duration,
}

/// The client. Its owner calls [`next`](Self::next), does what that says, notes how it went, and calls it again.
#[derive(Debug)]
pub struct Fetcher {
    pace: Pace,
    servers: Vec<Rest>,
    /// The one that the state is about.
    server: usize,
    state: State,
    wanted: usize,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Connect to a server. Then call [`Fetcher::connected`] or [`Fetcher::failed`].
    Connect {
        /// Its place in the list.
        server: usize,
        /// When to give up.
        until: Instant,
    },
    /// Send this to the server.
    Send(Request),
    /// Wait until the server sends something, more is wanted, or it is this time.
    Wait(Option<Instant>),
}

/// What an input was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The start of an answer without entropy.
    Nothing,
    /// The proof that an EGD server is at the other end.
    Greeting,
    /// Entropy, all of it.
    Entropy,
}

/// How long a server is left alone.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Option<Instant>,
    next_pause: Duration,
    /// Whether its bytes failed a test, and have not passed since.
    unfit: bool,
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

impl Fetcher {
    /// Makes a client of `servers` servers, connected to none of them.
    #[must_use]
    pub fn new(pace: Pace, servers: usize) -> Self {
        let rest = Rest { until: None, next_pause: pace.first_pause, unfit: false };
        Self { pace, servers: vec![rest; servers], server: 0, state: State::Apart, wanted: 0 }
    }

    /// Sets how many bytes are wanted, with those that were asked for and have not come.
    pub fn want(&mut self, bytes: usize) {
        self.wanted = bytes;
    }

    /// Returns what to do now.
    ///
    /// # Errors
    /// [`ServerError::Silent`] if the server has let its time pass; the owner closes the connection and calls
    /// [`failed`](Self::failed).
    pub fn next(&mut self, now: Instant) -> Result<Task, ServerError> {
        match self.state {
            State::Apart => Ok(self.next_server(now)),
            State::Connecting => Ok(Task::Wait(None)),
            State::Unknown => {
                self.state = State::Greeting { bits: 0, bytes: 0, until: now + self.pace.timeout };
                Ok(Task::Send(Request::Available))
            }
            State::Greeting { until, .. } | State::Asked { until, .. } if until <= now => {
                Err(ServerError::Silent(self.pace.timeout))
            }
            State::Greeting { until, .. } | State::Asked { until, .. } => Ok(Task::Wait(Some(until))),
            State::Idle => {
                let count = u8::try_from(self.wanted).unwrap_or(u8::MAX).min(self.pace.request_bytes);
                if count == 0 {
                    return Ok(Task::Wait(None));
                }
                self.state = State::Asked { left: count, until: now + self.pace.timeout };
                Ok(Task::Send(Request::Wait(count)))
            }
        }
    }

    /// Notes that the server took the connection.
    pub fn connected(&mut self) {
        self.state = State::Unknown;
    }

    /// Notes that there is no connection any more, or that none came about.
    pub fn failed(&mut self, now: Instant) {
        if let Some(rest) = self.servers.get_mut(self.server) {
            rest.until = Some(now + rest.next_pause);
            rest.next_pause = (rest.next_pause * 2).min(self.pace.longest_pause);
        }
        self.state = State::Apart;
    }

    /// Begins anew: there is no connection any more, through no fault of the server.
    pub fn start_over(&mut self) {
        self.state = State::Apart;
    }

    /// Notes that the server's bytes failed the owner's tests, and that there is no connection any more.
    pub fn failed_test(&mut self, now: Instant) {
        if let Some(rest) = self.servers.get_mut(self.server) {
            rest.until = Some(now + self.pace.longest_pause);
            rest.unfit = true;
        }
        self.state = State::Apart;
    }

    /// Notes that the server's bytes pass the owner's tests again.
    pub fn passes_again(&mut self) {
        if let Some(rest) = self.servers.get_mut(self.server) {
            rest.unfit = false;
        }
    }

    /// Notes that the server sent `input`. Returns what that is.
    ///
    /// # Errors
    /// [`ServerError::NotEgd`] or [`ServerError::NotAskedFor`]: then none of the bytes may be used; the owner closes the connection
    /// and calls [`failed`](Self::failed).
    pub fn receive(&mut self, now: Instant, input: &[u8]) -> Result<Received, ServerError> {
        match self.state {
            State::Greeting { bits, bytes, until } => self.hear_greeting(bits, bytes, until, input),
            State::Asked { left, .. } => {
                let count = u8::try_from(input.len()).map_err(|_| ServerError::NotAskedFor)?;
                let left = left.checked_sub(count).ok_or(ServerError::NotAskedFor)?;
                self.wanted = self.wanted.saturating_sub(input.len());
                self.state = if left > 0 {
                    State::Asked { left, until: now + self.pace.timeout }
                } else {
                    self.servers[self.server].next_pause = self.pace.first_pause;
                    State::Idle
                };
                Ok(Received::Entropy)
            }
            State::Apart | State::Connecting | State::Unknown | State::Idle => Err(ServerError::NotAskedFor),
        }
    }

    fn hear_greeting(&mut self, bits: u32, bytes: u8, until: Instant, input: &[u8]) -> Result<Received, ServerError> {
        // A server of something else talks on: it sends more than the four bytes of the answer.
        let count = u8::try_from(input.len()).map_err(|_| ServerError::NotEgd)?;
        let bytes = bytes.checked_add(count).filter(|bytes| *bytes <= 4).ok_or(ServerError::NotEgd)?;
        let bits = input.iter().fold(bits, |bits, byte| bits << 8 | u32::from(*byte));
        if bytes < 4 {
            self.state = State::Greeting { bits, bytes, until };
            return Ok(Received::Nothing);
        }
        if bits > MOST_BITS {
            return Err(ServerError::NotEgd);
        }
        self.state = State::Idle;
        Ok(Received::Greeting)
    }

    /// The first of the list that does not rest, a fit one if there is one, or how long until one does not rest.
    fn next_server(&mut self, now: Instant) -> Task {
        let ready = self.servers.iter().enumerate().filter(|(_, rest)| rest.until.is_none_or(|until| until <= now));
        let Some((server, _)) = ready.min_by_key(|(_, rest)| rest.unfit) else {
            return Task::Wait(self.servers.iter().filter_map(|rest| rest.until).min());
        };
        self.server = server;
        self.state = State::Connecting;
        Task::Connect { server, until: now + self.pace.timeout }
    }
}

#[cfg(test)]
mod tests;
