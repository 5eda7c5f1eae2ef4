//! One key's health: tests its output and its own report, and logs each change once.

use ekey_health::{Change, Firmware, Generators, Warning};
use ekey_proto::wire::Info;

use super::lines::{Line, Lines};
use super::place::Name;
use crate::config;
use crate::source::Grade;
use crate::source::health::{Checkup, Vitals};

/// Tests one key, for as long as the daemon drives it.
pub(crate) struct KeyHealth {
    checkup: Checkup,
    firmware: Firmware,
    warnings: Vec<Warning>,
}

impl KeyHealth {
    /// Starts with a fit key. Returns `None` if health tests are off.
    pub(crate) fn new(config: &config::Health) -> Option<Self> {
        config.enabled.then(|| Self {
            checkup: Checkup::new(config),
            firmware: Firmware::new(config.alpha),
            warnings: Vec::new(),
        })
    }

    /// Tests the next bytes of the stream of `key`. Returns their grade.
    pub(super) fn judge(&mut self, bytes: &[u8], key: &Name, lines: &Lines) -> Grade {
        let verdict = self.checkup.judge(bytes);
        match verdict.change {
            Some(Change::Retired(alarm)) => {
                if let Some(more) = lines.admit(Line::Retired) {
                    tracing::error!(key = %key.shown(), "retired, its entropy is no longer handed out: {alarm}{more}");
                }
            }
            Some(Change::Readmitted) => {
                let blocks = self.checkup.good_blocks_to_readmit();
                if let Some(more) = lines.admit(Line::Readmitted) {
                    tracing::info!(key = %key.shown(), "readmitted after {blocks} good blocks in a row{more}");
                }
            }
            None => {}
        }
        verdict.grade
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

    /// Returns the present state of the stream.
    pub(crate) fn vitals(&self) -> Vitals {
        self.checkup.vitals()
    }
}
