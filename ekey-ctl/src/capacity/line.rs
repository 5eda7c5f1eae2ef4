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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_little_at_a_turn_gets_as_much_in_the_end() {
        let mut line = Line::default();
        let (mut marks, mut got) = ([line.entrance(); 2], [0; 2]);
        (0..2).for_each(|client| line.push(client, &mut marks[client]));
        while got.iter().sum::<u64>() < 10_000 {
            let client = line.pop().expect("somebody waits");
            let turn = [8, TURN][client];
            got[client] += turn;
            marks[client] += turn;
            line.push(client, &mut marks[client]);
        }
        assert!(got[0].abs_diff(got[1]) <= TURN, "{got:?}");
    }

    #[test]
    fn whoever_has_not_asked_for_long_has_little_credit() {
        let mut line = Line::default();
        let (mut busy, mut idle) = (1_000_000, 0);
        line.push(0, &mut busy);
        assert_eq!(line.pop(), Some(0));
        line.push(1, &mut idle);
        assert_eq!((idle, line.len()), (1_000_000 - CREDIT, 1));
        assert_eq!(line.entrance(), 1_000_000 + TURN);
    }
}
