//! One key's health: tests its output and its own report, logs each change once, and keeps the results for the status.

use std::time::Instant;

use ekey_control::health::{HealthStatus, PutAside, TestFailures};
use ekey_health::{Alpha, Change, Firmware, Generators, Monitor, Retirement, Test, Warning};
use ekey_proto::wire::Info;

use super::lines::{Line, Lines};
use super::place::Name;
use crate::config;
use crate::source::Grade;

/// Tests one key, for as long as the daemon drives it.
pub(crate) struct Checkup {
    monitor: Monitor,
    firmware: Firmware,
    alpha: Alpha,
    since: Option<Instant>,
    times_retired: u64,
    warnings: Vec<Warning>,
}

/// The state of a key's health; small, because it is copied with each batch.
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
    /// Starts with a fit key. Returns `None` if health tests are off.
    pub(crate) fn new(config: &config::Health) -> Option<Self> {
        config.enabled.then(|| Self {
            monitor: Monitor::new(config.alpha, config.good_blocks),
            firmware: Firmware::new(config.alpha),
            alpha: config.alpha,
            since: None,
            times_retired: 0,
            warnings: Vec::new(),
        })
    }

    /// Tests the next bytes of the stream of `key`. Returns their grade.
    pub(super) fn judge(&mut self, bytes: &[u8], key: &Name, lines: &Lines) -> Grade {
        let judgement = self.monitor.judge(bytes);
        match judgement.change {
            Some(Change::Retired(alarm)) => {
                self.since = Some(Instant::now());
                self.times_retired += 1;
                if let Some(more) = lines.admit(Line::Retired) {
                    tracing::error!(key = %key.shown(), "retired, its entropy is no longer handed out: {alarm}{more}");
                }
            }
            Some(Change::Readmitted) => {
                self.since = None;
                let blocks = self.monitor.good_blocks_to_readmit();
                if let Some(more) = lines.admit(Line::Readmitted) {
                    tracing::info!(key = %key.shown(), "readmitted after {blocks} good blocks in a row{more}");
                }
            }
            None => {}
        }
        let suspect = match judgement.change {
            // The suspect bytes end with the alarm's byte. Those in this batch are not handed on anyway.
            Some(Change::Retired(alarm)) => {
                let here = (alarm.at_byte + 1).saturating_sub(self.monitor.tested_bytes() - bytes.len() as u64);
                Some(alarm.suspect.saturating_sub(here))
            }
            _ => None,
        };
        if judgement.fit { Grade::Fit } else { Grade::Unfit { suspect } }
    }

    /// Checks the key's own report. Returns the warnings in words.
    pub(super) fn note_info(&mut self, info: &Info, key: &Name, lines: &Lines) -> Vec<String> {
        if let Some(fips) = info.fips {
            self.firmware.note_fips(fips.blocks, fips.failures);
        }
        if let Some(state) = info.generators {
            self.firmware.note_generators(&Generators {
                raw_bytes: state.raw_bytes,
                left: state.left,
                right: state.right,
                xor: state.xor,
                debiased_left_bytes: state.debiased_left_bytes,
                debiased_left: state.debiased_left,
                debiased_right_bytes: state.debiased_right_bytes,
                debiased_right: state.debiased_right,
            });
        }
        let warnings = self.firmware.warnings();
        for warning in &warnings {
            if !self.warnings.iter().any(|before| before.is_about_the_same(warning))
                && let Some(more) = lines.admit(Line::Warning)
            {
                tracing::warn!(key = %key.shown(), "{}: it may stop itself soon{more}", warning.words());
            }
        }
        self.warnings = warnings;
        self.warnings.iter().map(Warning::words).collect()
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
    /// Returns the status, with the `warnings` about the key's own report.
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

    /// Returns whether a health test has retired the key.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// Returns why the key is retired, as a line for people.
    pub(crate) fn detail(&self) -> Option<String> {
        self.retired.map(|(aside, _)| format!("retired: {}", aside.alarm))
    }

    fn retirement(&self) -> Option<PutAside> {
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
