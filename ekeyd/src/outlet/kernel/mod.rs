//! The kernel sink: mixes entropy into the kernel's own generator, as much as it can use. Source: random(4).
//!
//! Kernels before the rewrite of 2022 signal demand by POLLOUT; newer ones never do once they are seeded. Nothing here waits for
//! POLLOUT alone: there is always a time at which the kernel is fed regardless.
//!
//! The sink has no thread and no clock. The event loop asks what it [wants](Kernel::wants), [feeds](Kernel::feed) it that, and
//! comes back at [`next_wake`](Kernel::next_wake).

mod creditor;
mod feeder;
mod random_ioctl;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{config, urandom};
use creditor::{Calls, Creditor};
pub(crate) use feeder::Feeder;

/// Bytes for a seeded kernel each interval: twice what its generator holds.
const DOSE: usize = 64;
/// Bytes for a kernel at a time while it asks for more.
const MEAL: usize = random_ioctl::MOST_BYTES;
/// A kernel from before 2022 is fed at least this often, with or without POLLOUT.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How often to poll a kernel from before 2022, and the pause after a failure.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The kernel as a consumer of entropy.
pub(crate) struct Kernel {
    device: File,
    host: Host,
    /// The thread that may credit, if it is not this one.
    creditor: Option<Creditor>,
    era: Era,
    bits_per_byte: u8,
    interval: Duration,
    ready: bool,
    mode: Mode,
    /// Bytes of the current dose that were not fed yet.
    dose_left: usize,
    /// When to feed the next dose. `None` before the first.
    next_dose: Option<Instant>,
    /// No feeding before this time, after a failure.
    pause_until: Option<Instant>,
    asked: Option<Instant>,
    /// Bytes still to feed before the generator is made to take a new seed. `None` if it need not.
    reseeds_after: Option<usize>,
    counters: Counters,
}

/// The parts of the machine that the sink touches, so that tests can replace them.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// The random device.
    pub device: PathBuf,
    /// The file with the size of the kernel's pool, which reveals its era.
    pub poolsize: PathBuf,
    /// Whether the kernel's generator has been seeded.
    pub is_ready: fn() -> bool,
    /// Mixes bytes into the pool and credits it that many bits.
    pub add_entropy: fn(BorrowedFd<'_>, &[u8], u32) -> nix::Result<()>,
    /// Makes the generator take a new seed from the pool.
    pub reseed: fn(BorrowedFd<'_>) -> nix::Result<()>,
}

impl Default for Host {
    /// This machine.
    fn default() -> Self {
        Self {
            device: "/dev/random".into(),
            poolsize: "/proc/sys/kernel/random/poolsize".into(),
            is_ready: urandom::is_ready,
            add_entropy: random_ioctl::add_entropy,
            reseed: random_ioctl::reseed,
        }
    }
}

/// Which random device the kernel has, by the size of its pool: its version says nothing, because distributions backport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// A pool of 4096 bits. It signals demand by POLLOUT.
    Before2022,
    /// A pool of 256 bits. Once seeded it never asks, and it mixes input at once.
    Since2022,
}

/// How the kernel takes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Mixed and credited.
    Credited,
    /// Mixed without credit, because the process lacks CAP_SYS_ADMIN.
    MixedOnly,
}

/// What the kernel was given since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Bytes handed to it.
    pub given: u64,
    /// Bytes mixed in, credited or not.
    pub bytes: u64,
    /// Bytes handed to it that it did not take.
    pub dropped: u64,
    /// Bits of credit requested. A seeded kernel since 2022 ignores them.
    pub credited_bits: u64,
    /// Times that feeding failed.
    pub failures: u64,
}

