//! Which waiting client is next: fair queueing.
//!
//! Each client has a mark that moves on by the bytes it gets, and the client with the lowest mark is next. So all clients that wait
//! get the same number of bytes over time, whether they ask for 255 at once or for one at a time. Each turn is a whole request, so that
//! an answer leaves in one piece: the next client waits until there are bytes for all of it, and no later one overtakes it. A client that has not asked for a
//! while gets a little credit for that, and a new client gets none: coming again and again gains nothing. Source: start-time fair
//! queueing (Goyal, Vin and Cheng, 1996).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Request;

/// How far behind the others' marks a client may start, in bytes.
const CREDIT: u64 = 2048;
/// How far ahead of them a new client starts, in bytes: as if it had had a request answered, so that it gains nothing by leaving after
/// each.
const ENTRANCE: u64 = Request::MOST_BYTES as u64;
/// Entries of clients that have gone that the queue always keeps.
const MOST_STALE: usize = 64;

/// The clients that wait. `T` names one; it must differ from the name of every client that has gone.
#[derive(Debug)]
pub struct FairQueue<T> {
    /// Mark, order of arrival, client.
    waiting: BinaryHeap<Reverse<(u64, u64, T)>>,
    /// The highest mark that was served.
    now: u64,
    arrivals: u64,
    /// Entries whose client has gone.
    stale: usize,
}

