//! One client of the EGD server: its requests in order, its answers behind each other.

use std::io::{self, Read as _, Write as _};

use zeroize::Zeroize as _;

use super::guard::Peer;
use super::offer::Offers;
use super::queue::Mark;
use super::request::{Parsed, Request, parse};
use crate::pool::Pool;
use crate::socket::Stream;

const INPUT_LEN: usize = 64;
/// Requests and reads in one turn.
const TURN: usize = 32;
/// Answers are sent once so many bytes are gathered, and no request is taken while more are unsent.
const OUTPUT_LEN: usize = 1024;

/// A connected client. There may be ten thousand, so it is kept small.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// Which listener it came through.
    pub(super) listener: u32,
    /// Tells it from those who had its place before.
    pub(super) number: u64,
    /// What it has had, as the queue counts it.
    pub(super) mark: Mark,
    /// Whether it stands in the queue of those that wait for entropy, or for their peer's rate.
    pub(super) waits: Waits,
    /// Whom it belongs to, if that matters.
    pub(super) peer: Option<Peer>,
    /// When it last said or took anything, in seconds since the server's start.
    pub(super) touched: u32,
    /// Whether the event loop watches for room to send.
    pub(super) watched_for_room: bool,
    /// Whether it is to go on when the others have had their turn.
    pub(super) unfinished: bool,
    /// Bytes that its `0x02` request still waits for.
    wanted: u8,
    /// Bytes of a `0x03` request that are still to be passed over.
    offered: u8,
    readable: bool,
    /// Whether it has not been a client yet, only somebody in the handshake.
    pub(super) half_open: bool,
    /// No more than this will come; what has come is still answered.
    closing: bool,
    ended: bool,
    vanished: bool,
    input_len: u8,
    input: [u8; INPUT_LEN],
    /// What the socket had no room for.
    unsent: Vec<u8>,
}

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nothing that the server has.
    No,
    /// Its turn.
    Turn,
    /// Its peer's rate.
    Rate,
}

/// What a client needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Input: the event loop will say when.
    Input,
    /// Room to send: the event loop will say when, if it is asked to.
    Room,
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
    /// Bytes of answers that are no entropy.
    pub(super) others: u64,
    /// Bytes of both that were sent.
    pub(super) sent: u64,
    /// Bytes of both that were wiped since the client had gone.
    pub(super) dropped: u64,
}

/// What serving a client takes: the source, the books, and a place for answers until they are sent. One serves all clients.
pub(super) struct Means<'a> {
    pub(super) pool: &'a mut Pool,
    pub(super) served: &'a mut Served,
    /// Bytes that the client may be given now.
    pub(super) allowance: usize,
    pub(super) offers: &'a mut Offers,
    /// Empty before and after.
    pub(super) output: &'a mut Vec<u8>,
}

impl Client {
    pub(super) fn new(stream: Stream, listener: u32, number: u64, mark: Mark, peer: Option<Peer>) -> Self {
        Self {
            listener,
            number,
            mark,
            waits: Waits::No,
            peer,
            touched: 0,
            watched_for_room: false,
            unfinished: false,
            wanted: 0,
            offered: 0,
            half_open: stream.is_handshaking(),
            readable: true,
            closing: false,
            ended: false,
            vanished: false,
            input_len: 0,
            input: [0; INPUT_LEN],
            unsent: Vec::new(),
            stream,
        }
    }

    /// The event loop says that input may have come; and, if it is `closing`, that nothing comes after it.
    pub(super) fn set_readable(&mut self, closing: bool) {
        self.readable = true;
        self.closing |= closing;
    }

    /// The event loop says that nothing can reach the client any more.
    pub(super) fn set_vanished(&mut self) {
        self.vanished = true;
    }

    /// Whether it waits for nothing that the server could give, so that it may be said to idle.
    pub(super) fn is_idle(&self) -> bool {
        self.waits == Waits::No
    }

    /// Bytes of answers that it has not been sent yet.
    pub(super) fn unsent(&self) -> u64 {
        self.unsent.len() as u64
    }

    /// Bytes that it waits for.
    pub(super) fn wanted(&self) -> usize {
        usize::from(self.wanted)
    }

    /// Gives the client up to `most` bytes of what it waits for, then goes on as [`proceed`](Self::proceed) does.
    pub(super) fn give(&mut self, most: usize, mut means: Means<'_>) -> Need {
        if self.vanished {
            return Need::Close;
        }
        let given = means.pool.take_freshest(most.min(usize::from(self.wanted)).min(means.allowance), means.output);
        means.allowance -= given;
        self.wanted -= given as u8;
        self.mark.move_on(given);
        means.served.bytes += given as u64;
        means.served.requests += u64::from(self.wanted == 0 && given > 0);
        self.go_on(&mut means)
    }

