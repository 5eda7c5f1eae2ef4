//! One client of the control socket: lines in, replies out.

use std::io::{self, Read as _, Write as _};

use ekey_control::{GREETING, Reply};

use crate::socket::Stream;

/// Limit of a line in bytes: no command is longer.
const MOST_LINE: usize = 4096;
/// Limit of unsent bytes. A client that does not read its replies gets no more commands read.
const MOST_UNSENT: usize = 256 * 1024;

/// Buffers one connected client's lines and replies.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// Whether it may give commands that change something.
    pub(super) is_master: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    readable: bool,
    ended: bool,
}

/// Says what a client needs next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It sent a line, here without its `\n`.
    Line(Vec<u8>),
    /// It sent a line beyond the limit. After the reply the connection ends, because the next line's start is unknown.
    TooLong,
    /// Nothing until the next event on its socket.
    Event,
    /// It has gone.
    Close,
}

impl Client {
    /// Starts with the greeting as the first thing to send.
    pub(super) fn new(stream: Stream, is_master: bool) -> Self {
        let output = GREETING.as_bytes().to_vec();
        Self { stream, is_master, input: Vec::new(), output, readable: true, ended: false }
    }

    /// Notes that the event loop saw input.
    pub(super) fn set_readable(&mut self) {
        self.readable = true;
    }

    /// Sends and receives without blocking, up to the next whole line.
    pub(super) fn next(&mut self) -> Next {
        loop {
            match self.send() {
                Ok(()) if self.output.len() < MOST_UNSENT => {}
                Ok(()) => return Next::Event,
                Err(_) => return Next::Close,
            }
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.input.drain(..=end).collect();
                line.pop();
                return Next::Line(line);
            }
            if self.input.len() > MOST_LINE {
                self.input.clear();
                self.ended = true;
                self.readable = false;
                return Next::TooLong;
            }
            if self.ended {
                return if self.output.is_empty() { Next::Close } else { Next::Event };
            }
            if !self.readable {
                return Next::Event;
            }
            if self.receive().is_err() {
                return Next::Close;
            }
        }
    }

    /// Appends a reply to those that are not sent yet.
    pub(super) fn answer(&mut self, reply: &Reply) {
        self.output.extend_from_slice(reply.to_string().as_bytes());
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
