//! A plug that carries the messages of a bus.

use crate::{Plug, SimError, UnixSocket};

/// A plug for a bus.
pub(super) trait Port: Plug {
    /// Whether a new host may come by itself after one has left.
    const HOSTS_COME_BACK: bool;

    /// Plugs the key in or unplugs it, if that is up to the port and not to the protocol.
    ///
    /// # Errors
    /// [`SimError`] if the system refuses.
    fn insert(&mut self, inserted: bool) -> Result<(), SimError>;

    /// Disconnects a host that has broken the protocol.
    fn hang_up(&mut self);
}

impl Port for UnixSocket {
    const HOSTS_COME_BACK: bool = true;

    fn insert(&mut self, _: bool) -> Result<(), SimError> {
        Ok(())
    }

    fn hang_up(&mut self) {
        self.drop_host();
    }
}
