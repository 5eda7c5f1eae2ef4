//! One connection: a request in, an answer out, and the end.

use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use super::request::{Refusal, Request};
use crate::socket::Stream;

/// A longer request is none.
pub(super) const MOST_REQUEST: usize = 8192;
/// What is read and thrown away after the answer; whoever sends more has not listened.
const MOST_DRAINED: usize = 64 * 1024;

/// A connected client.
pub(super) struct Client {
    pub(super) stream: Stream,
    /// When it must be done.
    pub(super) deadline: Instant,
    state: State,
}

enum State {
    /// The request so far.
    Asking(Vec<u8>),
    /// The request is handed over, its answer is to come.
    Asked,
    /// The answer, and how much of it was sent.
    Answering(Vec<u8>, usize),
    /// All is sent; until the client closes, what it still sends is read, lest the system throws the answer away.
    Draining(usize),
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing now: the event loop will say when.
    Event,
    /// This is asked, and to be answered.
    Asked(Request),
    /// This is to be answered with an error.
    Refused(Refusal),
    /// Nothing more.
    Close,
}

impl Client {
    pub(super) fn new(stream: Stream, deadline: Instant) -> Self {
        Self { stream, deadline, state: State::Asking(Vec::new()) }
    }

    /// Whether its request is not here yet.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// Hands over the answer.
    pub(super) fn answer(&mut self, answer: Vec<u8>) {
        self.state = State::Answering(answer, 0);
    }

    /// Receives and sends as far as that needs no waiting.
    pub(super) fn proceed(&mut self, local_only: bool) -> Next {
        let outcome = match &mut self.state {
            State::Asking(_) => self.receive(local_only),
            State::Asked => Ok(Next::Event),
            State::Answering(..) => self.send(),
            State::Draining(_) => self.drain(),
        };
        outcome.unwrap_or(Next::Close)
    }

    fn receive(&mut self, local_only: bool) -> io::Result<Next> {
        let State::Asking(input) = &mut self.state else { return Ok(Next::Event) };
        loop {
            let mut buffer = [0; 1024];
            let Some(count) = now(self.stream.read(&mut buffer))? else { return Ok(Next::Event) };
            if count == 0 {
                return Ok(Next::Close);
            }
            // The end may be split between two reads.
            let searched = input.len().saturating_sub(3);
            input.extend_from_slice(&buffer[..count]);
            let fresh = &input[searched..];
            let ended = fresh.windows(4).any(|four| four == b"\r\n\r\n") || fresh.windows(2).any(|two| two == b"\n\n");
            if ended || input.len() > MOST_REQUEST {
                let input = std::mem::take(input);
                self.state = State::Asked;
                return Ok(if input.len() > MOST_REQUEST {
                    Next::Refused(Refusal::TooLong)
                } else {
                    Request::parse(&input, local_only).map_or_else(Next::Refused, Next::Asked)
                });
            }
        }
    }

    fn send(&mut self) -> io::Result<Next> {
        let State::Answering(answer, sent) = &mut self.state else { return Ok(Next::Event) };
        while *sent < answer.len() {
            match now(self.stream.write(&answer[*sent..]))? {
                None => return Ok(Next::Event),
                Some(0) => return Ok(Next::Close),
                Some(count) => *sent += count,
            }
        }
        self.stream.finish()?;
        self.state = State::Draining(0);
        self.drain()
    }

    fn drain(&mut self) -> io::Result<Next> {
        let State::Draining(drained) = &mut self.state else { return Ok(Next::Event) };
        let mut buffer = [0; 1024];
        while *drained < MOST_DRAINED {
            match now(self.stream.read(&mut buffer))? {
                None => return Ok(Next::Event),
                Some(0) => return Ok(Next::Close),
                Some(count) => *drained += count,
            }
        }
        Ok(Next::Close)
    }
}

/// How much was read or written, or `None` if that has to wait.
fn now(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // Level or edge, the event comes again; so does the data.
        Err(error) => Err(error),
    }
}
