//! Who gets what: entropy from the keys goes into the pool, and from there to the kernel first, then to the clients and the file.

use std::time::Instant;

use ekey_proto::EntropyBlock;
use zeroize::{Zeroize as _, Zeroizing};

use super::{BATCHES_IN_FLIGHT, Daemon};
use crate::egd;
use crate::key::{Key, KeyBatch};
use crate::output::FileSink;
use crate::pool::{Batch, MOST_BATCH, Pool};

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
            let Ok(KeyBatch { key, bytes }) = self.incoming.try_recv() else { return };
            self.file_due += bytes.len() * usize::from(100 - self.config.egd.share_percent) / 100;
            self.store(key, bytes);
            self.say_ready("the first entropy is verified");
        }
    }

    /// Puts what a key has sent where it will be wanted: into the pool, or into the combiner after what the kernel and the file are
    /// due.
    fn store(&mut self, key: u32, mut bytes: Batch) {
        let Some(combiner) = &mut self.combiner else { return self.pool.put(bytes) };
        let kernel = self.kernel.as_mut().map_or(0, |kernel| kernel.wants(Instant::now()));
        let file = if self.file.is_some() { self.file_due } else { 0 };
        let due = (kernel + file).saturating_sub(self.pool.len()).next_multiple_of(EntropyBlock::LEN).min(bytes.len());
        let rest = Zeroizing::new(bytes[due..].to_vec());
        bytes[due..].zeroize();
        bytes.truncate(due);
        self.pool.put(bytes);
        if let Some(spare) = combiner.put(key, rest) {
            self.pool.put(spare);
        }
    }

    /// Whether there is more to do for EGD clients at once.
    pub(super) fn egd_is_pending(&self) -> bool {
        match &self.combiner {
            None => self.egd.is_pending(&self.pool),
            Some(combiner) => self.egd.is_pending(combiner.shown()) || combiner.is_pending(),
        }
    }

    pub(super) fn can_take(&self) -> bool {
        self.file.as_ref().is_none_or(FileSink::is_over) || self.pool.room() >= MOST_BATCH
    }

    pub(super) fn hand_out(&mut self) {
        self.feed_kernel();
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
            let mut bytes = Zeroizing::new(Vec::with_capacity(wanted));
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
            let mut batch = Zeroizing::new(Vec::with_capacity(count));
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
