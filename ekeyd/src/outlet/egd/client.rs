//! One client of the EGD server: moves bytes between its socket and its conversation.

use std::io::{self, Read as _, Write as _};

use ekey_egd::{Conversation, Mark, Served, Step, Supply};

use super::fresh::Freshener;
use super::guard::Peer;
use super::offer::Offers;
use super::store::Store;
use crate::socket::Stream;

/// Requests and reads in one turn.
const AT_ONCE: usize = 32;

/// A connected client. There may be ten thousand, so it is small.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    conversation: Conversation,
    /// Which listener it came through.
    pub(super) listener: u32,
    /// Distinguishes it from earlier clients at its place.
    pub(super) number: u64,
    /// What it has been given, as the queue counts it.
    pub(super) mark: Mark,
    pub(super) waits: Waits,
    pub(super) peer: Peer,
    /// When it last sent or took anything, in seconds since the server's start.
    pub(super) touched: u32,
    /// Whether the event loop watches for room to send.
    pub(super) watched_for_room: bool,
    /// Whether it continues after the others have had their turn.
    pub(super) unfinished: bool,
    /// Whether it is still in the TLS handshake.
    pub(super) half_open: bool,
    readable: bool,
    /// No input comes after what the socket holds; that is still answered.
    closing: bool,
    vanished: bool,
}

/// Names a client: its place, and a number that no other client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) place: usize,
    pub(super) number: u64,
}

/// Whether a client waits for entropy, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// It does not.
    No,
    /// In the queue, for its turn.
    Turn,
    /// With its peer, for the peer's rate.
    Rate,
    /// In the queue again, after it waited for its peer's rate.
    TurnAgain,
}

/// What a client needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Input: the event loop says when.
    Input,
    /// Room to send: the event loop says when, if asked to.
    Room,
    /// Entropy.
    Entropy,
    /// Another turn: it has asked for much, and others come first.
    Again,
    /// To be closed: it has left, or broken the protocol.
    Close,
}

/// What one client takes from: the store, within its peer's rate.
pub(super) struct ClientSupply<'a> {
    pub(super) store: &'a mut dyn Store,
    pub(super) offers: &'a mut Offers,
    /// What mixes fresh bytes into those that leave, if anything does.
    pub(super) fresh: Option<&'a mut Freshener>,
    /// Whether it is the client's turn to get the bytes that it waits for.
    pub(super) has_turn: bool,
    /// Bytes of the store that are for a client that waits for its turn.
    pub(super) reserved: usize,
    /// Bytes that the client's peer may be given now.
    pub(super) allowance: usize,
}

impl Supply for ClientSupply<'_> {
    fn bits(&self) -> u64 {
        self.store.entropy_bits().saturating_sub(8 * self.reserved as u64)
    }

    fn held(&self) -> usize {
        let reserved = if self.has_turn { 0 } else { self.reserved };
        self.store.held().saturating_sub(reserved).min(self.allowance)
    }

    fn take(&mut self, count: usize, out: &mut Vec<u8>) {
        let before = out.len();
        self.allowance -= self.store.take(count.min(self.held()), out);
        if let Some(fresh) = &mut self.fresh {
            fresh.mix(&mut out[before..]);
        }
    }

    fn offered(&mut self, bytes: &[u8]) {
        self.offers.take(bytes);
    }

    fn process(&self) -> u32 {
        std::process::id()
    }
}

impl Client {
    /// Makes a client of a new connection.
    pub(super) fn new(stream: Stream, listener: u32, number: u64, mark: Mark, peer: Peer) -> Self {
        Self {
            conversation: Conversation::new(),
            listener,
            number,
            mark,
            waits: Waits::No,
            peer,
            touched: 0,
            watched_for_room: false,
            unfinished: false,
            half_open: stream.is_handshaking(),
            readable: true,
            closing: false,
            vanished: false,
            stream,
        }
    }

    /// Notes that input may have come; and, if it is `closing`, that none comes after it.
    pub(super) fn set_readable(&mut self, closing: bool) {
        self.readable = true;
        self.closing |= closing;
    }

    /// Notes that nothing can reach the client any more.
    pub(super) fn set_vanished(&mut self) {
        self.vanished = true;
    }

    /// Returns whether it may count as idle: it does not wait for entropy.
    pub(super) fn is_idle(&self) -> bool {
        self.waits == Waits::No
    }

    /// Returns how many bytes of answers it has not been sent yet.
    pub(super) fn unsent(&self) -> u64 {
        self.conversation.unsent().len() as u64
    }

    /// Returns how many bytes its request waits for, which it gets together.
    pub(super) fn wanted(&self) -> usize {
        self.conversation.wanted()
    }

    /// Continues until it has to wait.
    pub(super) fn go_on(&mut self, supply: &mut ClientSupply<'_>, served: &mut Served) -> Need {
        if self.vanished {
            return Need::Close;
        }
        self.exchange(supply, served).unwrap_or(Need::Close)
    }

    /// Notes that the connection closes, and wipes its unsent bytes.
    pub(super) fn close(&mut self, served: &mut Served) {
        self.conversation.close(served);
    }

    fn exchange(&mut self, supply: &mut ClientSupply<'_>, served: &mut Served) -> io::Result<Need> {
        // What was left over goes first.
        if !self.send(served)? {
            return Ok(Need::Room);
        }
        if supply.has_turn {
            self.conversation.grant(supply, served);
            supply.has_turn = false;
        }
        let mut left = AT_ONCE;
        while left > 0 {
            match self.conversation.proceed(supply, served) {
                Step::Send if self.send(served)? => continue,
                Step::Send => return Ok(Need::Room),
                Step::Entropy => return Ok(Need::Entropy),
                Step::Close => return Ok(Need::Close),
                Step::Read if !self.readable => return Ok(Need::Input),
                Step::Read => self.read()?,
                Step::Answered => {}
            }
            left -= 1;
        }
        Ok(Need::Again)
    }

    fn read(&mut self) -> io::Result<()> {
        let room = self.conversation.room();
        match self.stream.read(room) {
            Ok(0) => self.conversation.finish(),
            Ok(count) => {
                // A short read has emptied the socket (epoll(7)), and the event loop has said before whether its end came too.
                self.readable = count == room.len() || self.closing || self.stream.reads_in_pieces();
                self.conversation.received(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends the answers, and what the stream still holds. Returns whether everything is sent.
    fn send(&mut self, served: &mut Served) -> io::Result<bool> {
        loop {
            let unsent = self.conversation.unsent();
            let sent = if unsent.is_empty() { self.stream.flush().map(|()| 0) } else { self.stream.write(unsent) };
            match sent {
                Ok(0) if unsent.is_empty() => return Ok(true),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.conversation.sent(count, served),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
