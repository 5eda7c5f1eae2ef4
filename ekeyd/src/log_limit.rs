//! Limits how often a key, a client or a server can cause one line of the log.

use std::fmt;
use std::time::{Duration, Instant};

/// At most one line in this time.
const EVERY: Duration = Duration::from_secs(60);

/// Admits one line a minute and counts the others. Use one for each kind of line, so that a frequent one hides no other.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    logged: Option<Instant>,
    unlogged: u64,
}

/// The count of lines that were left out since the last one, to write at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct More(u64);

impl LogLimit {
    /// Admits a line. Returns what to write at its end, or `None` if it is to be left out: then it is counted.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<More> {
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < EVERY) {
            self.unlogged += 1;
            return None;
        }
        self.logged = Some(now);
        Some(More(std::mem::take(&mut self.unlogged)))
    }
}

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} more before)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_counts_those_left_out() {
        let (mut limit, start) = (LogLimit::default(), Instant::now());
        let admitted: Vec<_> = [0, 1, 59, 60, 61, 119, 120, 180]
            .into_iter()
            .filter_map(|second| {
                limit.admit(start + Duration::from_secs(second)).map(|more| (second, more.to_string()))
            })
            .collect();
        let expected = [(0, ""), (60, " (2 more before)"), (120, " (2 more before)"), (180, "")];
        assert_eq!(admitted, expected.map(|(second, more)| (second, more.to_owned())));
    }
}
