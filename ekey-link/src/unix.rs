//! A key behind a unix stream socket: the original's USB helper listens on one for each key, and so does the key in software.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::{Interrupt, Link, LinkError, Read, Transport, pipe};

/// How long to wait for a listener whose queue is full.
const CONNECT_SECONDS: i64 = 2;

pub(crate) struct Unix {
    fd: OwnedFd,
    path: PathBuf,
    interrupt: Interrupt,
}

impl Unix {
    /// Connects to the program that listens at `path`, which takes at most [`CONNECT_SECONDS`].
    pub(crate) fn connect(path: &Path, interrupt: &Interrupt) -> Result<Self, LinkError> {
        let failed = |errno| LinkError::open(path, errno);
        let address = UnixAddr::new(path).map_err(failed)?;
        let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).map_err(failed)?;
        // A non-blocking unix socket fails at once when the listener's queue is full, and poll cannot wait for it. The send timeout
        // limits a blocking connect, so the descriptor becomes non-blocking only afterwards.
        setsockopt(&fd, SendTimeout, &TimeVal::seconds(CONNECT_SECONDS)).map_err(failed)?;
        loop {
            match connect(fd.as_raw_fd(), &address) {
                Ok(()) | Err(Errno::EISCONN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
        Ok(Self { fd, path: path.to_owned(), interrupt: interrupt.clone() })
    }
}

impl Link for Unix {
    fn read(&mut self, buf: &mut [u8], deadline: Instant) -> Result<Read, LinkError> {
        pipe::read(self.fd.as_fd(), &self.path, &self.interrupt, buf, deadline)
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        pipe::write_all(self.fd.as_fd(), &self.path, bytes, deadline, |fd, rest| {
            send(fd.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL)
        })
    }

    fn kind(&self) -> Transport {
        Transport::Unix
    }

    fn close(self: Box<Self>) {}
}