/// How much a client has had. Its owner keeps it with the client. A lower mark is served first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl<T: Copy + Ord> FairQueue<T> {
    /// Makes an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self { waiting: BinaryHeap::new(), now: 0, arrivals: 0, stale: 0 }
    }

    /// Returns the mark of a client that has just come.
    #[must_use]
    pub fn entrance(&self) -> Mark {
        Mark(self.now + ENTRANCE)
    }

    /// Has `client` wait for its turn, behind every client whose mark is not higher. Raises its mark if that is so far behind the
    /// others' that it would be next for long.
    pub fn push(&mut self, client: T, mark: &mut Mark) {
        mark.0 = mark.0.max(self.now.saturating_sub(CREDIT));
        self.arrivals += 1;
        self.waiting.push(Reverse((mark.0, self.arrivals, client)));
    }

    /// Returns the client at the front, which may have gone.
    #[must_use]
    pub fn peek(&self) -> Option<T> {
        self.waiting.peek().map(|Reverse((_, _, client))| *client)
    }

    /// Returns the client whose turn it is. Discards those before it that have gone, which `is_live` says.
    pub fn next(&mut self, is_live: impl Fn(T) -> bool) -> Option<T> {
        while let Some(client) = self.peek() {
            if is_live(client) {
                return Some(client);
            }
            self.take_out();
            self.stale = self.stale.saturating_sub(1);
        }
        None
    }

    /// Takes out the client whose turn it is. Discards those before it that have gone, which `is_live` says.
    pub fn pop(&mut self, is_live: impl Fn(T) -> bool) -> Option<T> {
        self.next(is_live)?;
        self.take_out()
    }

    fn take_out(&mut self) -> Option<T> {
        let Reverse((mark, _, client)) = self.waiting.pop()?;
        self.now = self.now.max(mark);
        Some(client)
    }

    /// Notes that a client that waits has gone; `is_live` says which have not. Its entry stays until its turn, unless there are too
    /// many such entries.
    pub fn abandon(&mut self, is_live: impl Fn(T) -> bool) {
        self.stale += 1;
        if self.stale > self.waiting.len() / 2 + MOST_STALE {
            self.waiting.retain(|Reverse((_, _, client))| is_live(*client));
            self.stale = 0;
        }
    }

    /// The clients that wait, in no order; some of them may have gone.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.waiting.iter().map(|Reverse((_, _, client))| *client)
    }

    /// Whether no client waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many clients wait, with those that have gone and whose entry is still there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl<T: Copy + Ord> Default for FairQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Mark {
    /// Notes that the client got `bytes`.
    pub fn move_on(&mut self, bytes: u64) {
        self.0 += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives `bytes` in all to clients that always wait, `requests[client]` a turn, and returns what each client got.
    fn shared_out(queue: &mut FairQueue<usize>, marks: &mut [Mark], requests: &[u64], bytes: u64) -> Vec<u64> {
        let mut got = vec![0; marks.len()];
        for (client, mark) in marks.iter_mut().enumerate() {
            queue.push(client, mark);
        }
        while got.iter().sum::<u64>() < bytes {
            let client = queue.pop(|_| true).unwrap();
            got[client] += requests[client];
            marks[client].move_on(requests[client]);
            queue.push(client, &mut marks[client]);
        }
        got
    }

    #[test]
    fn small_requests_get_as_much_as_large_ones() {
        let mut queue = FairQueue::new();
        let mut marks = [queue.entrance(); 4];
        let got = shared_out(&mut queue, &mut marks, &[255, 1, 16, 64], 100_000);
        assert!(got.iter().all(|bytes| bytes.abs_diff(25_000) <= 255), "{got:?}, expected 25000 each");
    }

    #[test]
    fn an_idle_client_gets_little_credit_a_new_one_none() {
        let mut queue = FairQueue::new();
        let mut marks = [queue.entrance(); 2];
        shared_out(&mut queue, &mut marks, &[255, 64], 1_000_000);
        let (mut idle, mut new) = (Mark(0), queue.entrance());
        for mark in [&mut idle, &mut new] {
            queue.push(9, mark);
        }
        assert_eq!(idle, Mark(queue.now - CREDIT));
        assert_eq!(new, Mark(queue.now + ENTRANCE));
    }

    #[test]
    fn clients_that_have_gone_do_not_pile_up() {
        let mut queue = FairQueue::new();
        let stays = 0;
        queue.push(stays, &mut queue.entrance());
        for client in 1..100_000 {
            queue.push(client, &mut queue.entrance());
            queue.abandon(|client| client == stays);
            assert!(queue.len() <= 2 * MOST_STALE + 2, "{} entries for one client", queue.len());
        }
        assert_eq!(queue.pop(|client| client == stays), Some(stays), "the client that stayed is still in the queue");
        assert_eq!((queue.pop(|client| client == stays), queue.len(), queue.stale), (None, 0, 0));
    }

    #[test]
    fn a_client_that_has_gone_is_never_next() {
        let mut queue = FairQueue::new();
        for client in 0..3 {
            queue.push(client, &mut queue.entrance());
        }
        assert_eq!(queue.peek(), Some(0));
        assert_eq!((queue.next(|client| client > 1), queue.peek(), queue.len()), (Some(2), Some(2), 1));
    }

    #[test]
    fn equals_are_served_in_the_order_they_came() {
        let mut queue = FairQueue::new();
        for client in 0..100 {
            queue.push(client, &mut queue.entrance());
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(|_| true)).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn shares_of_whole_requests_are_equal(
            requests in prop::collection::vec(prop::collection::vec(1..=255_u64, 1..5), 2..20), drip in 1..600_u64
        ) {
            let mut queue = FairQueue::new();
            let mut marks = vec![queue.entrance(); requests.len()];
            let mut turns: Vec<_> = requests.iter().map(|sizes| sizes.iter().cycle()).collect();
            let mut waiting: Vec<u64> = turns.iter_mut().map(|sizes| *sizes.next().unwrap()).collect();
            let mut got = vec![0; requests.len()];
            for (client, mark) in marks.iter_mut().enumerate() {
                queue.push(client, mark);
            }
            let (mut stock, each) = (0, 5_000);
            while got.iter().sum::<u64>() < each * requests.len() as u64 {
                stock += drip;
                while let Some(client) = queue.peek() && waiting[client] <= stock {
                    prop_assert_eq!(queue.pop(|_| true), Some(client));
                    stock -= waiting[client];
                    got[client] += waiting[client];
                    marks[client].move_on(waiting[client]);
                    queue.push(client, &mut marks[client]);
                    waiting[client] = *turns[client].next().unwrap();
                }
                let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
                prop_assert!(most - least <= 2 * 255, "{:?} bytes: a client starves", got);
            }
            prop_assert!(got.iter().all(|got| got.abs_diff(each) * 10 <= each), "{:?}, expected {} each", got, each);
        }

        #[test]
        fn a_client_gains_nothing_by_leaving(sizes in prop::collection::vec(1..=255_u64, 2..8)) {
            let mut queue = FairQueue::new();
            let mut marks = vec![queue.entrance(); sizes.len()];
            let mut got = vec![0; sizes.len()];
            for (client, mark) in marks.iter_mut().enumerate() {
                queue.push(client, mark);
            }
            while got.iter().sum::<u64>() < 20_000 * sizes.len() as u64 {
                let client = queue.pop(|_| true).unwrap();
                got[client] += sizes[client];
                marks[client].move_on(sizes[client]);
                if client == 0 {
                    // It connects anew for each request.
                    marks[client] = queue.entrance();
                }
                queue.push(client, &mut marks[client]);
            }
            let others = got[1..].iter().min().unwrap();
            prop_assert!(got[0] * 10 <= others * 11, "{:?}", got);
        }

        #[test]
        fn the_client_that_had_least_is_next(
            turns in prop::collection::vec((0..8_usize, any::<bool>(), 0..256_u64), 0..200)
        ) {
            let mut queue = FairQueue::new();
            let mut marks = [Mark::default(); 8];
            let mut waits = [false; 8];
            for (client, comes, bytes) in turns {
                if comes && !waits[client] {
                    queue.push(client, &mut marks[client]);
                    waits[client] = true;
                } else if let Some(next) = queue.pop(|_| true) {
                    let least = (0..8).filter(|client| waits[*client]).map(|client| marks[client].0).min();
                    prop_assert_eq!(Some(marks[next].0), least);
                    waits[next] = false;
                    marks[next].move_on(bytes);
                }
            }
            prop_assert_eq!(queue.len(), waits.iter().filter(|waits| **waits).count());
        }
    }
}
