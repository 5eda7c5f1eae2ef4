//! How often a key may halt an endpoint.

use std::time::{Duration, Instant};

/// Two halts within this time are a fault.
const INTERVAL: Duration = Duration::from_secs(1);

/// The last halt of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    last: Option<Instant>,
}

impl Stalls {
    /// Notes a halt. Returns whether to clear it; one too soon after another ends the link.
    pub(super) fn forgive(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Stalls;

    #[test]
    fn a_halt_is_cleared_and_one_soon_after_is_not() {
        let start = Instant::now();
        let mut stalls = Stalls::default();
        assert!(stalls.forgive(start));
        assert!(!stalls.forgive(start + Duration::from_millis(900)));
        assert!(stalls.forgive(start + Duration::from_millis(2000)));
    }
}
