//! One direction of the wire. It keeps the order, but may lose, delay, damage or repeat what it carries.

use std::collections::VecDeque;
use std::time::Duration;

use crate::random::Random;

/// A frame or command on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Carried<T> {
    pub(crate) bytes: Vec<u8>,
    /// `true` if it arrives as sent.
    pub(crate) whole: bool,
    /// What the model knows about it.
    pub(crate) known: T,
}

/// One direction.
pub(crate) struct Wire<T> {
    under_way: VecDeque<(Duration, Carried<T>)>,
    /// Some of what was sent, to send again.
    echoes: Vec<Carried<T>>,
    /// How many of a hundred suffer a fault.
    pub(crate) trouble: u64,
}

impl<T: Clone> Wire<T> {
    pub(crate) fn new(trouble: u64) -> Self {
        Self { under_way: VecDeque::new(), echoes: Vec::new(), trouble }
    }

    pub(crate) fn send(&mut self, now: Duration, random: &mut Random, mut carried: Carried<T>) {
        let mut due = now;
        if random.percent(self.trouble) {
            match random.below(6) {
                0 | 1 => return,
                2 => self.push(now, carried.clone()),
                3 => due += Duration::from_millis(random.below(8000)),
                4 => {
                    let bit = random.below(8 * carried.bytes.len() as u64) as usize;
                    carried.bytes[bit / 8] ^= 1 << (bit % 8);
                    carried.whole = false;
                }
                _ => {
                    carried.bytes.truncate(random.below(carried.bytes.len() as u64) as usize);
                    carried.whole = false;
                }
            }
        }
        if carried.whole && self.echoes.len() < 16 && random.percent(10) {
            self.echoes.push(carried.clone());
        }
        self.push(due, carried);
    }

    /// Repeats something that was sent whole.
    pub(crate) fn echo(&mut self, now: Duration, random: &mut Random) {
        if !self.echoes.is_empty() {
            let which = random.below(self.echoes.len() as u64) as usize;
            let again = self.echoes.swap_remove(which);
            self.push(now, again);
        }
    }

    /// Loses everything on the way.
    pub(crate) fn cut(&mut self) {
        self.under_way.clear();
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.under_way.front().map(|(due, _)| *due)
    }

    pub(crate) fn take(&mut self, now: Duration) -> Option<Carried<T>> {
        self.next().filter(|due| *due <= now)?;
        self.under_way.pop_front().map(|(_, carried)| carried)
    }

    fn push(&mut self, due: Duration, carried: Carried<T>) {
        let due = self.under_way.back().map_or(due, |(last, _)| due.max(*last));
        self.under_way.push_back((due, carried));
    }
}
