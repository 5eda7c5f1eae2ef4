//! The daemon's figures of the last ten minutes and the last day. The command `History` answers with them as one line of JSON.
//!
//! The figures are of all keys together. The daemon keeps them in memory only, so they start with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::status::{StatusError, of_format};

/// The version of this format; what [`crate::status`] says of it holds here as well.
pub const FORMAT: u32 = 1;

/// Steps in [`History::fine`]: 5 s each, ten minutes together.
pub const FINE_STEPS: usize = 120;
/// Seconds of a step in [`History::fine`].
pub const FINE_STEP_S: u32 = 5;
/// Steps in [`History::coarse`]: 300 s each, a day together.
pub const COARSE_STEPS: usize = 288;
/// Seconds of a step in [`History::coarse`].
pub const COARSE_STEP_S: u32 = 300;

/// Everything that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// [`FORMAT`].
    pub format: u32,
    /// The last ten minutes.
    pub fine: Series,
    /// The last day, without the step that is not over yet.
    pub coarse: Series,
}

/// Figures of equally long steps, the oldest first. Every column has a value for each step, `null` if nothing is known of that time:
/// the machine was asleep, or no key that ran had sent its temperature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Seconds of one step.
    pub step_s: u32,
    /// When the newest step ended, in seconds since 1970, by the machine's clock.
    pub end_unix_s: u64,
    /// Verified bytes a second, on the average of the step.
    pub rate_bytes_per_s: Vec<Option<u64>>,
    /// Bytes held for the outputs, at the lowest.
    pub pool_bytes: Vec<Option<u64>>,
    /// Of the hottest key, at the highest, in tenths of a kelvin.
    pub temperature_decikelvin: Vec<Option<u64>>,
    /// Frames that were refused, in the whole step.
    pub rejected_frames: Vec<Option<u64>>,
    /// How often a key was revived, in the whole step.
    pub recoveries: Vec<Option<u64>>,
    /// Bytes a second that all outlets took, on the average of the step.
    #[serde(default)]
    pub taken_bytes_per_s: Vec<Option<u64>>,
    /// The same of each outlet, by its name.
    #[serde(default)]
    pub taken_by_outlet: BTreeMap<String, Vec<Option<u64>>>,
    /// EGD clients that waited for bytes, at the most.
    #[serde(default)]
    pub waiting_clients: Vec<Option<u64>>,
}

/// One figure of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Verified bytes a second.
    Rate,
    /// Bytes a second that the outlets took.
    Taken,
    /// Bytes held for the outputs.
    Pool,
    /// EGD clients that waited.
    Waiting,
    /// Tenths of a kelvin.
    Temperature,
    /// Frames that were refused.
    Rejected,
    /// Keys that were revived.
    Recoveries,
}

impl Figure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Rate, Self::Taken, Self::Pool, Self::Waiting, Self::Temperature, Self::Rejected, Self::Recoveries];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rate => "Supply",
            Self::Taken => "Demand",
            Self::Pool => "Pool",
            Self::Waiting => "Clients waiting",
            Self::Temperature => "Temperature",
            Self::Rejected => "Rejected frames",
            Self::Recoveries => "Recoveries",
        }
    }

    /// Whether it counts what happened during a step, rather than measuring how things stood.
    pub fn is_count(self) -> bool {
        matches!(self, Self::Rejected | Self::Recoveries)
    }
}

impl Series {
    /// The values of a figure, the oldest first.
    pub fn column(&self, figure: Figure) -> &[Option<u64>] {
        match figure {
            Figure::Rate => &self.rate_bytes_per_s,
            Figure::Taken => &self.taken_bytes_per_s,
            Figure::Pool => &self.pool_bytes,
            Figure::Waiting => &self.waiting_clients,
            Figure::Temperature => &self.temperature_decikelvin,
            Figure::Rejected => &self.rejected_frames,
            Figure::Recoveries => &self.recoveries,
        }
    }

    /// How many seconds it covers.
    pub fn seconds(&self) -> u64 {
        u64::from(self.step_s).saturating_mul(self.rate_bytes_per_s.len() as u64)
    }
}

impl History {
    /// Writes one line of JSON, without a line end.
    pub fn to_json(&self) -> Result<String, StatusError> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads what [`History::to_json`] wrote, or what a later daemon of the same format wrote.
    pub fn from_json(text: &str) -> Result<Self, StatusError> {
        of_format(text, FORMAT)
    }
}
