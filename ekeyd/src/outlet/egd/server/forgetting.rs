//! What a server does when the daemon forgets everything: it closes the clients that would get bytes of before.

use std::time::Instant;

use mio::Registry;

use super::Server;

impl Server {
    /// Closes the TLS sessions, whose keys a clone of this machine has too, and the clients for which an answer waits: an answer that
    /// was cut is never resumed. The other clients stay.
    pub(crate) fn forget(&mut self, registry: &Registry, now: Instant) {
        let is_over = |client: &super::Client| client.stream.is_tls() || client.unsent() > 0;
        let over: Vec<usize> = self.clients.iter().filter(|(_, client)| is_over(client)).map(|(id, _)| id).collect();
        for id in over {
            self.remove(id, registry, now);
        }
    }

    /// Returns whether fresh bytes of the kernel's generator are mixed into those that leave.
    pub(crate) fn mixes_fresh(&self) -> bool {
        self.fresh.is_some()
    }
}
