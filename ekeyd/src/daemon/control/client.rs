//! One client of the control socket: lines in, answers out.

use std::io::{self, Read as _, Write as _};

use ekey_control::{GREETING, Reply};

use crate::socket::Stream;

/// A longer line is no command.
const MOST_LINE: usize = 4096;
/// Whoever does not read its answers is not asked for more.
const MOST_UNSENT: usize = 256 * 1024;

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// Whether it may change anything.
    pub(super) is_master: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    readable: bool,
    ended: bool,
}

/// What comes next from a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole line, without its end.
    Line(Vec<u8>),
    /// A line longer than any command; the client cannot be understood any more once it has been told so.
    TooLong,
    /// Nothing now: the event loop will say when.
    Event,
    /// Nothing more.
    Close,
}

impl Client {
    /// A client, to be greeted.
    pub(super) fn new(stream: Stream, is_master: bool) -> Self {
        let output = GREETING.as_bytes().to_vec();
        Self { stream, is_master, input: Vec::new(), output, readable: true, ended: false }
    }

    /// The event loop says that input may have come.
    pub(super) fn set_readable(&mut self) {
        self.readable = true;
    }

    /// The next line, sending and receiving as far as that needs no waiting.
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

    /// Puts an answer behind those that are still to be sent.
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
