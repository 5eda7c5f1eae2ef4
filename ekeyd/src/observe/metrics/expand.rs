//! Expanded entropy among the metrics: its seeds, and its listeners, under names of their own.

use ekey_control::Status;

use super::exposition::{Exposition, Kind};
use super::listeners;

pub(super) fn expand(out: &mut Exposition, status: &Status) {
    let expand = status.expand.as_ref();
    let help = "Whether what expands entropy has a seed that is fresh enough: 1 if so.";
    let seeded = expand.map(|expand| u8::from(expand.seeded));
    out.family(Kind::Gauge, "expand_seeded", "", help).maybe(&[], seeded);
    let help = "Time since its last seed.";
    let age = expand.and_then(|expand| expand.seed_age_s);
    out.family(Kind::Gauge, "expand_seed_age_seconds", "seconds", help).maybe(&[], age);
    let help = "Seeds that it has had.";
    out.family(Kind::Counter, "expand_seeds", "", help).maybe(&[], expand.map(|expand| expand.seeds));
    let help = "Bytes of keys that went into its seeds.";
    out.family(Kind::Counter, "expand_seed_bytes", "bytes", help).maybe(&[], expand.map(|expand| expand.seed_bytes));
    let help = "Bytes that were made of its seeds, which is not full entropy.";
    let made = expand.map(|expand| expand.generated_bytes);
    out.family(Kind::Counter, "expand_generated_bytes", "bytes", help).maybe(&[], made);
    let served = expand.map_or(&[][..], |expand| &expand.listeners);
    listeners(out, "expand", "clients of expanded entropy, which is not full entropy,", served);
}
