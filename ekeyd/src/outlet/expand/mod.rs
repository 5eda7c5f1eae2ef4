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

use std::time::{Duration, Instant};

use ekey_control::status::ExpandStatus;
use zeroize::Zeroizing;

use crate::config;
use crate::source::batch::{Batch, wipe};
use crate::stock::pool::Pool;
use drbg::Drbg;
pub(crate) use outlet::Outlet;

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
pub(crate) struct Expander {
    interval: Duration,
    bytes: u64,
    seeded: Option<Seeded>,
    ready: Pool,
    /// What there is without a seed: nothing.
    nothing: Pool,
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
    pub(crate) fn new(config: &config::Expand) -> Self {
        Self {
            interval: config.reseed_interval,
            bytes: config.reseed_bytes,
            seeded: None,
            ready: Pool::new(READY),
            nothing: Pool::new(1),
            seeds: 0,
            seed_bytes: 0,
            has_complained: false,
        }
    }

    /// How many verified bytes of keys it wants for a seed: none unless one is due.
    pub(crate) fn wants(&self, now: Instant) -> usize {
        match &self.seeded {
            None => SEED + NONCE,
            Some(seeded) if seeded.given >= self.bytes || now.duration_since(seeded.at) >= self.interval => SEED,
            Some(_) => 0,
        }
    }

    /// Takes a seed out of `pool`, which has nothing in it but verified bytes of keys, if one is due and there is enough.
    pub(crate) fn draw(&mut self, pool: &mut Pool, now: Instant) {
        let wanted = self.wants(now);
        if wanted > 0 && pool.len() >= wanted {
            let mut seed = Zeroizing::new(Vec::with_capacity(wanted));
            pool.take_freshest(wanted, &mut seed);
            self.seed(&seed, now);
        }
    }

    /// Takes a seed off the end of what a key has sent, if one is due and it is that long.
    pub(crate) fn draw_off(&mut self, batch: &mut Batch, now: Instant) -> usize {
        let wanted = self.wants(now);
        let Some(rest) = batch.len().checked_sub(wanted).filter(|_| wanted > 0) else { return 0 };
        self.seed(&batch[rest..], now);
        wipe(&mut batch[rest..]);
        batch.truncate(rest);
        wanted
    }

    /// Forgets the seed, since there may be bytes in it of a key that has failed. The next is a first one.
    pub(crate) fn forget(&mut self) {
        if self.seeded.take().is_some() {
            self.ready.wipe_freshest(u64::MAX);
            tracing::warn!(
                "the generator of [expand] has forgotten its seed, as a key has failed: its clients wait for another"
            );
        }
    }

    /// What its clients are served from, as full as it gets.
    pub(crate) fn output(&mut self, now: Instant) -> &mut Pool {
        self.fill(now);
        if self.seeded.is_some() { &mut self.ready } else { &mut self.nothing }
    }

    /// What is ready for its clients, to be looked at.
    pub(crate) fn shown(&self) -> &Pool {
        if self.seeded.is_some() { &self.ready } else { &self.nothing }
    }

    /// As people and programs get to see it, less the listeners.
    pub(crate) fn status(&self, now: Instant) -> ExpandStatus {
        let counters = self.ready.counters();
        ExpandStatus {
            full_entropy: false,
            seeded: self.seeded.is_some() && !self.is_overdue(now),
            seeds: self.seeds,
            seed_bytes: self.seed_bytes,
            seed_age_s: self.seeded.as_ref().map(|seeded| now.duration_since(seeded.at).as_secs()),
            reseed_interval_s: self.interval.as_secs(),
            reseed_bytes: self.bytes,
            generated_bytes: counters.received,
            ready_bytes: self.ready.len() as u64,
            wiped_bytes: counters.wiped,
            listeners: Vec::new(),
            problem: self.problem(now),
        }
    }

    fn seed(&mut self, bytes: &[u8], now: Instant) {
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
                tracing::info!("the generator of [expand] is seeded; what it gives is not full entropy");
            }
        }
        if was_overdue {
            tracing::info!("the generator of [expand] has a fresh seed: its clients are served again");
        }
        self.has_complained = false;
        self.seeds += 1;
        self.seed_bytes += bytes.len() as u64;
        // All that is handed out from now on comes after this seed.
        self.ready.wipe_freshest(u64::MAX);
        self.ready.state_entropy(Drbg::STRENGTH_BITS);
    }

    fn fill(&mut self, now: Instant) {
        if self.is_overdue(now) {
            self.ready.wipe_freshest(u64::MAX);
            if let (Some(problem), false) = (self.problem(now), std::mem::replace(&mut self.has_complained, true)) {
                tracing::warn!("{problem}");
            }
            return;
        }
        let Some(seeded) = &mut self.seeded else { return };
        let most = self.bytes * u64::from(MOST_OVERDUE);
        let count = self.ready.room().min(usize::try_from(most - seeded.given.min(most)).unwrap_or(usize::MAX));
        // A request costs something, however small it is.
        if count == 0 || self.ready.len() > READY / 2 {
            return;
        }
        let mut fresh = Batch::new(vec![0; count]);
        seeded.drbg.generate(&mut fresh);
        seeded.given += count as u64;
        self.ready.put(fresh);
    }

    /// Whether the seed is so old, or has given so much, that nothing is made of it any more.
    fn is_overdue(&self, now: Instant) -> bool {
        self.seeded.as_ref().is_some_and(|seeded| {
            let is_used_up = seeded.given >= self.bytes * u64::from(MOST_OVERDUE) && self.ready.len() == 0;
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
            "{what}: its clients wait until a key gives {} bytes that nobody else needs first",
            self.wants(now)
        ))
    }
}

#[cfg(test)]
mod tests;
