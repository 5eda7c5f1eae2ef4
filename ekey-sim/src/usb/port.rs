//! Where a bus comes from: a plug that carries messages.

use crate::{Plug, SimError, UnixSocket};

/// A plug for a bus.
pub(super) trait Port: Plug {
    /// Whether a new host may come by itself after one has left.
    const HOSTS_COME_BACK: bool;

    /// Puts the key in, or takes it out, where that is the port's business and not the protocol's.
    ///
    /// # Errors
    /// [`SimError`] if the system does not let it.
    fn insert(&mut self, inserted: bool) -> Result<(), SimError>;

    /// Gives up a host that cannot be understood.
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
