//! Judges by the daemon's figures whether the supply was enough so far.

use ekey_control::status::EgdClientStatus;
use ekey_control::{History, Status};
use ekey_egd::Request;

/// The daemon's figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// Uptime of the daemon, in seconds.
    pub(crate) seconds: u64,
    /// Keys that deliver.
    pub(crate) keys: usize,
    /// These keys, and the EGD server that is fetched from.
    pub(crate) sources: usize,
    /// Their bytes a second over the last ten minutes, as far as recorded.
    pub(crate) supply: f64,
    /// Bytes received in all.
    pub(crate) received: u64,
    /// Bytes given to EGD clients and to `[expand]` as seeds.
    pub(crate) to_clients: u64,
    pub(crate) to_kernel: u64,
    pub(crate) to_file: u64,
    /// Bytes that overflowed the pool.
    pub(crate) overflowed: u64,
    /// Bytes held now; then the lowest of the last ten minutes, and the capacity.
    pub(crate) pool: u64,
    pub(crate) lowest_pool: u64,
    pub(crate) capacity: u64,
    pub(crate) clients: u64,
    /// Waiting clients.
    pub(crate) waiting: u64,
    pub(crate) has_file: bool,
    pub(crate) not_random: bool,
}

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No client has waited for long.
    Enough,
    /// Within the last ten minutes the pool had less than a request may ask for: a client may have waited.
    Scarce,
    /// Clients wait.
    Short,
    /// No key delivers.
    Nothing,
}

impl Measured {
    pub(crate) fn of(status: &Status, history: &History) -> Self {
        let known = |values: &[Option<u64>]| values.iter().flatten().copied().collect::<Vec<_>>();
        let rates = known(&history.fine.rate_bytes_per_s);
        let now = status.keys.iter().filter(|key| key.is_serving()).map(|key| key.rate_bytes_per_s).sum::<f64>();
        let mean = rates.iter().sum::<u64>() as f64 / rates.len().max(1) as f64;
        let lowest = known(&history.fine.pool_bytes).into_iter().min();
        let sum = |part: fn(&ekey_control::status::EgdStatus) -> u64| status.egd.iter().map(part).sum::<u64>();
        Self {
            seconds: status.uptime_s,
            keys: status.running(),
            sources: status.running()
                + usize::from(status.egd_client.as_ref().is_some_and(EgdClientStatus::is_connected)),
            supply: if rates.is_empty() { now } else { mean },
            received: status.pool.received_bytes,
            to_clients: sum(|egd| egd.served_bytes) + status.expand.as_ref().map_or(0, |expand| expand.seed_bytes),
            to_kernel: status.kernel.as_ref().map_or(0, |kernel| kernel.given_bytes),
            to_file: status.file.as_ref().map_or(0, |file| file.given_bytes),
            overflowed: status.pool.overflowed_bytes,
            pool: status.pool.bytes,
            lowest_pool: lowest.unwrap_or(status.pool.bytes).min(status.pool.bytes),
            capacity: status.pool.capacity,
            clients: sum(|egd| egd.clients),
            waiting: sum(|egd| egd.waiting),
            has_file: status.file.as_ref().is_some_and(|file| file.stopped.is_none()),
            not_random: status.not_random,
        }
    }

    /// Returns the bytes a second that the outputs took since the daemon started.
    pub(crate) fn taken(&self) -> f64 {
        (self.to_clients + self.to_kernel + self.to_file) as f64 / self.seconds.max(1) as f64
    }

    pub(crate) fn verdict(&self) -> Verdict {
        // A request is answered as a whole, so the pool keeps what is too little for the next one.
        let is_empty = |bytes: u64| bytes < Request::MOST_BYTES as u64;
        match self {
            _ if self.sources == 0 => Verdict::Nothing,
            _ if self.waiting > 0 && is_empty(self.pool) && self.supply > 0.0 => Verdict::Short,
            _ if self.supply <= 0.0 && is_empty(self.pool) => Verdict::Nothing,
            _ if is_empty(self.lowest_pool) => Verdict::Scarce,
            _ => Verdict::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            seconds: 100,
            keys: 1,
            sources: 1,
            supply: 4000.0,
            received: 400_000,
            to_clients: 90_000,
            to_kernel: 10_000,
            to_file: 0,
            overflowed: 0,
            pool: 300_000,
            lowest_pool: 200_000,
            capacity: 1_048_576,
            clients: 3,
            waiting: 0,
            has_file: false,
            not_random: false,
        }
    }

    #[test]
    fn the_verdict_follows_from_waiters_and_the_pool() {
        let enough = measured();
        assert_eq!((enough.verdict(), enough.taken()), (Verdict::Enough, 1000.0));
        let scarce = Measured { lowest_pool: 0, ..measured() };
        assert_eq!(scarce.verdict(), Verdict::Scarce);
        let short = Measured { waiting: 2, pool: 254, lowest_pool: 0, ..measured() };
        assert_eq!(short.verdict(), Verdict::Short);
        let nothing = Measured { supply: 0.0, waiting: 2, pool: 0, lowest_pool: 0, ..measured() };
        assert_eq!(nothing.verdict(), Verdict::Nothing);
        let full_pool = Measured { keys: 0, sources: 0, ..measured() };
        assert_eq!(full_pool.verdict(), Verdict::Nothing, "a full pool without a key runs dry");
    }
}
