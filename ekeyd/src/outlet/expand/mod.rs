//! Expanding: megabytes for clients that need them, but not full entropy.
//!
//! Verified bytes of keys seed a generator ([`drbg`]) again and again, and listeners of their own hand out its output. The output
//! is as hard to guess as 256 bits, however long it is. It feeds no other outlet, and its clients never get a byte of the pool.
//!
//! Before the first seed, and while a new one is overdue, clients wait.

mod derivation;
mod drbg;
mod outlet;
mod ready;

use std::io;
use std::time::{Duration, Instant};

use ekey_control::status::ExpandStatus;
use ekey_egd::Request;
use zeroize::Zeroizing;

use crate::log_limit::LogLimit;
use crate::outlet::egd::Store as _;
use crate::source::batch::Batch;
use crate::stock::bytes_with;
use crate::{config, urandom};
use drbg::Drbg;
pub(crate) use outlet::Expanded;
use ready::Ready;

/// Bytes of entropy input, enough for a strength of 256.
const SEED: usize = bytes_with(Drbg::STRENGTH_BITS);
/// Bytes of the nonce, which only the first seed has. It needs half the strength (SP 800-90A 8.6.7).
const NONCE: usize = bytes_with(Drbg::STRENGTH_BITS / 2);
/// Distinguishes the generator from others that the same key seeds (SP 800-90A 8.7.1). Bytes of the system follow.
const PERSONALIZATION: &[u8] = b"ekeyd [expand]";
/// Bytes of the system's generator in the personalization string and with each request. The output's strength does not rest on
/// them, but only one who knows them and the key's bytes knows the output.
const OF_THE_SYSTEM: usize = 32;
/// Bytes held ready.
const READY: usize = 16 * 1024;
/// The hard limits on age and output of a seed, as a multiple of those at which it is renewed.
const MOST_OVERDUE: u32 = 2;
const _: () = assert!(READY <= Drbg::MOST_REQUEST, "what is held ready is made by one request");

/// The generator and its seeds.
pub(super) struct Expander {
    interval: Duration,
    bytes: u64,
    seeded: Option<Seeded>,
    ready: Ready,
    /// Fills a buffer from the system's generator.
    system: fn(&mut [u8]) -> io::Result<()>,
    seeds: u64,
    seed_bytes: u64,
    /// Whether its clients have waited for a fresh seed.
    was_overdue: bool,
    logged: Logged,
}

/// The lines that keys and clients can cause again and again.
#[derive(Default)]
struct Logged {
    seeded: LogLimit,
    overdue: LogLimit,
    fresh: LogLimit,
    discarded: LogLimit,
}

/// A generator with a seed.
struct Seeded {
    drbg: Box<Drbg>,
    at: Instant,
    given: u64,
}

impl Expander {
    /// Makes one without a seed.
    pub(super) fn new(config: &config::Expand) -> Self {
        Self {
            interval: config.reseed_interval,
            bytes: config.reseed_bytes,
            seeded: None,
            ready: Ready::new(READY),
            system: urandom::fill,
            seeds: 0,
            seed_bytes: 0,
            was_overdue: false,
            logged: Logged::default(),
        }
    }

    /// Returns how many verified bytes of keys it wants for a seed: 0 while the present seed is good.
    pub(super) fn wants(&self, now: Instant) -> usize {
        match &self.seeded {
            None => SEED + NONCE,
            Some(seeded) if seeded.given >= self.bytes || now.duration_since(seeded.at) >= self.interval => SEED,
            Some(_) => 0,
        }
    }

    /// Discards the seed and what was made of it. `why`: the reason, for the log. The next seed is a first one.
    pub(super) fn forget(&mut self, why: &str) {
        if self.seeded.take().is_some() {
            self.ready.begin(0);
            if let Some(more) = self.logged.discarded.admit(Instant::now()) {
                tracing::warn!(
                    "the generator of [expand] has discarded its seed, as {why}: clients wait for a new one{more}"
                );
            }
        }
    }

    /// Returns the bytes ready for its clients, after filling up; empty without a seed.
    pub(super) fn output(&mut self, now: Instant) -> &mut Ready {
        self.fill(now);
        &mut self.ready
    }

    /// Returns how many bytes are ready for its clients.
    pub(super) fn ready(&self) -> usize {
        self.ready.held()
    }

    /// Returns its status, without the listeners.
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

    /// Takes a seed of as many bytes as it [wants](Self::wants).
    pub(super) fn seed(&mut self, bytes: &[u8], now: Instant) {
        match &mut self.seeded {
            Some(seeded) => {
                seeded.drbg.reseed(bytes);
                (seeded.at, seeded.given) = (now, 0);
            }
            None => {
                let (entropy, nonce) = bytes.split_at(SEED);
                let personalization = Zeroizing::new([PERSONALIZATION, &*of_the_system(self.system)].concat());
                let drbg = Drbg::instantiate(entropy, nonce, &personalization);
                self.seeded = Some(Seeded { drbg, at: now, given: 0 });
                if let Some(more) = self.logged.seeded.admit(now) {
                    tracing::info!("the generator of [expand] is seeded; its output is not full entropy{more}");
                }
            }
        }
        if std::mem::take(&mut self.was_overdue)
            && let Some(more) = self.logged.fresh.admit(now)
        {
            tracing::info!("the generator of [expand] has a fresh seed: its clients are served again{more}");
        }
        self.seeds += 1;
        self.seed_bytes += bytes.len() as u64;
        // What clients get from now on comes from this seed.
        self.ready.begin(Drbg::STRENGTH_BITS);
    }

    fn fill(&mut self, now: Instant) {
        if self.is_overdue(now) {
            self.ready.begin(0);
            if !std::mem::replace(&mut self.was_overdue, true)
                && let (Some(problem), Some(more)) = (self.problem(now), self.logged.overdue.admit(now))
            {
                tracing::warn!("{problem}{more}");
            }
            return;
        }
        let Some(seeded) = &mut self.seeded else { return };
        let most = self.bytes * u64::from(MOST_OVERDUE);
        let count = self.ready.room().min(usize::try_from(most - seeded.given.min(most)).unwrap_or(usize::MAX));
        // Even a small request has a cost.
        if count == 0 || self.ready.held() > READY / 2 {
            return;
        }
        let mut fresh = Batch::new(vec![0; count]);
        seeded.drbg.generate(&mut fresh, &of_the_system(self.system));
        seeded.given += count as u64;
        self.ready.put(&fresh);
    }

    /// Returns whether the seed is beyond a hard limit, so that it gives nothing more.
    fn is_overdue(&self, now: Instant) -> bool {
        self.seeded.as_ref().is_some_and(|seeded| {
            // What is left may be too little for the next request.
            let is_used_up =
                seeded.given >= self.bytes * u64::from(MOST_OVERDUE) && self.ready.held() < Request::MOST_BYTES;
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

/// Returns bytes of the system's generator. Without it the generator's own seed is all, which is enough.
fn of_the_system(fill: fn(&mut [u8]) -> io::Result<()>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; OF_THE_SYSTEM]);
    if let Err(error) = fill(&mut bytes) {
        tracing::debug!("/dev/urandom: {error}");
        return Zeroizing::new(Vec::new());
    }
    bytes
}

#[cfg(test)]
mod tests;
