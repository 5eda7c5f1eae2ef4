//! Those who wait, in the order of the daemon: who has had least is next (ekeyd, `egd/queue.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bytes of a turn.
pub(super) const TURN: u64 = 64;
/// How far behind the others one may start, in bytes.
const CREDIT: u64 = 2048;

/// The line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Mark, order of arrival, client.
    waiting: BinaryHeap<Reverse<(u64, u64, usize)>>,
    now: u64,
    arrivals: u64,
}

impl Line {
    /// The mark of whoever has just come.
    pub(super) fn entrance(&self) -> u64 {
        self.now + TURN
    }

    /// A client with this mark waits from now on.
    pub(super) fn push(&mut self, client: usize, mark: &mut u64) {
        *mark = (*mark).max(self.now.saturating_sub(CREDIT));
        self.arrivals += 1;
        self.waiting.push(Reverse((*mark, self.arrivals, client)));
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let Reverse((mark, _, client)) = self.waiting.pop()?;
        self.now = self.now.max(mark);
        Some(client)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
