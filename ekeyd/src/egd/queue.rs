//! Who is next: fair queueing over the clients that wait for entropy.
//!
//! Each client has a mark that moves on by the bytes it gets, and the one whose mark is lowest is next. So the clients that
//! wait get the same number of bytes over time, whether they ask for 255 at once or for one at a time. A client that has
//! not asked for a while gets no more than a little credit for it, and one that has just come none at all: there is
//! nothing to gain by coming again and again. Source: start-time fair queueing (Goyal, Vin and Cheng, 1996).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How far behind the others' marks one may start, in bytes.
const CREDIT: u64 = 2048;
/// How far ahead of them a new client starts, in bytes: a turn.
const ENTRANCE: u64 = super::server::TURN as u64;

/// Entries of clients that have gone that are always left.
const MOST_STALE: usize = 64;

/// The clients that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Mark, order of arrival, client.
    waiting: BinaryHeap<Reverse<(u64, u64, Ticket)>>,
    /// The highest mark that was served.
    now: u64,
    arrivals: u64,
    /// Entries whose client has gone.
    stale: usize,
}

/// Whom an entry of the queue is about. An entry whose client has gone is passed over when its turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    /// The client's place.
    pub(super) place: usize,
    /// Tells it from the one who had the place before.
    pub(super) number: u64,
}

/// How much a client has had; it belongs to the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Queue {
    /// The mark of a client that has just come.
    pub(super) fn entrance(&self) -> Mark {
        Mark(self.now + ENTRANCE)
    }

    /// Has a client wait for its turn.
    pub(super) fn push(&mut self, ticket: Ticket, mark: &mut Mark) {
        mark.0 = mark.0.max(self.now.saturating_sub(CREDIT));
        self.arrivals += 1;
        self.waiting.push(Reverse((mark.0, self.arrivals, ticket)));
    }

    /// Those who wait, in no order; some of them may have gone.
    pub(super) fn iter(&self) -> impl Iterator<Item = Ticket> {
        self.waiting.iter().map(|Reverse((_, _, ticket))| *ticket)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A client that waits has gone; `is_live` tells who has not. Its entry is left until its turn, unless there are too many
    /// such.
    pub(super) fn abandon(&mut self, is_live: impl Fn(Ticket) -> bool) {
        self.stale += 1;
        if self.stale > self.waiting.len() / 2 + MOST_STALE {
            self.waiting.retain(|Reverse((_, _, ticket))| is_live(*ticket));
            self.stale = 0;
        }
    }

    /// The entry that was last taken out was of a client that has gone.
    pub(super) fn passed_over(&mut self) {
        self.stale = self.stale.saturating_sub(1);
    }

    /// The client whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Ticket> {
        let Reverse((mark, _, ticket)) = self.waiting.pop()?;
        self.now = self.now.max(mark);
        Some(ticket)
    }
}

impl Mark {
    /// The client has been given so many bytes.
    pub(super) fn move_on(&mut self, bytes: usize) {
        self.0 += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `bytes` in all, `at_most[client]` a turn, and returns what each client got.
    fn shared_out(queue: &mut Queue, marks: &mut [Mark], at_most: &[usize], bytes: usize) -> Vec<usize> {
        let mut got = vec![0; marks.len()];
        for (place, mark) in marks.iter_mut().enumerate() {
            queue.push(Ticket { place, number: 0 }, mark);
        }
        while got.iter().sum::<usize>() < bytes {
            let ticket = queue.pop().unwrap();
            let place = ticket.place;
            got[place] += at_most[place];
            marks[place].move_on(at_most[place]);
            queue.push(ticket, &mut marks[place]);
        }
        got
    }

    #[test]
    fn those_who_ask_for_little_at_a_time_get_as_much_as_those_who_ask_for_much() {
        let mut queue = Queue::default();
        let mut marks = [queue.entrance(); 4];
        let got = shared_out(&mut queue, &mut marks, &[64, 1, 16, 64], 100_000);
        assert!(got.iter().all(|bytes| bytes.abs_diff(25_000) <= 64), "{got:?}, due are 25000 each");
    }

    #[test]
    fn who_was_away_gets_little_credit_and_who_comes_anew_none() {
        let mut queue = Queue::default();
        let mut marks = [queue.entrance(); 2];
        shared_out(&mut queue, &mut marks, &[64, 64], 1_000_000);
        let (mut away, mut new) = (Mark(0), queue.entrance());
        for mark in [&mut away, &mut new] {
            queue.push(Ticket { place: 9, number: 0 }, mark);
        }
        assert_eq!(away, Mark(queue.now - CREDIT));
        assert_eq!(new, Mark(queue.now + ENTRANCE));
    }

    #[test]
    fn those_who_have_gone_do_not_pile_up() {
        let mut queue = Queue::default();
        let stays = Ticket { place: 1, number: 0 };
        queue.push(stays, &mut queue.entrance());
        for number in 1..100_000 {
            queue.push(Ticket { place: 0, number }, &mut queue.entrance());
            queue.abandon(|ticket| ticket == stays);
            assert!(queue.waiting.len() <= 2 * MOST_STALE + 2, "{} entries for one client", queue.waiting.len());
        }
        assert!(std::iter::from_fn(|| queue.pop()).any(|ticket| ticket == stays), "who stayed is still in the queue");
    }

    #[test]
    fn equals_are_served_in_the_order_they_came() {
        let mut queue = Queue::default();
        for place in 0..100 {
            queue.push(Ticket { place, number: 0 }, &mut queue.entrance());
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|ticket| ticket.place).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
