//! One non-blocking connection, over a unix socket, TCP or TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

/// Reads and writes one connection without blocking.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over a unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
    /// Over TLS. Boxed, because it is large and most clients do not use it.
    #[cfg(feature = "tls")]
    Tls(Box<super::tls::Session>),
}

/// TCP keepalive: seconds of silence before the first probe, seconds between probes, and their count. A peer whose machine has
/// gone is noticed after three minutes.
const PROBE_AFTER_S: u32 = 90;
const PROBE_EVERY_S: u32 = 30;
const PROBES: u32 = 3;

impl Stream {
    /// Returns the user and primary group that the peer of a unix socket had when it connected. `None` for TCP and TLS.
    pub(crate) fn user_and_group(&self) -> Option<(u32, u32)> {
        let Self::Unix(stream) = self else { return None };
        let peer = getsockopt(&stream.as_fd(), sockopt::PeerCredentials).ok()?;
        Some((peer.uid(), peer.gid()))
    }

    /// Returns the peer's address. `None` for a unix socket, or if the peer has gone.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let peer = match self {
            Self::Unix(_) => return None,
            Self::Tcp(stream) => stream.peer_addr(),
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.socket().peer_addr(),
        };
        peer.ok().map(|peer| peer.ip())
    }

    /// Returns whether it is a TLS session.
    pub(crate) fn is_tls(&self) -> bool {
        !matches!(self, Self::Unix(_) | Self::Tcp(_))
    }

    /// Returns whether the peer has not proven itself yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.is_handshaking(),
            _ => false,
        }
    }

    /// Returns why TLS rejected the peer, if it did.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.refusal(),
            _ => None,
        }
    }

    /// Returns how long the peer's certificate is still valid; zero if it has expired. `None` without TLS.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(session) => Some(session.time_left()),
            _ => None,
        }
    }

    /// Returns whether bytes that [`Write`] accepted still wait for room in the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.has_unsent(),
            _ => false,
        }
    }

    /// Returns whether [`Read`] has bytes to give without reading the socket.
    pub(crate) fn has_unread(&mut self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.has_unread(),
            _ => false,
        }
    }

    /// Returns whether more may be waiting after a read that did not fill its buffer. If not, a short read has emptied the socket
    /// (epoll(7)).
    pub(crate) fn reads_in_pieces(&self) -> bool {
        !matches!(self, Self::Unix(_) | Self::Tcp(_))
    }

    /// Sets the socket's options for many clients with small answers: at most `unread` bytes wait in the kernel for a client that
    /// does not read, answers are sent at once, and keepalive notices a peer that has vanished.
    pub(crate) fn settle(&mut self, unread: usize) {
        let settled = match self {
            Self::Unix(stream) => setsockopt(&stream.as_fd(), sockopt::SndBuf, &unread),
            _ => {
                let stream = &*self;
                let nodelay = match stream {
                    Self::Tcp(stream) => stream.set_nodelay(true),
                    #[cfg(feature = "tls")]
                    Self::Tls(session) => session.socket().set_nodelay(true),
                    Self::Unix(_) => Ok(()),
                };
                let fd = &stream.as_fd();
                setsockopt(fd, sockopt::SndBuf, &unread)
                    .and(setsockopt(fd, sockopt::KeepAlive, &true))
                    .and(setsockopt(fd, sockopt::TcpKeepIdle, &PROBE_AFTER_S))
                    .and(setsockopt(fd, sockopt::TcpKeepInterval, &PROBE_EVERY_S))
                    .and(setsockopt(fd, sockopt::TcpKeepCount, &PROBES))
                    .and(nodelay.map_err(|_| nix::errno::Errno::EINVAL))
            }
        };
        if let Err(error) = settled {
            // The connection works without these options too.
            tracing::debug!("cannot set all options of a connection: {error}");
        }
    }

    /// Tells the peer that nothing more follows. What it sends can still be read.
    ///
    /// # Errors
    /// The peer has gone.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.finish(),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.source(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buf),
            Self::Tcp(stream) => stream.read(buf),
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buf),
            Self::Tcp(stream) => stream.write(buf),
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Unix(_) | Self::Tcp(_) => Ok(()),
            #[cfg(feature = "tls")]
            Self::Tls(session) => session.flush(),
        }
    }
}

registers_its_source!(Stream);