    /// Goes on with the client for as long as it does not have to wait for anything.
    pub(super) fn proceed(&mut self, mut means: Means<'_>) -> Need {
        if self.vanished {
            return Need::Close;
        }
        self.go_on(&mut means)
    }

    fn go_on(&mut self, means: &mut Means<'_>) -> Need {
        let need = match self.send_unsent(means.served) {
            Ok(true) => self.exchange(means),
            Ok(false) => Need::Room,
            Err(_) => Need::Close,
        };
        // What could not be sent now is the client's to keep.
        self.unsent.extend_from_slice(means.output);
        means.output.zeroize();
        if need == Need::Close {
            means.served.dropped += self.unsent.len() as u64;
            self.unsent.zeroize();
        }
        need
    }

    fn exchange(&mut self, means: &mut Means<'_>) -> Need {
        for _ in 0..TURN {
            if !means.output.is_empty() && (means.output.len() >= OUTPUT_LEN || !self.has_request()) {
                match send(&mut self.stream, means.output, means.served) {
                    Ok(true) => {}
                    Ok(false) => return Need::Room,
                    Err(_) => return Need::Close,
                }
            }
            if self.wanted > 0 {
                return Need::Entropy;
            }
            match parse(&self.input[..usize::from(self.input_len)]) {
                _ if self.offered > 0 && self.input_len > 0 => self.pass_over_offer(means.offers),
                Parsed::Request(request, len) => {
                    self.consume(len);
                    self.answer(request, means);
                }
                Parsed::Unknown(_) => return Need::Close,
                Parsed::Incomplete if self.ended => return Need::Close,
                Parsed::Incomplete if !self.readable => return Need::Input,
                Parsed::Incomplete => {
                    if self.receive().is_err() {
                        return Need::Close;
                    }
                }
            }
        }
        Need::Turn
    }

    /// Whether it could go on without being sent anything first.
    fn has_request(&self) -> bool {
        self.wanted == 0
            && self.offered == 0
            && matches!(parse(&self.input[..usize::from(self.input_len)]), Parsed::Request(..))
    }

    fn answer(&mut self, request: Request, means: &mut Means<'_>) {
        let Means { pool, served, allowance, output, .. } = means;
        match request {
            Request::Available => {
                let bits = u32::try_from(pool.entropy_bits()).unwrap_or(u32::MAX);
                output.extend_from_slice(&bits.to_be_bytes());
                served.others += 4;
            }
            Request::Take(count) => {
                let given = usize::from(count).min(pool.len()).min(*allowance);
                *allowance -= given;
                output.push(given as u8);
                served.others += 1;
                pool.take_freshest(given, output);
                self.mark.move_on(given);
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
                output.push(pid.len() as u8);
                output.extend_from_slice(pid.as_bytes());
                served.others += 1 + pid.len() as u64;
            }
        }
        served.requests += 1;
    }

    fn pass_over_offer(&mut self, offers: &mut Offers) {
        let passed = self.offered.min(self.input_len);
        offers.take(&self.input[..usize::from(passed)]);
        self.offered -= passed;
        self.consume(usize::from(passed));
    }

    fn consume(&mut self, len: usize) {
        self.input.copy_within(len..usize::from(self.input_len), 0);
        self.input_len -= len as u8;
    }

    fn receive(&mut self) -> io::Result<()> {
        let free = &mut self.input[usize::from(self.input_len)..];
        let room = free.len();
        match self.stream.read(free) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.input_len += count as u8;
                // A short read has emptied the socket (epoll(7)), and its end, if that came too, was told before.
                self.readable = count == room || self.closing || self.stream.reads_in_pieces();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends what was left over. Returns whether all of it went.
    fn send_unsent(&mut self, served: &mut Served) -> io::Result<bool> {
        if self.unsent.is_empty() {
            return flush(&mut self.stream);
        }
        let all = send(&mut self.stream, &mut self.unsent, served)?;
        if all {
            self.unsent = Vec::new();
        }
        Ok(all)
    }
}

/// Sends what is gathered and wipes what went. Returns whether all of it did.
fn send(stream: &mut Stream, output: &mut Vec<u8>, served: &mut Served) -> io::Result<bool> {
    let mut sent = 0;
    let outcome = loop {
        if sent == output.len() {
            break flush(stream);
        }
        match stream.write(&output[sent..]) {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    served.sent += sent as u64;
    output[..sent].zeroize();
    output.drain(..sent);
    outcome
}

/// Sends what the stream itself holds back. Returns whether all of it went.
fn flush(stream: &mut Stream) -> io::Result<bool> {
    match stream.flush() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.unsent.zeroize();
    }
}
