//! The keys of a soak: four slots, each with a software key that is unplugged and replaced by a fresh one now and then.
//!
//! The first two only have a bad line: if whole frames are lost there, the daemon is at fault. The other two also hang,
//! stop themselves, and report wrong serials, so what they send may be discarded.

use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use nix::sys::signal::Signal;

use super::chance::Chance;
use crate::blocks::{BLOCK, blocks_in};
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, Plug, SoftwareKey};

/// How many keys there are.
pub(super) const SLOTS: usize = 4;
/// How many of them, from the first on, only have a bad line.
pub(super) const STEADFAST: usize = 2;
/// Frames a second of each key: sixteen times what a real one gives.
const RATE: u32 = 2000;

/// Faults of the line, and the rough interval of each in frames.
const LINE: [(&str, u64); 7] = [
    ("flip", 1000),
    ("drop", 1500),
    ("replay", 1300),
    ("old-session", 1700),
    ("noise", 1100),
    ("truncate", 1900),
    ("gap", 2100),
];

/// A place where a key is plugged in.
pub(super) struct Slot {
    name: String,
    plug: Plug,
    serial: String,
    long_term_key: String,
    number: usize,
    chance: Chance,
    seed: u32,
    pub(super) key: Option<Plugged>,
    /// Blocks that earlier keys of this slot sent whole.
    sent_before: u64,
}

/// The key in a slot.
pub(super) struct Plugged {
    pub(super) key: SoftwareKey,
    /// Each fault and its interval.
    faults: Vec<(&'static str, u64)>,
    /// Whether it will fall silent until it is unplugged.
    pub(super) is_mortal: bool,
}

impl Slot {
    /// Makes the empty slot with this number.
    pub(super) fn new(number: usize, seed: u64) -> Self {
        let mut chance = Chance::new(seed, 100 + number as u64);
        let mut secret = |length: usize| {
            let bytes = (0..length).map(|_| chance.next().to_be_bytes()[0]).collect::<Vec<_>>();
            Base64::encode_string(&bytes)
        };
        let (serial, long_term_key) = (secret(12), secret(32));
        // The top half differs from slot to slot, so that no two keys ever send the same.
        let seed = (u32::try_from(number).unwrap_or(0) << 24) | (chance.next() as u32 & 0x00ff_0000);
        let plug = if number.is_multiple_of(2) { Plug::Pty } else { Plug::Unix };
        Self {
            name: format!("soak{number}"),
            plug,
            serial,
            long_term_key,
            number,
            chance,
            seed,
            key: None,
            sent_before: 0,
        }
    }

    /// Returns where its keys can be opened.
    pub(super) fn path(&self, scratch: &Scratch) -> PathBuf {
        scratch.path(&format!("{}.key", self.name))
    }

    /// Returns its line of the keyring.
    pub(super) fn keyring_line(&self) -> String {
        format!("{} {}\n", self.serial, self.long_term_key)
    }

    /// Returns where the next key of this slot will log what it sends.
    pub(super) fn next_log(&mut self, scratch: &Scratch) -> PathBuf {
        self.seed += 1;
        scratch.path(&format!("{}.{}.plain", self.name, self.seed))
    }

    /// Plugs in a fresh key that logs there, and that hangs in this way after that many frames, if given.
    pub(super) fn plug_in(&mut self, scratch: &Scratch, wedge: Option<(&'static str, u64)>, log: &Path) {
        let chance = &mut self.chance;
        let mut faults = LINE.map(|(name, every)| (name, chance.between(every / 2, every * 2))).to_vec();
        let mut is_mortal = false;
        if self.number >= STEADFAST {
            faults.push(("stall", chance.between(5000, 40_000)));
            faults.push(("wrong-serial", chance.between(3, 9)));
            faults.push(("ltk-mismatch", chance.between(3, 30)));
            if chance.once_in(4) {
                faults.push(("badness", chance.between(2000, 60_000)));
                is_mortal = true;
            }
        }
        let mut plan = KeyPlan::named(&self.name)
            .plug(self.plug)
            .identity(&self.serial, &self.long_term_key)
            .rate(RATE)
            .seed(self.seed)
            .plain_log(log);
        for (name, every) in &faults {
            plan = plan.fault(&format!("{name}:{every}"));
        }
        if let Some((kind, after)) = wedge {
            is_mortal |= kind == "until-replug";
            plan = plan.wedge(&format!("{kind}:{after}"));
        }
        let key = plan.plug_in(scratch);
        self.key = Some(Plugged { key, faults, is_mortal });
    }

    /// Unplugs the key and returns its log, which is complete now.
    pub(super) fn pull_out(&mut self) -> Option<PathBuf> {
        let mut plugged = self.key.take()?;
        plugged.key.program.kill();
        self.sent_before += plugged.sent();
        Some(plugged.key.plain_log.clone())
    }

    /// Returns the blocks that its keys have sent whole so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent_before + self.key.as_ref().map_or(0, Plugged::sent)
    }
}

impl Plugged {
    /// Returns the blocks that it has sent whole.
    pub(super) fn sent(&self) -> u64 {
        blocks_in(&self.key.plain_log)
    }

    /// Returns roughly how often each fault of the line has struck: once in each interval of frames, whole or not.
    pub(super) fn struck(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let spoilt = self.faults.iter().filter(|(name, _)| ["flip", "drop", "truncate"].contains(name));
        let spoilt = spoilt.map(|(_, every)| 1.0 / *every as f64).sum::<f64>();
        let frames = (self.sent() as f64 / (1.0 - spoilt)) as u64;
        let by_frame = self.faults.iter().filter(|(name, _)| !["wrong-serial", "ltk-mismatch"].contains(name));
        by_frame.map(move |(name, every)| {
            (*name, if *name == "badness" { u64::from(frames >= *every) } else { frames / every })
        })
    }

    /// Stops or continues its process.
    pub(super) fn signal(&self, signal: Signal) {
        self.key.program.signal(signal);
    }

    /// Returns the bytes of entropy that it has sent whole.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent() * BLOCK as u64
    }
}
