//! Who gets what: entropy from the keys goes into the pool, and from there to the kernel first, then to the clients and the file.

use std::time::Instant;

use ekey_proto::EntropyBlock;

use super::{BATCHES_IN_FLIGHT, Daemon};
use crate::outlet::egd;
use crate::outlet::expand;
use crate::outlet::file::FileSink;
use crate::source::batch::{Batch, wipe};
use crate::source::key::health::Grade;
use crate::source::key::{Key, KeyBatch};
use crate::stock::pool::{MOST_BATCH, Pool};

/// Bytes that are kept for EGD clients before the file gets any, if the pool is that large.
const MOST_RESERVE: usize = 64 * 1024;
/// Bytes handed to the file at a time.
pub(super) const FILE_BATCH: usize = 4096;

impl Daemon {
    /// Moves batches into the pool. If there is a file that wants every byte, only as many as there is room for: the keys wait
    /// meanwhile. Else the oldest bytes make room.
    pub(super) fn take_in(&mut self) {
        for _ in 0..BATCHES_IN_FLIGHT {
            if !self.can_take() {
                return;
            }
            let Ok(KeyBatch { key, bytes, grade }) = self.incoming.try_recv() else { return };
            if let Grade::Unfit { suspect } = grade {
                self.put_aside(key, &bytes, suspect);
                continue;
            }
            self.file_due += bytes.len() * usize::from(100 - self.config.egd.share_percent) / 100;
            self.store(key, bytes);
            self.say_ready("the first entropy is verified");
        }
    }

    /// What no one may count on does the kernel no harm, and some good maybe. `suspect` bytes that came from the key before are
    /// wiped as far as they are still here, the first one's block with them. The pool does not know which key a byte is of: as many
    /// are wiped as may have come with them.
    fn put_aside(&mut self, key: u32, bytes: &Batch, suspect: u64) {
        let suspect = suspect.checked_next_multiple_of(EntropyBlock::LEN as u64).unwrap_or(u64::MAX);
        self.pool.wipe_freshest(suspect.saturating_mul(self.keys.len().max(1) as u64));
        if let Some(combiner) = &mut self.combiner {
            combiner.wipe_freshest(key, suspect);
        } else if let Some(expand) = self.expand.as_mut().filter(|_| suspect > 0) {
            expand.forget();
        }
        let mixed = self.kernel.as_mut().map_or(0, |kernel| kernel.stir_in(bytes));
        self.ledger.note_aside(mixed, bytes.len() as u64 - mixed);
    }

    /// Puts what a key has sent where it will be wanted: into the pool, or into the combiner after what the kernel and the file are
    /// due.
    fn store(&mut self, key: u32, mut bytes: Batch) {
        let Some(combiner) = &mut self.combiner else {
            self.seed_off(&mut bytes);
            return self.pool.put(bytes);
        };
        let kernel = self.kernel.as_mut().map_or(0, |kernel| kernel.wants(Instant::now()));
        let file = if self.file.is_some() { self.file_due } else { 0 };
        let due = (kernel + file).saturating_sub(self.pool.len()).next_multiple_of(EntropyBlock::LEN).min(bytes.len());
        let rest = Batch::new(bytes[due..].to_vec());
        wipe(&mut bytes[due..]);
        bytes.truncate(due);
        self.pool.put(bytes);
        if let Some(spare) = combiner.put(key, rest) {
            self.pool.put(spare);
        }
    }

    /// Seeds what expands entropy from the pool, or, as the pool has other bytes too where some are fetched, from what a key has
    /// just sent. What is combined of several keys is known to none of them, so that a seed had better be of that.
    fn seed(&mut self) {
        let Some(expand) = &mut self.expand else { return };
        match &mut self.combiner {
            Some(combiner) => expand.draw(combiner.output()),
            None if self.egd_client.is_none() => expand.draw(&mut self.pool),
            None => {}
        }
    }

    /// The part of [`seed`](Self::seed) for when entropy is fetched: the kernel comes first here as well.
    fn seed_off(&mut self, bytes: &mut Batch) {
        let Some(expand) = self.expand.as_mut().filter(|_| self.egd_client.is_some()) else { return };
        let kernel = self.kernel.as_mut().map_or(0, |kernel| kernel.wants(Instant::now()));
        if self.pool.len() >= kernel {
            expand.draw_off(bytes);
        }
    }

    /// Whether there is more to do for clients at once.
    pub(super) fn clients_are_pending(&self) -> bool {
        let egd_is_pending = match &self.combiner {
            None => self.egd.is_pending(&self.pool),
            Some(combiner) => self.egd.is_pending(combiner.shown()) || combiner.is_pending(),
        };
        egd_is_pending || self.expand.as_ref().is_some_and(expand::Outlet::is_pending)
    }

    pub(super) fn can_take(&self) -> bool {
        self.file.as_ref().is_none_or(FileSink::is_over) || self.pool.room() >= MOST_BATCH
    }

    pub(super) fn hand_out(&mut self) {
        self.feed_kernel();
        self.seed();
        if let Some(expand) = &mut self.expand {
            expand.serve(self.poll.registry());
        }
        // The file's share comes before the clients, and what the clients leave goes to the file as well.
        let share = (self.file_due - self.file_due % EntropyBlock::LEN).min(self.pool.len());
        self.file_due %= EntropyBlock::LEN;
        self.feed_file(self.pool.len() - share);
        if let Some(combiner) = &mut self.combiner {
            combiner.combine(self.keys.iter().filter(|key| key.is_delivering()).map(Key::number));
            self.egd.serve(self.poll.registry(), combiner.output());
            return self.feed_file(0);
        }
        self.egd.serve(self.poll.registry(), &mut self.pool);
        if !self.egd.is_pending(&self.pool) {
            self.feed_file(egd_reserve(&self.egd, &self.pool));
        }
    }

    fn feed_kernel(&mut self) {
        let Some(kernel) = &mut self.kernel else { return };
        let now = Instant::now();
        loop {
            let wanted = kernel.wants(now).min(self.pool.len());
            if wanted == 0 {
                return;
            }
            let mut bytes = Batch::with_capacity(wanted);
            self.pool.take_freshest(wanted, &mut bytes);
            match kernel.feed(&bytes) {
                Ok(()) => self.kernel_problem = None,
                Err(error) => {
                    let error = error.to_string();
                    if self.kernel_problem.as_ref() != Some(&error) {
                        tracing::error!("{error}");
                        self.kernel_problem = Some(error);
                    }
                    return;
                }
            }
        }
    }

    /// Hands the file what the pool has above `reserve` bytes, as far as the file takes it.
    fn feed_file(&mut self, reserve: usize) {
        let Some(file) = &mut self.file else { return };
        loop {
            let spare = self.pool.len().saturating_sub(reserve);
            let count = spare.min(file.room()).min(FILE_BATCH);
            if count == 0 {
                return;
            }
            let mut batch = Batch::with_capacity(count);
            self.pool.take_oldest(count, &mut batch);
            if let Err(batch) = file.try_send(batch) {
                self.pool.put_back(batch);
                return;
            }
        }
    }
}

/// What the file leaves for EGD clients.
pub(super) fn egd_reserve(egd: &egd::Server, pool: &Pool) -> usize {
    if egd.is_on() { MOST_RESERVE.min(pool.capacity() / 2) } else { 0 }
}
