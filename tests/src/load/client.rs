//! One client of a load.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use mio::net::UnixStream;

use super::habit::Habit;
use super::measured::Tally;

pub(super) struct Client {
    pub(super) stream: UnixStream,
    pub(super) habit: Habit,
    pub(super) tally: Tally,
    /// Whether the server has hung up.
    pub(super) is_lost: bool,
    /// When each request in flight was sent.
    sent: VecDeque<Instant>,
    /// Bytes of the oldest request that have arrived.
    come: u8,
    kept: Option<Vec<u8>>,
}

impl Client {
    pub(super) fn new(stream: UnixStream, habit: Habit) -> Self {
        Self { stream, habit, tally: Tally::default(), is_lost: false, sent: VecDeque::new(), come: 0, kept: None }
    }

    pub(super) fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }

    pub(super) fn given(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Begins a new measurement; answers to earlier requests still arrive, and their time counts from now.
    pub(super) fn start_over(&mut self) {
        self.tally = Tally::default();
        let now = Instant::now();
        self.sent.iter_mut().for_each(|sent| *sent = now);
    }

    /// Asks for as much as it may have in flight.
    pub(super) fn ask_ahead(&mut self) {
        while self.sent.len() < self.habit.ahead {
            if !self.ask() {
                return;
            }
        }
    }

    /// Returns whether all that it asked for has arrived, or nothing more can.
    pub(super) fn is_answered(&self) -> bool {
        self.sent.is_empty() || self.is_lost
    }

    /// Sends one request. Returns whether the socket had room for it; otherwise the client skips it.
    pub(super) fn ask(&mut self) -> bool {
        if self.is_lost {
            return false;
        }
        let now = Instant::now();
        // A socket with any room takes two bytes whole.
        match self.stream.write(&[0x02, self.habit.bytes]) {
            Ok(2) => {
                self.sent.push_back(now);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => {
                self.is_lost = true;
                false
            }
        }
    }

    /// Reads what has arrived, and asks again if that is its habit.
    pub(super) fn proceed(&mut self) {
        self.read();
        if self.habit.every.is_none() {
            self.ask_ahead();
        }
    }

    /// Reads what has arrived.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.is_lost = true;
                    return;
                }
                Ok(count) => {
                    self.take_in(&buffer[..count]);
                    // A short read has emptied the socket; later bytes are another event.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.is_lost = true;
                    return;
                }
            }
        }
    }

    fn take_in(&mut self, mut bytes: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        self.tally.bytes += bytes.len() as u64;
        let now = Instant::now();
        while !bytes.is_empty() {
            if self.sent.is_empty() {
                self.tally.unasked += bytes.len() as u64;
                return;
            }
            let taken = usize::from(self.habit.bytes - self.come).min(bytes.len());
            bytes = &bytes[taken..];
            self.come += u8::try_from(taken).expect("no more than a request asks for");
            if self.come == self.habit.bytes {
                self.come = 0;
                if let Some(sent) = self.sent.pop_front() {
                    self.tally.answered(now.duration_since(sent));
                }
            }
        }
    }
}
