//! Counts one TLS listener's handshakes, and logs those that it refused.

use std::time::{Duration, Instant};

use ekey_control::status::EgdTlsStatus;

use crate::socket::Stream;

/// The log reports at most one refused client in this time.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    finished: u64,
    refused: u64,
    unfinished: u64,
    last_refusal: Option<String>,
    logged: Option<Instant>,
    unlogged: u64,
}

impl Handshakes {
    /// Counts one that succeeded.
    pub(super) fn finished(&mut self) {
        self.finished += 1;
    }

    /// Counts one that failed. `listener` is the listener's name in the log.
    pub(super) fn failed(&mut self, listener: &str, stream: &Stream, now: Instant) {
        let Some(reason) = stream.refusal() else {
            self.unfinished += 1;
            return;
        };
        self.refused += 1;
        let peer =
            stream.address().map_or_else(|| "unknown address".to_owned(), |address| address.to_canonical().to_string());
        let text = format!("{peer}: {reason}");
        if self.logged.is_none_or(|logged| now.saturating_duration_since(logged) >= LOG_EVERY) {
            let others = if self.unlogged > 0 { format!(" ({} more before)", self.unlogged) } else { String::new() };
            tracing::warn!("{listener}: refused {text}{others}");
            (self.logged, self.unlogged) = (Some(now), 0);
        } else {
            tracing::debug!("{listener}: refused {text}");
            self.unlogged += 1;
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
