//! The health tests of one stream, of a key or an EGD server: the grade of its bytes, and the results for the status.

use std::time::Instant;

use ekey_control::health::{HealthStatus, PutAside, TestFailures};
use ekey_health::{Alpha, Change, Monitor, Retirement, Test};

use super::Grade;
use crate::config;

/// Tests one stream, for as long as the daemon uses its source.
pub(crate) struct Checkup {
    monitor: Monitor,
    alpha: Alpha,
    since: Option<Instant>,
    times_retired: u64,
}

/// The verdict on bytes.
pub(crate) struct Verdict {
    /// What they may be used for.
    pub grade: Grade,
    /// How the state of the stream changed, if it did, for the log.
    pub change: Option<Change>,
}

/// The state of a stream; small, because it is copied with each batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    alpha: Alpha,
    tested_bytes: u64,
    fips: (u64, u64),
    failures: [u64; Test::ALL.len()],
    retired: Option<(Retirement, Instant)>,
    good_blocks_needed: u32,
    times_retired: u64,
}

impl Checkup {
    /// Starts with a fit stream.
    pub(crate) fn new(config: &config::Health) -> Self {
        let monitor = Monitor::new(config.alpha, config.good_blocks);
        Self { monitor, alpha: config.alpha, since: None, times_retired: 0 }
    }

    /// Tests the next bytes of the stream.
    pub(crate) fn judge(&mut self, bytes: &[u8]) -> Verdict {
        let judgement = self.monitor.judge(bytes);
        let suspect = match judgement.change {
            // The suspect bytes end with the alarm's byte. Those in this batch are not handed on anyway.
            Some(Change::Retired(alarm)) => {
                self.since = Some(Instant::now());
                self.times_retired += 1;
                let here = (alarm.at_byte + 1).saturating_sub(self.monitor.tested_bytes() - bytes.len() as u64);
                Some(alarm.suspect.saturating_sub(here))
            }
            Some(Change::Readmitted) => {
                self.since = None;
                None
            }
            None => None,
        };
        let grade = if judgement.fit { Grade::Fit } else { Grade::Unfit { suspect } };
        Verdict { grade, change: judgement.change }
    }

    /// Returns how many good blocks in a row readmit the stream.
    pub(crate) fn good_blocks_to_readmit(&self) -> u32 {
        self.monitor.good_blocks_to_readmit()
    }

    /// Returns the present state.
    pub(crate) fn vitals(&self) -> Vitals {
        Vitals {
            alpha: self.alpha,
            tested_bytes: self.monitor.tested_bytes(),
            fips: self.monitor.fips_blocks(),
            failures: Test::ALL.map(|test| self.monitor.failures(test)),
            retired: self.monitor.retirement().copied().zip(self.since),
            good_blocks_needed: self.monitor.good_blocks_to_readmit(),
            times_retired: self.times_retired,
        }
    }
}

impl Vitals {
    /// Returns the status, with the `warnings` about a key's own report.
    pub(crate) fn status(&self, warnings: &[String]) -> HealthStatus {
        let failures = Test::ALL.into_iter().zip(self.failures).filter(|(_, count)| *count > 0);
        HealthStatus {
            alpha: self.alpha.to_string(),
            tested_bytes: self.tested_bytes,
            fips_blocks: self.fips.0,
            fips_failures: self.fips.1,
            failures: failures.map(|(test, count)| TestFailures { test: test.name().to_owned(), count }).collect(),
            put_aside: self.retirement(),
            times_put_aside: self.times_retired,
            warnings: warnings.to_vec(),
        }
    }

    /// Returns whether a health test has retired the stream.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// Returns how often a test has failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// Returns how many blocks of 20,000 bits were tested, and how many of them failed FIPS 140-2.
    pub(crate) fn fips_blocks(&self) -> (u64, u64) {
        self.fips
    }

    /// Returns why the stream is retired, as a line for people.
    pub(crate) fn detail(&self) -> Option<String> {
        self.retired.map(|(aside, _)| format!("retired: {}", aside.alarm))
    }

    /// Returns why the stream is retired.
    pub(crate) fn retirement(&self) -> Option<PutAside> {
        let (Retirement { alarm, good_blocks }, since) = self.retired?;
        Some(PutAside {
            test: alarm.test.name().to_owned(),
            at_byte: alarm.at_byte,
            observed: alarm.observed,
            cutoff: alarm.cutoff,
            what: alarm.words(),
            since_s: since.elapsed().as_secs(),
            good_blocks,
            good_blocks_due: self.good_blocks_needed,
        })
    }
}
