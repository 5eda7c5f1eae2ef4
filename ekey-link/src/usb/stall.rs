//! How often a key may halt an endpoint.

use std::time::{Duration, Instant};

/// Two halts closer together than this are no accident.
const INTERVAL: Duration = Duration::from_secs(1);

/// The last halt of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    last: Option<Instant>,
}

impl Stalls {
    /// Notes a halt. Whether it is far enough from the one before to be cleared rather than end the link.
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
    fn the_first_halt_is_forgiven_and_one_soon_after_is_not() {
        let start = Instant::now();
        let mut stalls = Stalls::default();
        assert!(stalls.forgive(start));
        assert!(!stalls.forgive(start + Duration::from_millis(900)));
        assert!(stalls.forgive(start + Duration::from_millis(2000)));
    }
}
