//! One connection: receives a request, sends the response, closes.

use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use super::hosts::Hosts;
use super::request::{Refusal, Request};
use crate::socket::Stream;

/// Limit of a request in bytes.
pub(super) const MOST_REQUEST: usize = 8192;
/// Limit of bytes that are read and discarded after the response.
const MOST_DRAINED: usize = 64 * 1024;

/// Drives one connected client.
pub(super) struct Client {
    pub(super) stream: Stream,
    /// When the connection ends, finished or not.
    pub(super) deadline: Instant,
    state: State,
}

enum State {
    /// Receives the request; holds the part that has come.
    Asking(Vec<u8>),
    /// Waits for the response.
    Asked,
    /// Sends the response; holds it and the count of sent bytes.
    Answering(Vec<u8>, usize),
    /// Discards what the client still sends until it closes, and counts those bytes. Closing with unread bytes would reset the
    /// connection, and the client could lose the response.
    Draining(usize),
}

/// Says what a client needs next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing until the next event on its socket.
    Event,
    /// The response to this request.
    Asked(Request),
    /// An error response.
    Refused(Refusal),
    /// The end of its connection.
    Close,
}

impl Client {
    pub(super) fn new(stream: Stream, deadline: Instant) -> Self {
        Self { stream, deadline, state: State::Asking(Vec::new()) }
    }

    /// Returns whether its request is incomplete.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// Takes the response to send.
    pub(super) fn answer(&mut self, answer: Vec<u8>) {
        self.state = State::Answering(answer, 0);
    }

    /// Receives and sends without blocking. Rejects a request for none of `hosts`.
    pub(super) fn proceed(&mut self, hosts: &Hosts) -> Next {
        let outcome = match &mut self.state {
            State::Asking(_) => self.receive(hosts),
            State::Asked => Ok(Next::Event),
            State::Answering(..) => self.send(),
            State::Draining(_) => self.drain(),
        };
        outcome.unwrap_or(Next::Close)
    }

    fn receive(&mut self, hosts: &Hosts) -> io::Result<Next> {
        let State::Asking(input) = &mut self.state else { return Ok(Next::Event) };
        loop {
            let mut buffer = [0; 1024];
            let Some(count) = now(self.stream.read(&mut buffer))? else { return Ok(Next::Event) };
            if count == 0 {
                return Ok(Next::Close);
            }
            // Two reads may split the blank line.
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
                    Request::parse(&input, hosts).map_or_else(Next::Refused, Next::Asked)
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

/// Returns the count of bytes, or `None` if the call would block.
fn now(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // `Interrupted` cannot happen: the socket does not block.
        Err(error) => Err(error),
    }
}
