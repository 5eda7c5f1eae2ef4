//! The daemon as people and programs get to see it.

use ekey_control::Status;
use ekey_control::status::{FORMAT, FileStatus, KernelEra, KernelStatus, KeyringStatus, PoolStatus};

use super::Daemon;
use crate::config;
use crate::outlet::expand;
use crate::outlet::file::FileSink;
use crate::outlet::kernel::{Era, Kernel, Mode};
use crate::source::egd::EgdClient;
use crate::source::key::Key;
use crate::stock::combine::Combiner;

impl Daemon {
    /// Everything, now.
    pub(super) fn status(&self) -> Status {
        // The keys first: what they hand on from now on is not in the books that follow, and what has come from them is.
        let keys: Vec<_> = self.keys.iter().map(Key::status).collect();
        let books = self.ledger.books(&keys);
        let counters = self.pool.counters();
        Status {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            not_random: self.not_random,
            keyring: self.keyring_status(),
            keys,
            idle_keys: self.idle_keys(),
            books: Some(books),
            pool: PoolStatus {
                bytes: self.pool.len() as u64,
                capacity: self.pool.capacity() as u64,
                overflowed_bytes: counters.overflowed,
                received_bytes: counters.received + self.received_elsewhere(),
                wiped_bytes: counters.wiped,
            },
            kernel: self.kernel_status(),
            file: self.config.file.as_ref().zip(self.file.as_ref()).map(file_status),
            egd: self.egd.status(),
            combine: self.combiner.as_ref().map(Combiner::status),
            expand: self.expand.as_ref().map(expand::Outlet::status),
            offered_bytes: self.egd.mixed_bytes() + self.expand.as_ref().map_or(0, expand::Outlet::mixed_bytes),
            egd_client: self.egd_client.as_ref().map(EgdClient::status),
            control: self.control.path().display().to_string(),
            confinement: Some(self.confinement.status()),
        }
    }

    /// Bytes of keys that never were in the pool: those to be combined, and the seeds that were taken off before.
    fn received_elsewhere(&self) -> u64 {
        let seeds = self.expand.as_ref().filter(|_| self.egd_client.is_some()).map_or(0, expand::Outlet::seed_bytes);
        self.combiner.as_ref().map_or(seeds, Combiner::received)
    }

    /// Whoever only fetches needs no keyring, so that one that is not there is no problem.
    fn keyring_status(&self) -> KeyringStatus {
        let only_fetches = self.keys.is_empty() && self.egd_client.is_some();
        let status = self.keyring.status();
        KeyringStatus { problem: status.problem.filter(|_| !only_fetches), ..status }
    }

    fn kernel_status(&self) -> Option<KernelStatus> {
        let Some(kernel) = &self.kernel else {
            // It was wanted and could not be opened.
            let problem = self.kernel_problem.clone()?;
            return Some(KernelStatus {
                era: None,
                ready: false,
                given_bytes: 0,
                mixed_bytes: 0,
                dropped_bytes: 0,
                credited_bits: 0,
                privileged: false,
                problem: Some(problem),
            });
        };
        Some(kernel_status(kernel, self.kernel_problem.clone()))
    }
}

fn kernel_status(kernel: &Kernel, problem: Option<String>) -> KernelStatus {
    let counters = kernel.counters();
    KernelStatus {
        era: Some(match kernel.era() {
            Era::Before2022 => KernelEra::Before2022,
            Era::Since2022 => KernelEra::Since2022,
        }),
        ready: kernel.is_ready(),
        given_bytes: counters.given,
        mixed_bytes: counters.bytes,
        dropped_bytes: counters.dropped,
        credited_bits: counters.credited_bits,
        privileged: kernel.mode() == Mode::Credited,
        problem,
    }
}

fn file_status((config, sink): (&config::File, &FileSink)) -> FileStatus {
    let state = sink.state();
    FileStatus {
        path: config.path.display().to_string(),
        given_bytes: state.given,
        written_bytes: state.written,
        waiting_bytes: state.waiting,
        dropped_bytes: state.dropped,
        max_bytes: config.max_bytes,
        stopped: state.stopped,
    }
}
