//! What can go wrong on the way to a key, who is at fault, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// A pipe that could not be opened, or that broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The path could not be opened (host or config).
    #[error("{}: cannot open: {source}; {}", path.display(), opening_advice(source))]
    Open {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program holds the key (host).
    #[error("{}: another program holds the key; stop it (fuser -v {} names it), then try again", path.display(), path.display())]
    Busy {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path cannot lead to a key (config).
    #[error("{}: is {what}, and no tty, USB device or unix socket of a key; name the key's device, for example /dev/entropykey/SERIAL", path.display())]
    NotAKey {
        /// The path as it was given.
        path: PathBuf,
        /// What it is, with its article: `a regular file`.
        what: &'static str,
    },
    /// The path is a usbfs node, and this crate was built without its feature `usb` (config).
    #[error("{}: this program was built without libusb; name the key's tty, for example /dev/ttyACM0", path.display())]
    NoUsb {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The key, or the program behind the socket, has gone (key). An ordinary end: this link will never give bytes again.
    #[error("the key has gone; plug it in again")]
    Gone,
    /// The pipe broke, and not because the key has gone (link).
    #[error("{}: {source}; unplug the key and plug it in again, and look at the kernel's log (dmesg)", path.display())]
    Io {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key took only a part of the bytes before the deadline (key).
    #[error("{}: the key took {sent} of {expected} bytes in time and hangs; reset it, or unplug it and plug it in again", path.display())]
    WriteTimedOut {
        /// The path as it was given.
        path: PathBuf,
        /// How many bytes it took.
        sent: usize,
        /// How many bytes were sent.
        expected: usize,
    },
    /// The kernel's messages about devices cannot be heard (host).
    #[error(
        "cannot listen for devices that are plugged in: {source}; allow netlink sockets (RestrictAddressFamilies=AF_NETLINK)"
    )]
    Hotplug {
        /// What the system said.
        source: io::Error,
    },
    /// No [`Interrupt`](crate::Interrupt) could be made (host).
    #[error("cannot make an eventfd: {source}; allow more open files (LimitNOFILE=, ulimit -n)")]
    Interrupt {
        /// What the system said.
        source: io::Error,
    },
}

impl LinkError {
    pub(crate) fn open(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::EBUSY => Self::Busy { path },
            _ => Self::Open { path, source: errno.into() },
        }
    }

    /// Returns the error of a read or write on an open pipe, `Gone` if the key has gone.
    pub(crate) fn broken(path: &Path, errno: Errno) -> Self {
        match errno {
            Errno::EIO | Errno::ENODEV | Errno::ENXIO | Errno::EPIPE | Errno::ECONNRESET | Errno::ESHUTDOWN => {
                Self::Gone
            }
            _ => Self::Io { path: path.to_owned(), source: errno.into() },
        }
    }
}

fn opening_advice(source: &io::Error) -> &'static str {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO | Errno::EIO) => "plug the key in, or correct the path",
        Some(Errno::EACCES | Errno::EPERM) => "run as root or as a user of the group that owns it (ls -lL shows which)",
        Some(Errno::ECONNREFUSED) => "nothing listens there: start the program that made the socket",
        Some(Errno::EAGAIN) => "the program that listens there does not answer: restart it",
        Some(Errno::EPROTOTYPE) => "the socket is not a stream socket: correct the path",
        Some(Errno::EMFILE | Errno::ENFILE) => "allow more open files (LimitNOFILE=, ulimit -n)",
        Some(Errno::ENAMETOOLONG) => "a unix socket's path has at most 107 bytes: use a shorter one",
        Some(Errno::ELOOP | Errno::ENOTDIR) => "correct the path",
        _ => "look at the kernel's log (dmesg)",
    }
}
