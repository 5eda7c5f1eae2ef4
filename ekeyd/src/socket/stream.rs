//! One connection, over a unix socket or TCP.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

/// A connection that never blocks.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over a unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

/// How long a TCP peer may be silent before it is asked whether it is still there, how often it is asked, and how many
/// times: one whose machine has gone is noticed after some three minutes.
const ASK_AFTER_S: u32 = 90;
const ASK_EVERY_S: u32 = 30;
const ASK_TIMES: u32 = 3;

impl Stream {
    /// Says that nothing more will be sent; what comes can still be read.
    ///
    /// # Errors
    /// The other end is gone.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// The user and the primary group of whoever connected to a unix socket, at the time it did.
    pub(crate) fn user_and_group(&self) -> Option<(u32, u32)> {
        let Self::Unix(stream) = self else { return None };
        let peer = getsockopt(&stream.as_fd(), sockopt::PeerCredentials).ok()?;
        Some((peer.uid(), peer.gid()))
    }

    /// Sets what is best for many clients that are served little at a time: no more than `unread` bytes wait in the kernel
    /// for a client that does not read, answers are not held back, and a peer that has gone without a word is noticed.
    pub(crate) fn settle(&mut self, unread: usize) {
        let settled = match self {
            Self::Unix(stream) => setsockopt(&stream.as_fd(), sockopt::SndBuf, &unread),
            Self::Tcp(stream) => {
                let nodelay = stream.set_nodelay(true);
                let fd = &stream.as_fd();
                setsockopt(fd, sockopt::SndBuf, &unread)
                    .and(setsockopt(fd, sockopt::KeepAlive, &true))
                    .and(setsockopt(fd, sockopt::TcpKeepIdle, &ASK_AFTER_S))
                    .and(setsockopt(fd, sockopt::TcpKeepInterval, &ASK_EVERY_S))
                    .and(setsockopt(fd, sockopt::TcpKeepCount, &ASK_TIMES))
                    .and(nodelay.map_err(|_| nix::errno::Errno::EINVAL))
            }
        };
        if let Err(error) = settled {
            // Each of these makes things better; without one of them they work as well.
            tracing::debug!("a connection keeps the system's own settings: {error}");
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buf),
            Self::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buf),
            Self::Tcp(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source().deregister(registry)
    }
}
