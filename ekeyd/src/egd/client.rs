//! One client of the EGD server: its requests in order, its answers behind each other.

use std::io::{self, Read as _, Write as _};

use zeroize::Zeroize as _;

use super::request::{Parsed, Request, parse};
use crate::pool::Pool;
use crate::socket::Stream;

const INPUT_LEN: usize = 64;
/// Requests and reads in one turn.
const TURN: usize = 32;
/// Answers are sent once so many bytes are gathered, and no request is taken while more are unsent.
const OUTPUT_LEN: usize = 1024;

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// Which listener it came through.
    pub(super) listener: usize,
    /// Whether it stands in the queue of those that wait for entropy.
    pub(super) queued: bool,
    /// Whether it is to go on when the others have had their turn.
    pub(super) unfinished: bool,
    /// Bytes that its `0x02` request still waits for.
    wanted: u8,
    /// Bytes of a `0x03` request that are still to be passed over.
    offered: u8,
    readable: bool,
    ended: bool,
    vanished: bool,
    input: [u8; INPUT_LEN],
    input_len: u8,
    output: Vec<u8>,
}

/// What a client needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Input, or room to send: the event loop will say when.
    Event,
    /// Entropy.
    Entropy,
    /// Another turn: it has asked for much, and others are to be served in between.
    Turn,
    /// Nothing more: it has gone, or broken the protocol.
    Close,
}

/// What serving a client added to the books.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Served {
    /// Requests answered in full.
    pub(super) requests: u64,
    /// Bytes of entropy given.
    pub(super) bytes: u64,
}

impl Client {
    pub(super) fn new(stream: Stream, listener: usize) -> Self {
        Self {
            stream,
            listener,
            queued: false,
            unfinished: false,
            wanted: 0,
            offered: 0,
            readable: true,
            ended: false,
            vanished: false,
            input: [0; INPUT_LEN],
            input_len: 0,
            output: Vec::new(),
        }
    }

    /// The event loop says that input may have come.
    pub(super) fn set_readable(&mut self) {
        self.readable = true;
    }

    /// The event loop says that nothing can reach the client any more.
    pub(super) fn set_vanished(&mut self) {
        self.vanished = true;
    }

    /// Goes on with the client for as long as it does not have to wait for anything.
    pub(super) fn proceed(&mut self, pool: &mut Pool, served: &mut Served) -> Need {
        if self.vanished {
            return Need::Close;
        }
        for _ in 0..TURN {
            if !self.output.is_empty() && (self.output.len() >= OUTPUT_LEN || !self.has_request()) {
                match self.send() {
                    Ok(true) => {}
                    Ok(false) => return Need::Event,
                    Err(_) => return Need::Close,
                }
            }
            if self.wanted > 0 {
                return Need::Entropy;
            }
            match parse(&self.input[..usize::from(self.input_len)]) {
                _ if self.offered > 0 && self.input_len > 0 => self.pass_over_offer(),
                Parsed::Request(request, len) => {
                    self.consume(len);
                    self.answer(request, pool, served);
                }
                Parsed::Unknown(_) => return Need::Close,
                Parsed::Incomplete if self.ended => return Need::Close,
                Parsed::Incomplete if !self.readable => return Need::Event,
                Parsed::Incomplete => {
                    if self.receive().is_err() {
                        return Need::Close;
                    }
                }
            }
        }
        Need::Turn
    }

    /// Gives the client up to `most` bytes of what it waits for.
    pub(super) fn give(&mut self, most: usize, pool: &mut Pool, served: &mut Served) {
        let given = pool.take_freshest(most.min(usize::from(self.wanted)), &mut self.output);
        self.wanted -= given as u8;
        served.bytes += given as u64;
        served.requests += u64::from(self.wanted == 0 && given > 0);
    }

    /// How many bytes it waits for.
    pub(super) fn wanted(&self) -> usize {
        usize::from(self.wanted)
    }

    /// Whether it could go on without being sent anything first.
    fn has_request(&self) -> bool {
        self.wanted == 0
            && self.offered == 0
            && matches!(parse(&self.input[..usize::from(self.input_len)]), Parsed::Request(..))
    }

    fn answer(&mut self, request: Request, pool: &mut Pool, served: &mut Served) {
        match request {
            Request::Available => {
                let bits = u32::try_from(pool.len() * 8).unwrap_or(u32::MAX);
                self.output.extend_from_slice(&bits.to_be_bytes());
            }
            Request::Take(count) => {
                let given = usize::from(count).min(pool.len());
                self.output.push(given as u8);
                pool.take_freshest(given, &mut self.output);
                served.bytes += given as u64;
            }
            Request::Wait(count) => {
                self.wanted = count;
                served.requests += u64::from(count == 0);
                return;
            }
            Request::Offer(count) => self.offered = count,
            Request::Pid => {
                let pid = std::process::id().to_string();
                self.output.push(pid.len() as u8);
                self.output.extend_from_slice(pid.as_bytes());
            }
        }
        served.requests += 1;
    }

    fn pass_over_offer(&mut self) {
        let passed = self.offered.min(self.input_len);
        self.offered -= passed;
        self.consume(usize::from(passed));
    }

    fn consume(&mut self, len: usize) {
        self.input.copy_within(len..usize::from(self.input_len), 0);
        self.input_len -= len as u8;
    }

    fn receive(&mut self) -> io::Result<()> {
        let free = &mut self.input[usize::from(self.input_len)..];
        match self.stream.read(free) {
            Ok(0) => self.ended = true,
            Ok(count) => self.input_len += count as u8,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends what is gathered. Returns whether all of it went.
    fn send(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.output[..count].zeroize();
                    self.output.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.output.zeroize();
    }
}
