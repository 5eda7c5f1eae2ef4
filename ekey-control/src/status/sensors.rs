//! The information that a key sends about itself, in the status.

use ekey_proto::wire::{Badness, FipsCounts, GeneratorState};
use serde::{Deserialize, Serialize};

/// What the key last said in its information frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Json", from = "Json")]
pub struct Sensors {
    /// Tenths of a kelvin.
    pub temperature_decikelvin: Option<u32>,
    /// Millivolts.
    pub supply_millivolts: Option<u32>,
    /// The key's own tests. [`HealthStatus`](super::health::HealthStatus) has the counts of the daemon's tests.
    pub fips: Option<FipsCounts>,
    /// The key's own estimates, and what it finds wrong.
    pub generators: Option<GeneratorState>,
}

/// The sensors in the JSON, where the badness has a field of its own.
#[derive(Serialize, Deserialize)]
struct Json {
    temperature_decikelvin: Option<u32>,
    supply_millivolts: Option<u32>,
    fips: Option<Fips>,
    shannon: Option<Shannon>,
    badness: Option<char>,
}

#[derive(Serialize, Deserialize)]
struct Fips(#[serde(with = "FipsJson")] FipsCounts);

#[derive(Serialize, Deserialize)]
#[serde(remote = "FipsCounts")]
struct FipsJson {
    #[serde(rename = "frames")]
    blocks: u32,
    failures: u32,
    monobit: u32,
    poker: u32,
    runs: u32,
}

#[derive(Serialize, Deserialize)]
struct Shannon(#[serde(with = "ShannonJson")] GeneratorState);

#[derive(Serialize, Deserialize)]
#[serde(remote = "GeneratorState")]
struct ShannonJson {
    raw_bytes: u32,
    left: u32,
    right: u32,
    xor: u32,
    debiased_left_bytes: u32,
    debiased_left: u32,
    debiased_right_bytes: u32,
    debiased_right: u32,
    #[serde(skip, default = "unstated")]
    badness: Badness,
}

fn unstated() -> Badness {
    Badness::UNSTATED
}

impl From<Sensors> for Json {
    fn from(sensors: Sensors) -> Self {
        let Sensors { temperature_decikelvin, supply_millivolts, fips, generators } = sensors;
        let badness = generators.map(|generators| generators.badness.code());
        let (fips, shannon) = (fips.map(Fips), generators.map(Shannon));
        Self { temperature_decikelvin, supply_millivolts, fips, shannon, badness }
    }
}

impl From<Json> for Sensors {
    fn from(json: Json) -> Self {
        let Json { temperature_decikelvin, supply_millivolts, fips, shannon, badness } = json;
        let code = badness.and_then(|code| u8::try_from(code).ok());
        let badness = code.map_or(Badness::UNSTATED, Badness::from_code);
        let generators = shannon.map(|Shannon(generators)| GeneratorState { badness, ..generators });
        Self { temperature_decikelvin, supply_millivolts, fips: fips.map(|Fips(counts)| counts), generators }
    }
}
