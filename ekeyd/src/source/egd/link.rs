//! One connection to a server, and the waits on it, which another thread can end.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use ekey_link::Interrupt;
use mio::net::{TcpStream, UnixStream};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use super::failure::Failure;
use crate::config::{Server, Tls};
use crate::socket::Stream;

/// Limit on the addresses of one host to try.
const MOST_ADDRESSES: usize = 4;

/// A connection that the server accepted.
pub(super) struct Link {
    stream: Stream,
    /// The server's address, as shown.
    pub(super) address: String,
}

/// Does the TLS handshake on a connected socket, by a deadline.
type Secure<'a> = dyn Fn(TcpStream, Instant) -> Result<Stream, Option<Failure>> + 'a;

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The socket is ready.
    Ready,
    /// The time is up.
    TimedOut,
    /// Another thread interrupted the wait.
    Woken,
}

impl Link {
    /// Connects. Resolves the name first, which cannot be interrupted. Asks `goes_on` after each interruption whether to continue.
    ///
    /// # Errors
    /// [`Failure`] of the last address tried; `None` if `goes_on` ended it.
    pub(super) fn open(
        server: &Server,
        tls: Option<&Tls>,
        until: Instant,
        interrupt: &Interrupt,
        goes_on: impl Fn() -> bool,
    ) -> Result<Self, Option<Failure>> {
        let unreachable = |error| Some(Failure::Unreachable(error));
        let (host, port) = match server {
            Server::Unix(path) => {
                let stream = Stream::Unix(UnixStream::connect(path).map_err(unreachable)?);
                return Ok(Self { stream, address: path.display().to_string() });
            }
            Server::Tcp { host, port } | Server::Tls { host, port } => (host.as_str(), *port),
        };
        let secure: Option<Box<Secure<'_>>> = match (server, tls) {
            #[cfg(feature = "tls")]
            (Server::Tls { .. }, Some(files)) => {
                // Read each time, so that the next connection uses a new certificate.
                let connector = crate::socket::tls::Connector::open(files, host).map_err(|error| Some(error.into()))?;
                let goes_on = &goes_on;
                Some(Box::new(move |socket, until| secure(&connector, socket, until, interrupt, goes_on)))
            }
            (Server::Tls { .. }, _) => return Err(Some(Failure::NoFiles)),
            _ => None,
        };
        let found = (host, port).to_socket_addrs().map_err(|error| Some(Failure::Unresolved(error)))?;
        let addresses: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
        let mut outcome = Err(Some(Failure::Unresolved(io::ErrorKind::NotFound.into())));
        for (index, address) in addresses.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            // An address that never answers must leave some time for the others.
            let share = left / u32::try_from(addresses.len() - index).unwrap_or(1);
            outcome = Self::open_tcp(*address, secure.as_deref(), share, interrupt, &goes_on);
            if !matches!(outcome, Err(Some(_))) {
                break;
            }
        }
        outcome
    }

    fn open_tcp(
        address: SocketAddr,
        secure: Option<&Secure<'_>>,
        patience: Duration,
        interrupt: &Interrupt,
        goes_on: impl Fn() -> bool,
    ) -> Result<Self, Option<Failure>> {
        let unreachable = |error| Some(Failure::Unreachable(error));
        let stream = TcpStream::connect(address).map_err(unreachable)?;
        let until = Instant::now() + patience;
        loop {
            match wait(stream.as_fd(), PollFlags::POLLOUT, interrupt, Some(until)).map_err(unreachable)? {
                Waited::Ready => break,
                Waited::TimedOut => return Err(Some(Failure::NotConnected(patience))),
                Waited::Woken if goes_on() => {}
                Waited::Woken => return Err(None),
            }
        }
        if let Some(error) = stream.take_error().map_err(unreachable)? {
            return Err(unreachable(error));
        }
        // A connection may idle for long. Without this, only the next request finds out that a router has forgotten it.
        let _ = setsockopt(&stream, sockopt::KeepAlive, &true);
        let stream = match secure {
            None => Stream::Tcp(stream),
            Some(secure) => secure(stream, until)?,
        };
        Ok(Self { stream, address: address.to_string() })
    }

    /// Sends a request of a few bytes.
    ///
    /// # Errors
    /// [`Failure::Broken`]; also if the socket has no room for it, because nothing else was sent that could fill it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).map_err(Failure::Broken)
    }

    /// Waits for input.
    ///
    /// # Errors
    /// [`Failure::Broken`] if the system cannot wait.
    pub(super) fn wait(&mut self, interrupt: &Interrupt, until: Option<Instant>) -> Result<Waited, Failure> {
        if self.stream.has_unread() {
            return Ok(Waited::Ready);
        }
        wait(self.stream.as_fd(), PollFlags::POLLIN, interrupt, until).map_err(Failure::Broken)
    }

    /// Reads what has come: 0 bytes if nothing has.
    ///
    /// # Errors
    /// [`Failure::Closed`] or [`Failure::Broken`].
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        match self.stream.read(buffer) {
            Ok(0) => Err(Failure::Closed),
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            Err(error) => Err(failure_of(error)),
        }
    }
}

