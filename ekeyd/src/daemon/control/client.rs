//! One client of the control socket: lines in, replies out.

use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use ekey_control::{GREETING, Reply};

use super::peer::Peer;
use crate::socket::Stream;

/// Limit of a line in bytes: no command is longer.
const MOST_LINE: usize = 4096;
/// Bytes that may wait in the kernel for a client that does not read.
const MOST_UNREAD: usize = 64 * 1024;

/// Buffers one connected client's lines and replies.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    /// When it last sent or took anything.
    pub(super) active: Instant,
    input: Vec<u8>,
    /// At most one reply: the next command is read once the last reply is sent.
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
    pub(super) fn new(mut stream: Stream, peer: Peer) -> Self {
        stream.settle(MOST_UNREAD);
        let output = GREETING.as_bytes().to_vec();
        Self { stream, peer, active: Instant::now(), input: Vec::new(), output, readable: true, ended: false }
    }

    /// Returns whether it has sent part of a command, or has not been sent all of a reply.
    pub(super) fn is_busy(&self) -> bool {
        !self.input.is_empty() || !self.output.is_empty()
    }

    /// Notes that the event loop saw input.
    pub(super) fn set_readable(&mut self) {
        self.readable = true;
    }

    /// Sends and receives without blocking, up to the next whole line.
    pub(super) fn next(&mut self) -> Next {
        loop {
            match self.send() {
                Ok(()) if self.output.is_empty() => {}
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
                return Next::Close;
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
            Ok(count) => {
                self.active = Instant::now();
                self.input.extend_from_slice(&buffer[..count]);
            }
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
                Ok(count) => {
                    self.active = Instant::now();
                    self.output.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // An idle client keeps no memory.
        self.output = Vec::new();
        Ok(())
    }

    /// Takes all output as sent, for tests.
    #[cfg(test)]
    pub(super) fn set_sent(&mut self) {
        self.output.clear();
    }
}

#[cfg(test)]
mod tests {
    use mio::net::UnixStream;

    use super::*;

    #[test]
    fn a_client_that_reads_no_reply_is_not_read() {
        let (stream, mut other) = UnixStream::pair().unwrap();
        let mut client = Client::new(Stream::Unix(stream), Peer::Port);
        other.write_all(b"Status\nHistory\n").unwrap();
        assert_eq!(client.next(), Next::Line(b"Status".to_vec()));
        client.answer(&Reply::lines(["x".repeat(1 << 20)]));
        assert!((0..10).all(|_| client.next() == Next::Event), "it holds a second reply");
        assert!(client.is_busy());
        let mut read = 0;
        while read < 1 << 20 {
            read += other.read(&mut [0; 4096]).unwrap_or_default();
            let next = client.next();
            if next == Next::Line(b"History".to_vec()) {
                assert!(!client.is_busy() && client.output.capacity() == 0, "an idle client keeps memory");
                return;
            }
            assert_eq!(next, Next::Event);
        }
        panic!("the second command was not read");
    }
}
