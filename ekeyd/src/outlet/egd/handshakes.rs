//! Counts one TLS listener's handshakes, and logs the clients that it refused.

use std::time::Instant;

use ekey_control::status::EgdTlsStatus;

use crate::log_limit::LogLimit;
use crate::socket::Stream;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    finished: u64,
    refused: u64,
    unfinished: u64,
    last_refusal: Option<String>,
    log: LogLimit,
}

impl Handshakes {
    /// Counts one that succeeded.
    pub(super) fn finished(&mut self) {
        self.finished += 1;
    }

    /// Counts one that failed. `listener` is the listener's name in the log.
    pub(super) fn failed(&mut self, listener: &str, stream: &Stream, now: Instant) {
        match stream.refusal() {
            Some(reason) => self.refused(listener, stream, reason, now),
            None => self.unfinished += 1,
        }
    }

    /// Counts a client that is refused for that reason, in the handshake or later, and logs it.
    pub(super) fn refused(&mut self, listener: &str, stream: &Stream, reason: &str, now: Instant) {
        self.refused += 1;
        let peer =
            stream.address().map_or_else(|| "unknown address".to_owned(), |address| address.to_canonical().to_string());
        let text = format!("{peer}: {reason}");
        match self.log.admit(now) {
            Some(more) => tracing::warn!("{listener}: refused {text}{more}"),
            None => tracing::debug!("{listener}: refused {text}"),
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
