//! Samples of the daemon's memory, descriptors and threads, and whether they grow.

use std::fs;
use std::time::Duration;

use crate::usage::{memory, open_descriptors};

/// One sample of the daemon.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the soak began.
    pub at: Duration,
    /// Which daemon it was, from 1.
    pub life: u32,
    /// KB.
    pub resident: u64,
    /// Of these, KB that it has allocated.
    pub own: u64,
    /// Open descriptors, clients' excluded.
    pub descriptors: i64,
    /// How many.
    pub threads: u64,
    /// Connected to the EGD server.
    pub clients: u64,
}

impl Sample {
    /// Samples a process that has about `clients` clients now.
    pub(super) fn take(at: Duration, life: u32, process: u32, clients: u64) -> Self {
        let memory = memory(process);
        let open = i64::try_from(open_descriptors(process).unwrap_or(0)).unwrap_or(i64::MAX);
        Self {
            at,
            life,
            resident: memory.resident,
            own: memory.own,
            descriptors: open - i64::try_from(clients).unwrap_or_default(),
            threads: fs::read_dir(format!("/proc/{process}/task")).map_or(0, |tasks| tasks.count() as u64),
            clients,
        }
    }
}

/// The medians of a part of a daemon's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Middle {
    /// KB.
    pub(super) resident: u64,
    /// KB.
    pub(super) own: u64,
    /// Without those of clients.
    pub(super) descriptors: i64,
    pub(super) threads: u64,
}

/// Returns the medians of the first and the last third of the longest life; none before five minutes.
pub(super) fn thirds(samples: &[Sample]) -> Option<(Middle, Middle)> {
    let longest = samples.chunk_by(|one, next| one.life == next.life).max_by_key(|life| life.len())?;
    // Before that, caches and buffers still fill.
    const LONG_ENOUGH: Duration = Duration::from_secs(300);
    let third = longest.len() / 3;
    if longest.last()?.at - longest.first()?.at < LONG_ENOUGH || third == 0 {
        return None;
    }
    Some((middle(&longest[..third]), middle(&longest[longest.len() - third..])))
}

/// Checks that the last third does not need more than the first, beyond chance.
///
/// # Errors
/// What has grown.
pub(super) fn is_flat(first: Middle, last: Middle) -> Result<(), String> {
    // Buffers of more clients at a time, and what an allocator keeps.
    const MEMORY: u64 = 768;
    // A client that connects or leaves between the status and the sample.
    const DESCRIPTORS: i64 = 8;
    // Allocated memory only: pages of its program load as their code first runs, hours after the start.
    if last.own > first.own + MEMORY {
        return Err(format!("the daemon's own memory has grown from {} KB to {} KB", first.own, last.own));
    }
    if last.descriptors > first.descriptors + DESCRIPTORS {
        return Err(format!("open descriptors have grown from {} to {}", first.descriptors, last.descriptors));
    }
    if last.threads > first.threads + 1 {
        return Err(format!("threads have grown from {} to {}", first.threads, last.threads));
    }
    Ok(())
}

fn middle(samples: &[Sample]) -> Middle {
    fn of<T: Ord + Copy>(mut values: Vec<T>) -> T {
        values.sort_unstable();
        values[values.len() / 2]
    }
    Middle {
        resident: of(samples.iter().map(|sample| sample.resident).collect()),
        own: of(samples.iter().map(|sample| sample.own).collect()),
        descriptors: of(samples.iter().map(|sample| sample.descriptors).collect()),
        threads: of(samples.iter().map(|sample| sample.threads).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(life: u32, count: u64, own: impl Fn(u64) -> u64) -> Vec<Sample> {
        let sample = |number| Sample {
            at: Duration::from_secs(number * 5),
            life,
            resident: 6000 + own(number),
            own: own(number),
            descriptors: 20,
            threads: 7,
            clients: 30,
        };
        (0..count).map(sample).collect()
    }

    #[test]
    fn a_leak_is_found_a_passing_peak_is_not() {
        let judge = |samples: &[Sample]| thirds(samples).map(|(first, last)| is_flat(first, last));
        let mut samples = life(1, 20, |at| 9000 + at * 100);
        samples.extend(life(2, 90, |at| if at == 40 { 90_000 } else { 4000 + at }));
        assert_eq!(judge(&samples), Some(Ok(())));
        let leak = judge(&life(1, 90, |at| 4000 + at * 50)).expect("enough samples");
        assert!(leak.as_ref().is_err_and(|words| words.contains("memory")), "{leak:?}");
        assert!(judge(&life(1, 8, |_| 1)).is_none());
    }
}
