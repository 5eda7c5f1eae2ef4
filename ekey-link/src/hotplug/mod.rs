//! The kernel's messages about devices that come and go, and about a machine that was copied.
//!
//! The kernel sends each uevent to every netlink socket that listens. A message is only a hint to call
//! [`find::keys`](crate::find::keys) again: messages can be lost, so a driver of keys also looks at intervals.

mod event;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket};

use crate::LinkError;

pub use event::{Action, HotplugEvent, Subsystem};

use event::is_new_generation;

/// The multicast group of the kernel's own messages; udev has another.
const KERNEL_GROUP: u32 = 1;
/// A message of the kernel has at most 2 KiB of text and a header.
const LONGEST_MESSAGE: usize = 8192;
/// The most messages read at once; the rest would change nothing.
const MOST_AT_ONCE: usize = 4096;

/// Listens for the kernel's messages about USB devices and ttys.
///
/// Its descriptor never blocks, and is readable when a message waits. Then call [`Hotplug::news`].
#[derive(Debug)]
pub struct Hotplug {
    socket: OwnedFd,
    buffer: Box<[u8; LONGEST_MESSAGE]>,
}

/// The result of [`Hotplug::hear`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A USB device, an interface or a tty came, went or changed.
    Event(HotplugEvent),
    /// This machine is a copy of another, or was taken back to an earlier state.
    NewGeneration,
    /// Messages were lost: anything may have happened.
    Overrun,
    /// No message waits.
    Nothing,
}

/// The result of [`Hotplug::news`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// There is a reason to look for keys again.
    pub rescan: bool,
    /// This machine is a copy of another, or was taken back to an earlier state.
    pub new_generation: bool,
}

impl Hotplug {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`LinkError::Hotplug`] when the process may not open netlink sockets, or has no file descriptor left.
    pub fn new() -> Result<Self, LinkError> {
        let failed = |errno: Errno| LinkError::Hotplug { source: errno.into() };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).map_err(failed)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP)).map_err(failed)?;
        Ok(Self { socket, buffer: Box::new([0; LONGEST_MESSAGE]) })
    }

    /// Reads all messages that wait. Returns what they mean together.
    ///
    /// # Errors
    /// [`LinkError::Hotplug`] when the socket broke. Then look at intervals.
    pub fn news(&mut self) -> Result<News, LinkError> {
        let mut news = News::default();
        for _ in 0..MOST_AT_ONCE {
            match self.hear()? {
                Heard::Event(_) | Heard::Overrun => news.rescan = true,
                Heard::NewGeneration => news.new_generation = true,
                Heard::Nothing => return Ok(news),
            }
        }
        Ok(News { rescan: true, ..news })
    }

    /// Returns the next message about USB devices, ttys or this machine. Never waits. Skips messages about anything else, or not from the kernel.
    ///
    /// # Errors
    /// [`LinkError::Hotplug`] when the socket broke.
    pub fn hear(&mut self) -> Result<Heard, LinkError> {
        loop {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut self.buffer[..]) {
                Ok((count, Some(sender))) if sender.pid() == 0 => {
                    let Some(message) = self.buffer.get(..count) else { continue };
                    if is_new_generation(message) {
                        return Ok(Heard::NewGeneration);
                    }
                    if let Some(event) = HotplugEvent::parse(message) {
                        return Ok(Heard::Event(event));
                    }
                }
                // Privileged programs may send to the group too; only the kernel has the number 0.
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(Heard::Nothing),
                Err(Errno::ENOBUFS) => return Ok(Heard::Overrun),
                Err(errno) => return Err(LinkError::Hotplug { source: io::Error::from(errno) }),
            }
        }
    }
}

/// For an event loop.
impl AsFd for Hotplug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Hotplug};

    #[test]
    fn an_open_ear_never_waits() {
        let mut hotplug = Hotplug::new().expect("a netlink socket");
        assert!(!matches!(hotplug.hear(), Ok(Heard::Overrun) | Err(_)));
        hotplug.news().expect("the socket is sound");
        assert_eq!(hotplug.hear().expect("the socket is sound"), Heard::Nothing);
    }
}
