//! The key against a host made of ekey-proto's own checks, on a virtual clock.

mod disturbed;
mod flows;
mod host;
mod hostile;
mod silent;
mod soup;

use std::time::Duration;

use ekey_proto::wire::Badness;

use self::host::{Heard, Host};
use super::*;
use crate::Seed;

/// Returns a healthy key with a fixed seed and no rate limit.
fn setup() -> Setup {
    Setup { rate: 0, ..Setup::from_seed(Seed::from_number(1)) }
}

fn with_faults(faults: &[&str]) -> Setup {
    Setup { faults: faults.iter().map(|fault| fault.parse().expect("a fault")).collect(), ..setup() }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
