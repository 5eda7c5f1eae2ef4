//! A key at a port of this machine's virtual host controller.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags};

use super::controller::Controller;
use crate::plug::{Host, News, Plug, Wish, is_temporary, poll_until};
use crate::usb::port::Port;
use crate::{SimError, StopHandle};

/// A port of the kernel's virtual host controller with our device. Dropping it detaches the device.
pub struct Vhci {
    controller: Controller,
    /// The port's number and our end of the socket, while the device is attached.
    attached: Option<(u32, UnixStream)>,
    /// The device was attached, and `wait` has not reported it.
    arrived: bool,
    /// The device was detached, and `wait` has not reported it.
    left: bool,
}

impl Vhci {
    /// Attaches a full-speed device to a free port. Needs root and the driver `vhci_hcd`.
    ///
    /// # Errors
    /// [`SimError::File`] if the kernel refuses; the message says what to do.
    pub fn open() -> Result<Self, SimError> {
        let mut vhci = Self { controller: Controller::of_this_machine(), attached: None, arrived: false, left: false };
        vhci.attach()?;
        Ok(vhci)
    }

    /// Returns the port's number, while the device is attached.
    #[must_use]
    pub fn port(&self) -> Option<u32> {
        self.attached.as_ref().map(|(port, _)| *port)
    }

    fn attach(&mut self) -> Result<(), SimError> {
        let failed = |source| SimError::System { action: "make a pair of sockets", advice: "raise ulimit -n", source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        // The kernel keeps its own reference to the other end.
        let port = self.controller.attach(theirs.as_fd())?;
        self.attached = Some((port, ours));
        (self.arrived, self.left) = (true, false);
        Ok(())
    }

    fn detach(&mut self) {
        if let Some((port, socket)) = self.attached.take() {
            // This fails if the kernel has detached the device already. In any other case closing the socket detaches
            // it.
            let _ = self.controller.detach(port);
            drop(socket);
            (self.arrived, self.left) = (false, true);
        }
    }
}

impl Plug for Vhci {
    fn wait(&mut self, wish: &Wish, stop: &StopHandle) -> Result<News, SimError> {
        if std::mem::take(&mut self.arrived) {
            return Ok(News { host: Host::Arrived, input: false });
        }
        if std::mem::take(&mut self.left) {
            return Ok(News { host: Host::Absent, input: false });
        }
        let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.attached.as_ref().map(|(_, socket)| PollFd::new(socket.as_fd(), wish.poll_flags())));
        poll_until(&mut fds, wish.until)?;
        let seen = fds.get(1).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        let host = if self.attached.is_some() { Host::Present } else { Host::Absent };
        let input = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR;
        Ok(News { host, input: seen.intersects(input) })
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, SimError> {
        let Some((_, socket)) = &mut self.attached else { return Ok(None) };
        match socket.read(buf) {
            Ok(len) if len > 0 => Ok(Some(len)),
            Err(error) if is_temporary(error.kind()) => Ok(Some(0)),
            _ => {
                self.detach();
                Ok(None)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, SimError> {
        let Some((_, socket)) = &mut self.attached else { return Ok(0) };
        match socket.write(bytes) {
            Ok(len) => Ok(len),
            Err(error) if is_temporary(error.kind()) => Ok(0),
            Err(_) => {
                self.detach();
                Ok(0)
            }
        }
    }
}

impl Port for Vhci {
    /// A user has detached the device on purpose.
    const HOSTS_COME_BACK: bool = false;

    fn insert(&mut self, inserted: bool) -> Result<(), SimError> {
        self.detach();
        if inserted { self.attach() } else { Ok(()) }
    }

    fn hang_up(&mut self) {
        self.detach();
    }
}

impl Drop for Vhci {
    fn drop(&mut self) {
        self.detach();
    }
}
