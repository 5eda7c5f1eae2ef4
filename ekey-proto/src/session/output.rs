//! What a session wants its caller to do, in order.

use super::instant::Instant;
use super::state::State;
use crate::wire::{Command, Info, Packet, Serial};

/// The next thing that a session wants.
#[derive(Debug)]
pub enum Output {
    /// Send this to the key.
    Write(Command),
    /// Call [`Session::handle_nonce`](super::Session::handle_nonce) with a fresh nonce and this key's long-term key,
    /// if the keyring has it.
    NeedNonce(Serial),
    /// Something happened.
    Event(Event),
    /// Nothing for now. Call [`Session::handle_timeout`](super::Session::handle_timeout) at this time unless
    /// input comes first.
    WaitUntil(Instant),
}

/// What happened in a session.
#[derive(Debug)]
pub enum Event {
    /// The session entered another state.
    State(State),
    /// The key reported its health.
    Info(Info),
    /// The key sent a packet that does not change the session: log it.
    Message(Packet),
}

/// The outputs of one step, oldest first. A frame or a timeout causes at most [`Outputs::CAPACITY`] of them.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    slots: [Option<Output>; Self::CAPACITY],
    taken: usize,
    filled: usize,
}

impl Outputs {
    pub(super) const CAPACITY: usize = 8;

    pub(super) const fn is_empty(&self) -> bool {
        self.taken == self.filled
    }

    pub(super) fn push(&mut self, output: Output) {
        debug_assert!(self.filled < Self::CAPACITY, "a step has at most eight outputs");
        if let Some(slot) = self.slots.get_mut(self.filled) {
            *slot = Some(output);
            self.filled += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let output = self.slots.get_mut(self.taken)?.take()?;
        self.taken += 1;
        if self.is_empty() {
            (self.taken, self.filled) = (0, 0);
        }
        Some(output)
    }
}