/// Why the kernel cannot be fed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    /// The random device cannot be opened (host).
    #[error("{}: cannot open: {source}; give the daemon the device, or set enabled = false in [kernel]", device.display())]
    Open {
        /// The random device.
        device: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The random device took nothing (host).
    #[error("{}: cannot add entropy: {source}; check that it is the kernel's random device, or set enabled = false in [kernel]", device.display())]
    Feed {
        /// The random device.
        device: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Kernel {
    /// Bytes for a kernel at a time while it is not seeded or asks for more.
    pub(crate) const MEAL: usize = MEAL;

    /// Opens the random device of `host` and finds out which era it is of. Feeds nothing yet.
    ///
    /// # Errors
    /// [`KernelError::Open`] if the device cannot be opened for writing.
    pub(crate) fn open(config: &config::Kernel, host: Host) -> Result<Self, KernelError> {
        let device = OpenOptions::new()
            .write(true)
            .open(&host.device)
            .map_err(|source| KernelError::Open { device: host.device.clone(), source })?;
        // The rules for older kernels also work on newer ones, less well: use them if /proc is hidden.
        let era = match fs::read_to_string(&host.poolsize) {
            Ok(bits) if bits.trim() == "256" => Era::Since2022,
            _ => Era::Before2022,
        };
        Ok(Self {
            device,
            host,
            creditor: None,
            era,
            bits_per_byte: config.bits_per_byte,
            interval: config.interval,
            ready: false,
            mode: Mode::Credited,
            dose_left: 0,
            next_dose: None,
            pause_until: None,
            asked: None,
            reseeds_after: None,
            counters: Counters::default(),
        })
    }

    /// Moves the work that takes CAP_SYS_ADMIN to a new thread, which inherits this one's privileges. Calls `confine` there first
    /// and returns its result.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(crate) fn credit_on_a_thread<T: Send + 'static>(
        &mut self,
        confine: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let calls = Calls { add: self.host.add_entropy, reseed: self.host.reseed };
        let (creditor, outcome) = Creditor::start(self.device.try_clone()?, calls, confine)?;
        self.creditor = Some(creditor);
        Ok(outcome)
    }

    /// Returns how many bytes the kernel would take with credit at `now`. If fewer are fed, the rest stays wanted. Ask again after
    /// each feeding: a kernel that is not seeded or has an empty pool takes more.
    pub(crate) fn wants(&mut self, now: Instant) -> usize {
        self.asked = Some(now);
        if self.pause_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.pause_until = None;
        self.ready = self.ready || (self.host.is_ready)();
        if !self.ready {
            return MEAL;
        }
        let dose = self.dose(now);
        if self.era == Era::Before2022 && self.asks_by_pollout() { MEAL } else { dose }
    }

    /// Returns how many bytes without credit the kernel would take at `now`: a dose each interval, however it asks. They never
    /// make it seeded or fill its pool, so it would take them without end.
    pub(crate) fn dose(&mut self, now: Instant) -> usize {
        if self.pause_until.is_some_and(|until| now < until) {
            return 0;
        }
        if self.next_dose.is_none_or(|at| now >= at) {
            self.dose_left = DOSE;
            self.next_dose = Some(now + self.pace());
        }
        self.dose_left
    }

    /// Returns when to ask again what it [wants](Self::wants), or for its next [dose](Self::dose), after an answer of 0. `None`
    /// while the kernel takes everything.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        if self.pause_until.is_some() {
            return self.pause_until;
        }
        if !self.ready {
            return self.next_dose;
        }
        let look = match self.era {
            Era::Before2022 => self.asked.map(|asked| asked + LOOK_AGAIN),
            Era::Since2022 => None,
        };
        [look, self.next_dose].into_iter().flatten().min()
    }

    /// Mixes `bytes` into the kernel's pool; if they are `credited`, with credit if the process may.
    ///
    /// # Errors
    /// [`KernelError::Feed`] if the device does not take them; then the kernel wants nothing for a second. Never use the bytes
    /// again: the kernel may have mixed some of them.
    pub(crate) fn feed(&mut self, bytes: &[u8], credited: bool) -> Result<(), KernelError> {
        let before = self.counters.bytes;
        let outcome = bytes.chunks(random_ioctl::MOST_BYTES).try_for_each(|chunk| self.mix(chunk, credited));
        let given = bytes.len() as u64;
        self.counters.given += given;
        self.counters.dropped += given - (self.counters.bytes - before);
        self.dose_left = self.dose_left.saturating_sub(bytes.len());
        if outcome.is_ok() {
            self.note_fresh(bytes.len());
        }
        outcome.map_err(|source| {
            self.counters.failures += 1;
            self.pause_until = self.asked.map(|asked| asked + LOOK_AGAIN);
            KernelError::Feed { device: self.host.device.clone(), source }
        })
    }

    /// Mixes `bytes` into the kernel's pool without credit, whether or not it wants any. Returns how many it took.
    pub(crate) fn mix_without_credit(&mut self, bytes: &[u8]) -> usize {
        let mut mixed = 0;
        for chunk in bytes.chunks(random_ioctl::MOST_BYTES) {
            if self.device.write_all(chunk).is_err() {
                break;
            }
            mixed += chunk.len();
        }
        self.counters.bytes += mixed as u64;
        mixed
    }

    /// Returns the era of the kernel's random device.
    pub(crate) fn era(&self) -> Era {
        self.era
    }

    /// Returns whether the kernel's generator was seeded when it was last asked.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Returns how the kernel took the last bytes.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns what the kernel was given since the start.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Wants a dose at once, whatever it was fed before, and then a new seed for the generator: its state may be that of another
    /// machine.
    pub(crate) fn start_over(&mut self) {
        self.next_dose = None;
        self.reseeds_after = Some(DOSE);
    }

    /// Once the whole dose is in the pool, makes the generator take a new seed at once, where it would do so only within a minute.
    /// An older generator takes one by itself. Without the privilege there is that minute.
    fn note_fresh(&mut self, fed: usize) {
        let Some(left) = self.reseeds_after else { return };
        self.reseeds_after = left.checked_sub(fed).filter(|left| *left > 0);
        if self.reseeds_after.is_some() || self.era == Era::Before2022 || self.mode == Mode::MixedOnly {
            return;
        }
        let outcome = match &self.creditor {
            Some(creditor) => creditor.reseed(),
            None => (self.host.reseed)(self.device.as_fd()),
        };
        if let Err(errno) = outcome {
            tracing::debug!("the kernel's generator takes no new seed now: {errno}");
        }
    }

    fn mix(&mut self, chunk: &[u8], credited: bool) -> io::Result<()> {
        let bytes = chunk.len() as u64;
        if !credited {
            self.device.write_all(chunk)?;
            self.counters.bytes += bytes;
            return Ok(());
        }
        let credit = u32::try_from(chunk.len()).unwrap_or(0) * u32::from(self.bits_per_byte);
        loop {
            let outcome = match &self.creditor {
                Some(creditor) => creditor.add(chunk, credit),
                None => (self.host.add_entropy)(self.device.as_fd(), chunk, credit),
            };
            match outcome {
                Ok(()) => {
                    self.mode = Mode::Credited;
                    self.counters.bytes += bytes;
                    self.counters.credited_bits += u64::from(credit);
                    return Ok(());
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EPERM) => {
                    self.mode = Mode::MixedOnly;
                    self.device.write_all(chunk)?;
                    self.counters.bytes += bytes;
                    return Ok(());
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn pace(&self) -> Duration {
        match self.era {
            Era::Before2022 => self.interval.min(KEEPALIVE),
            Era::Since2022 => self.interval,
        }
    }

    fn asks_by_pollout(&self) -> bool {
        let mut device = [PollFd::new(self.device.as_fd(), PollFlags::POLLOUT)];
        poll(&mut device, PollTimeout::ZERO).is_ok()
            && device[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLOUT))
    }
}

#[cfg(test)]
mod tests;