/// Does the TLS handshake: checks the server's certificate and sends this machine's.
#[cfg(feature = "tls")]
fn secure(
    connector: &crate::socket::tls::Connector,
    socket: TcpStream,
    until: Instant,
    interrupt: &Interrupt,
    goes_on: impl Fn() -> bool,
) -> Result<Stream, Option<Failure>> {
    let mut session = connector.connect(socket).map_err(|error| Some(Failure::Broken(error)))?;
    while !session.shake_hands().map_err(|error| Some(failure_of(error)))? {
        let room = if session.has_unsent() { PollFlags::POLLOUT } else { PollFlags::empty() };
        let waited = wait(session.as_fd(), PollFlags::POLLIN | room, interrupt, Some(until));
        match waited.map_err(|error| Some(Failure::Broken(error)))? {
            Waited::Ready => {}
            Waited::TimedOut => return Err(Some(Failure::NotSecured)),
            Waited::Woken if goes_on() => {}
            Waited::Woken => return Err(None),
        }
    }
    Ok(Stream::Tls(Box::new(session)))
}

fn failure_of(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => Failure::NotTrusted(error.to_string()),
        io::ErrorKind::UnexpectedEof => Failure::Closed,
        _ => Failure::Broken(error),
    }
}

/// Waits without a connection.
///
/// # Errors
/// The system cannot wait.
pub(super) fn rest(interrupt: &Interrupt, until: Option<Instant>) -> io::Result<Waited> {
    wait_for(&mut [PollFd::new(interrupt.as_fd(), PollFlags::POLLIN)], interrupt, until)
}

fn wait(socket: BorrowedFd<'_>, flags: PollFlags, interrupt: &Interrupt, until: Option<Instant>) -> io::Result<Waited> {
    let watched = &mut [PollFd::new(interrupt.as_fd(), PollFlags::POLLIN), PollFd::new(socket, flags)];
    wait_for(watched, interrupt, until)
}

/// Waits for one of `watched`, the first of which is the interrupt.
fn wait_for(watched: &mut [PollFd<'_>], interrupt: &Interrupt, until: Option<Instant>) -> io::Result<Waited> {
    let timeout = until.map_or(PollTimeout::NONE, |until| {
        // Rounded up: a wait that ends too early would be followed by many empty ones.
        let left = until.saturating_duration_since(Instant::now()).as_millis() + 1;
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    match poll(watched, timeout) {
        Ok(0) => Ok(Waited::TimedOut),
        // A signal: the caller checks the time and waits again.
        Err(Errno::EINTR) => Ok(Waited::Woken),
        Err(errno) => Err(errno.into()),
        Ok(_) => Ok(if interrupt.take() { Waited::Woken } else { Waited::Ready }),
    }
}
