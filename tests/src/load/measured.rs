//! What a run of a load showed.

use std::time::Duration;

/// One client's part.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    /// Bytes that no request asked for.
    pub(super) unasked: u64,
    /// In nanoseconds.
    latencies: Vec<u32>,
}

impl Tally {
    pub(super) fn answered(&mut self, after: Duration) {
        self.requests += 1;
        self.latencies.push(u32::try_from(after.as_nanos()).unwrap_or(u32::MAX));
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// One run of a load, measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How long it took.
    pub elapsed: Duration,
    /// Requests answered to each client, in their order.
    pub requests: Vec<u64>,
    /// Bytes given to each client, in their order.
    pub bytes: Vec<u64>,
    /// Bytes that no request asked for.
    pub unasked: u64,
    /// Clients that the server has hung up on by the end.
    pub lost: usize,
    /// Of all requests of all clients, ascending, in nanoseconds; 4.3 s stands for anything longer.
    latencies: Vec<u32>,
}

impl Measured {
    pub(super) fn of(elapsed: Duration, lost: usize, tallies: impl Iterator<Item = Tally>) -> Self {
        let mut measured =
            Self { elapsed, requests: Vec::new(), bytes: Vec::new(), unasked: 0, lost, latencies: Vec::new() };
        for tally in tallies {
            measured.requests.push(tally.requests);
            measured.bytes.push(tally.bytes);
            measured.unasked += tally.unasked;
            measured.latencies.extend(tally.latencies);
        }
        measured.latencies.sort_unstable();
        measured
    }

    /// Returns whether any request was answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !self.latencies.is_empty()
    }

    /// Returns whether every client was answered, the server hung up on none, and no unrequested byte arrived.
    #[must_use]
    pub fn is_flawless(&self) -> bool {
        self.lost == 0 && self.unasked == 0 && self.requests.iter().all(|requests| *requests > 0)
    }

    /// Returns the requests answered a second, to all clients together.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        self.requests.iter().sum::<u64>() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the bytes given a second, to all clients together.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes.iter().sum::<u64>() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the time from the request to the whole answer that `hundredths` of a hundred requests took at most.
    ///
    /// # Panics
    /// When no request was answered.
    #[must_use]
    pub fn percentile(&self, hundredths: usize) -> Duration {
        assert!(!self.latencies.is_empty(), "no request was answered within {:?}", self.elapsed);
        let at = (self.latencies.len() * hundredths / 100).min(self.latencies.len() - 1);
        Duration::from_nanos(u64::from(self.latencies[at]))
    }
}
