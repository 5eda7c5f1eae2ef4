//! One connection, over a unix socket, TCP or TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use crate::socket::tls::Session;

/// A connection that never blocks.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over a unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
    /// Over TLS. In a box, since most connections are none of these and each has its place in the list of clients.
    Tls(Box<Session>),
}

/// How long a TCP peer may be silent before it is asked whether it is still there, how often it is asked, and how many
/// times: one whose machine has gone is noticed after some three minutes.
const ASK_AFTER_S: u32 = 90;
const ASK_EVERY_S: u32 = 30;
const ASK_TIMES: u32 = 3;

impl Stream {
    /// The user and the primary group of whoever connected to a unix socket, at the time it did.
    pub(crate) fn user_and_group(&self) -> Option<(u32, u32)> {
        let Self::Unix(stream) = self else { return None };
        let peer = getsockopt(&stream.as_fd(), sockopt::PeerCredentials).ok()?;
        Some((peer.uid(), peer.gid()))
    }

    /// The address of the other end, unless that is on a unix socket, or gone.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let peer = match self {
            Self::Unix(_) => return None,
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Tls(session) => session.socket().peer_addr(),
        };
        peer.ok().map(|peer| peer.ip())
    }

    /// Whether it is not known yet who the other end is.
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(self, Self::Tls(session) if session.is_handshaking())
    }

    /// What is wrong with the other end, if that was found out.
    pub(crate) fn refusal(&self) -> Option<&str> {
        let Self::Tls(session) = self else { return None };
        session.refusal()
    }

    /// Whether there is something to send of which the writer does not know.
    pub(crate) fn has_unsent(&self) -> bool {
        matches!(self, Self::Tls(session) if session.has_unsent())
    }

    /// Whether something has come that can be read without the socket.
    pub(crate) fn has_unread(&mut self) -> bool {
        let Self::Tls(session) = self else { return false };
        session.has_unread()
    }

    /// Whether there may be more to read after a read that did not fill its buffer. Where not, a short read has emptied the
    /// socket (epoll(7)).
    pub(crate) fn reads_in_pieces(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Sets what is best for many clients that are served little at a time: no more than `unread` bytes wait in the kernel
    /// for a client that does not read, answers are not held back, and a peer that has gone without a word is noticed.
    pub(crate) fn settle(&mut self, unread: usize) {
        let settled = match self {
            Self::Unix(stream) => setsockopt(&stream.as_fd(), sockopt::SndBuf, &unread),
            Self::Tcp(_) | Self::Tls(_) => {
                let stream = &*self;
                let nodelay = match stream {
                    Self::Tcp(stream) => stream.set_nodelay(true),
                    Self::Tls(session) => session.socket().set_nodelay(true),
                    Self::Unix(_) => Ok(()),
                };
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

    /// Says that nothing more will be sent; what comes can still be read.
    ///
    /// # Errors
    /// The other end is gone.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(session) => session.finish(),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
            Self::Tls(session) => session.source(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(session) => session.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buf),
            Self::Tcp(stream) => stream.read(buf),
            Self::Tls(session) => session.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buf),
            Self::Tcp(stream) => stream.write(buf),
            Self::Tls(session) => session.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Unix(_) | Self::Tcp(_) => Ok(()),
            Self::Tls(session) => session.flush(),
        }
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
