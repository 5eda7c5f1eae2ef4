//! TLS sessions that must end: the client's certificate has expired, or is not from a configured authority any longer.

use std::time::Instant;

use mio::Registry;

use super::{SWEEP, Server};
use crate::socket::Stream;

const EXPIRED: &str = "its certificate has expired during the session; get a new one for it";

impl Server {
    /// Ends the sessions of clients whose certificate does not hold any longer, and notes when the next one expires.
    pub(super) fn end_sessions(&mut self, registry: &Registry, now: Instant) {
        let are_others = std::mem::take(&mut self.has_other_authorities);
        let mut over = Vec::new();
        for (id, client) in &self.clients {
            let (Stream::Tls(session), Some(acceptor)) = (&client.stream, &self.acceptor) else { continue };
            let left = session.time_left();
            if left.is_zero() {
                over.push((id, EXPIRED.to_owned()));
            } else if let (true, Err(reason)) = (are_others, acceptor.judge(session)) {
                over.push((id, reason));
            } else {
                self.next_sweep = self.next_sweep.min(now + left.min(SWEEP));
            }
        }
        for (id, reason) in over {
            let client = &self.clients[id];
            if !client.half_open {
                let listening = &mut self.listeners[client.listener as usize];
                listening.handshakes.refused(listening.doorman.place(), &client.stream, &reason, now);
            }
            self.remove(id, registry, now);
        }
    }
}
