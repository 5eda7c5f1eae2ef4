//! The flow of the bytes through the daemon: from the keys into the pool, from there to whom they are for.

use std::time::Instant;

use zeroize::Zeroizing;

use super::{BATCHES_IN_FLIGHT, Daemon, FILE_BATCH, egd_reserve};
use crate::health::Grade;
use crate::output::FileSink;
use crate::pool::{Batch, Delivery, MOST_BATCH};

impl Daemon {
    /// Moves batches into the pool. If there is a file that wants every byte, only as many as there is room for: the keys wait
    /// meanwhile. Else the oldest bytes make room.
    pub(super) fn take_in(&mut self) {
        for _ in 0..BATCHES_IN_FLIGHT {
            if !self.can_take() {
                return;
            }
            let Ok(Delivery { batch, grade }) = self.incoming.try_recv() else { return };
            match grade {
                Grade::Fit => {
                    self.pool.put(batch);
                    self.say_ready("the first entropy is verified");
                }
                Grade::Unfit { suspect } => {
                    // The pool does not know which key a byte is of: as many are wiped as may have come with the suspect ones.
                    self.pool.wipe_freshest(suspect.saturating_mul(self.keys.len().max(1) as u64));
                    self.stir_in(&batch);
                }
            }
        }
    }

    /// Whether what waits next can be taken.
    pub(super) fn can_take(&self) -> bool {
        self.file.as_ref().is_none_or(FileSink::is_over) || self.pool.room() >= MOST_BATCH
    }

    /// What no one may count on does the kernel no harm, and some good maybe.
    fn stir_in(&mut self, batch: &Batch) {
        let mixed = self.kernel.as_mut().map_or(0, |kernel| kernel.stir_in(batch));
        self.ledger.note_aside(mixed, batch.len() as u64 - mixed);
    }

    /// Gives the pool's bytes to whoever wants some.
    pub(super) fn hand_out(&mut self) {
        self.feed_kernel();
        self.egd.serve(self.poll.registry(), &mut self.pool);
        self.feed_file();
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

    fn feed_file(&mut self) {
        let Some(file) = &mut self.file else { return };
        let reserve = egd_reserve(&self.egd, &self.pool);
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
