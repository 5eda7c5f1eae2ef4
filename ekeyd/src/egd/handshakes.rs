//! What came of one TLS listener's handshakes: the counts, and log lines about those that it refused.

use std::time::{Duration, Instant};

use ekey_control::status::EgdTlsStatus;

use crate::socket::Stream;

/// How often the log says that a client was refused, at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The books.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    finished: u64,
    refused: u64,
    unfinished: u64,
    last_refusal: Option<String>,
    told: Option<Instant>,
    untold: u64,
}

impl Handshakes {
    /// Counts one that led to a client.
    pub(super) fn finished(&mut self) {
        self.finished += 1;
    }

    /// Counts one that did not. `listener` is the listener's name for the log.
    pub(super) fn failed(&mut self, listener: &str, stream: &Stream, now: Instant) {
        let Some(reason) = stream.refusal() else {
            self.unfinished += 1;
            return;
        };
        self.refused += 1;
        let whom = stream.address().map_or_else(|| "somebody".to_owned(), |address| address.to_canonical().to_string());
        let text = format!("{whom}: {reason}");
        if self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY) {
            let others = if self.untold > 0 { format!(" ({} more before)", self.untold) } else { String::new() };
            tracing::warn!("{listener}: refused {text}{others}");
            (self.told, self.untold) = (Some(now), 0);
        } else {
            tracing::debug!("{listener}: refused {text}");
            self.untold += 1;
        }
        self.last_refusal = Some(text);
    }

    /// Adds the counts to the certificate's status.
    pub(super) fn fill_in(&self, half_open: u64, certificate: EgdTlsStatus) -> EgdTlsStatus {
        EgdTlsStatus {
            handshakes: self.finished,
            half_open,
            refused: self.refused,
            unfinished: self.unfinished,
            last_refusal: self.last_refusal.clone(),
            ..certificate
        }
    }
}
