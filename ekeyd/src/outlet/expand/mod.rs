//! Expanding: much for those who want much, and not full entropy.
//!
//! A generator ([`drbg`]) is seeded from verified bytes of keys, again and again, and what it gives is handed out on listeners
//! of its own. It is as hard to guess as 256 bits, however much of it there is. Nothing else is fed by it, and its clients never
//! get a byte of the pool.
//!
//! Before the first seed, and when a new one is overdue, nothing is handed out and clients wait.

mod derivation;
mod drbg;
mod outlet;
mod ready;

use std::time::{Duration, Instant};

use ekey_control::status::ExpandStatus;

use crate::config;
use crate::outlet::egd::Store as _;
use crate::source::batch::Batch;
use drbg::Drbg;
pub(crate) use outlet::Expanded;
use ready::Ready;

/// Bytes of entropy input. Half of their bits would do for the strength of 256.
const SEED: usize = 64;
/// Bytes of the nonce, which only the first seed has. Half of their bits would do (SP 800-90A 8.6.7).
const NONCE: usize = 32;
/// Tells the generator from others that are fed by the same key (SP 800-90A 8.7.1).
const PERSONALIZATION: &[u8] = b"ekeyd [expand]";
/// Bytes held ready. They are made in no time.
const READY: usize = 16 * 1024;
/// A seed may be so many times as old, or have given so many times as much, as one that is to be renewed.
const MOST_OVERDUE: u32 = 2;
const _: () = assert!(READY <= Drbg::MOST_REQUEST, "what is held ready is made by one request");

/// The generator and its seeds.
pub(super) struct Expander {
    interval: Duration,
    bytes: u64,
    seeded: Option<Seeded>,
    ready: Ready,
    seeds: u64,
    seed_bytes: u64,
    /// Whether it was said that clients wait.
    has_complained: bool,
}

/// A generator with a seed.
struct Seeded {
    drbg: Box<Drbg>,
    at: Instant,
    given: u64,
}

impl Expander {
    /// Without a seed.
    pub(super) fn new(config: &config::Expand) -> Self {
        Self {
            interval: config.reseed_interval,
            bytes: config.reseed_bytes,
            seeded: None,
            ready: Ready::new(READY),
            seeds: 0,
            seed_bytes: 0,
            has_complained: false,
        }
    }

    /// How many verified bytes of keys it wants for a seed: none unless one is due.
    pub(super) fn wants(&self, now: Instant) -> usize {
        match &self.seeded {
            None => SEED + NONCE,
            Some(seeded) if seeded.given >= self.bytes || now.duration_since(seeded.at) >= self.interval => SEED,
            Some(_) => 0,
        }
    }

    /// Forgets the seed, since there may be bytes in it of a key that has failed. The next is a first one.
    pub(super) fn forget(&mut self) {
        if self.seeded.take().is_some() {
            self.ready.begin(0);
            tracing::warn!(
                "the generator of [expand] has discarded its seed, as a key has failed a health test: clients wait for a new one"
            );
        }
    }

    /// Returns what its clients are served from, as full as it gets; empty without a seed.
    pub(super) fn output(&mut self, now: Instant) -> &mut Ready {
        self.fill(now);
        &mut self.ready
    }

    /// Returns how many bytes are ready for its clients.
    pub(super) fn ready(&self) -> usize {
        self.ready.held()
    }

    /// As people and programs get to see it, less the listeners.
    pub(super) fn status(&self, now: Instant) -> ExpandStatus {
        ExpandStatus {
            full_entropy: false,
            seeded: self.seeded.is_some() && !self.is_overdue(now),
            seeds: self.seeds,
            seed_bytes: self.seed_bytes,
            seed_age_s: self.seeded.as_ref().map(|seeded| now.duration_since(seeded.at).as_secs()),
            reseed_interval_s: self.interval.as_secs(),
            reseed_bytes: self.bytes,
            generated_bytes: self.ready.made(),
            ready_bytes: self.ready.held() as u64,
            wiped_bytes: self.ready.wiped(),
            listeners: Vec::new(),
            problem: self.problem(now),
        }
    }

    /// Takes a seed: what it [wants](Self::wants).
    pub(super) fn seed(&mut self, bytes: &[u8], now: Instant) {
        let was_overdue = self.has_complained;
        match &mut self.seeded {
            Some(seeded) => {
                seeded.drbg.reseed(bytes);
                (seeded.at, seeded.given) = (now, 0);
            }
            None => {
                let (entropy, nonce) = bytes.split_at(SEED);
                let drbg = Drbg::instantiate(entropy, nonce, PERSONALIZATION);
                self.seeded = Some(Seeded { drbg, at: now, given: 0 });
                tracing::info!("the generator of [expand] is seeded; its output is not full entropy");
            }
        }
        if was_overdue {
            tracing::info!("the generator of [expand] has a fresh seed: its clients are served again");
        }
        self.has_complained = false;
        self.seeds += 1;
        self.seed_bytes += bytes.len() as u64;
        // All that is handed out from now on comes after this seed.
        self.ready.begin(Drbg::STRENGTH_BITS);
    }

    fn fill(&mut self, now: Instant) {
        if self.is_overdue(now) {
            self.ready.begin(0);
            if let (Some(problem), false) = (self.problem(now), std::mem::replace(&mut self.has_complained, true)) {
                tracing::warn!("{problem}");
            }
            return;
        }
        let Some(seeded) = &mut self.seeded else { return };
        let most = self.bytes * u64::from(MOST_OVERDUE);
        let count = self.ready.room().min(usize::try_from(most - seeded.given.min(most)).unwrap_or(usize::MAX));
        // A request costs something, however small it is.
        if count == 0 || self.ready.held() > READY / 2 {
            return;
        }
        let mut fresh = Batch::new(vec![0; count]);
        seeded.drbg.generate(&mut fresh);
        seeded.given += count as u64;
        self.ready.put(&fresh);
    }

    /// Whether the seed is so old, or has given so much, that nothing is made of it any more.
    fn is_overdue(&self, now: Instant) -> bool {
        self.seeded.as_ref().is_some_and(|seeded| {
            let is_used_up = seeded.given >= self.bytes * u64::from(MOST_OVERDUE) && self.ready.held() == 0;
            is_used_up || now.duration_since(seeded.at) >= self.interval * MOST_OVERDUE
        })
    }

    fn problem(&self, now: Instant) -> Option<String> {
        let what = match &self.seeded {
            None => "the generator of [expand] has no seed yet",
            Some(_) if self.is_overdue(now) => "the generator of [expand] has had no fresh seed for too long",
            Some(_) => return None,
        };
        Some(format!(
            "{what}: its clients wait until a key gives {} bytes that the kernel does not need first",
            self.wants(now)
        ))
    }
}

#[cfg(test)]
mod tests;
