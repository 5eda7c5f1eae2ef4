//! One non-blocking TLS connection, from the first byte of the handshake on.
//!
//! rustls encrypts what is written inside the buffer that it copies it to, so no plaintext stays behind. What is read passes through
//! buffers that rustls does not wipe: requests at the server, but entropy at the client.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpStream;
use rustls::Connection;
use rustls::pki_types::CertificateDer;

use super::validity::{self, Validity};
use super::words::Peer;

/// Limit of received bytes during the handshake: enough for a chain of large certificates.
const MOST_HANDSHAKE: usize = 24 * 1024;
/// Limit of plaintext bytes that one write encrypts.
const MOST_WRITTEN: usize = 4096;

/// Reads and writes plaintext over one TCP connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    socket: TcpStream,
    peer: Peer,
    /// Bytes received during the handshake.
    handshake_bytes: usize,
    /// Why this end gave up on the peer.
    refusal: Option<String>,
    /// The last second in which the peer's certificates are valid, once the handshake is complete.
    valid_until: u64,
}

impl Session {
    pub(super) fn new(connection: Connection, socket: TcpStream, peer: Peer) -> Self {
        Self { connection, socket, peer, handshake_bytes: 0, refusal: None, valid_until: u64::MAX }
    }

    /// Returns the TCP connection below it.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Returns whether the peer has not proven itself yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Returns the peer's certificate and the intermediate ones that it sent: none during the handshake.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        if self.is_handshaking() { &[] } else { self.connection.peer_certificates().unwrap_or_default() }
    }

    /// Returns how long the peer's certificate is still valid; zero if it has expired.
    pub(crate) fn time_left(&self) -> Duration {
        Duration::from_secs(self.valid_until.saturating_add(1).saturating_sub(validity::now()))
    }

    /// Returns whether encrypted bytes wait for room in the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        self.connection.wants_write()
    }

    /// Returns whether [`Read`] has bytes to give without reading the socket.
    pub(crate) fn has_unread(&mut self) -> bool {
        self.connection.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    /// Returns why this end gave up on the peer, if it did.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Continues the handshake without blocking. Returns whether it is complete.
    ///
    /// # Errors
    /// Those of reading and writing; `InvalidData` if TLS rejects the peer, and [`refusal`](Self::refusal) says why.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        loop {
            let sent = would_block(self.flush())?;
            if !self.is_handshaking() {
                return Ok(sent);
            }
            match self.take_in() {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the peer that nothing more follows. It can still send.
    ///
    /// # Errors
    /// The peer has gone.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush()?;
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    /// Reads once from the socket. Returns the count of encrypted bytes.
    fn take_in(&mut self) -> io::Result<usize> {
        let count = self.connection.read_tls(&mut self.socket)?;
        let was_handshaking = self.is_handshaking();
        if was_handshaking {
            self.handshake_bytes += count;
            if self.handshake_bytes > MOST_HANDSHAKE {
                return Err(self.refuse("it sends too much for a handshake; find out what it is".to_owned()));
            }
        }
        if let Err(error) = self.connection.process_new_packets() {
            // Sends the alert that says why. The session ends anyway, so an error here does not matter.
            let _ = self.flush();
            let words = self.peer.refused(&error);
            return Err(self.refuse(words));
        }
        if was_handshaking {
            self.note_validity();
        }
        would_block(self.flush())?;
        Ok(count)
    }

    /// Notes when the first of the peer's certificates expires. An intermediate one that has expired already does not count: the peer
    /// sent it without need.
    fn note_validity(&mut self) {
        let [end_entity, intermediates @ ..] = self.certificates() else { return };
        let end = |certificate: &CertificateDer<'_>| Validity::of(certificate).map_or(0, |validity| validity.until);
        let now = validity::now();
        let others = intermediates.iter().map(end).filter(|end| *end >= now);
        self.valid_until = others.chain([end(end_entity)]).min().unwrap_or(0);
    }

    fn refuse(&mut self, words: String) -> io::Error {
        self.refusal = Some(words.clone());
        io::Error::new(io::ErrorKind::InvalidData, words)
    }
}

/// Turns `WouldBlock` into `false` and success into `true`.
fn would_block(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The close alert lets the peer tell this from a cut connection.
        if !self.is_handshaking() {
            self.connection.send_close_notify();
        }
        let _ = self.flush();
    }
}

/// Reads the socket at most once. If that gives no plaintext, fails with [`io::ErrorKind::Interrupted`]: a peer that floods the
/// connection with empty records must not block the other clients.
impl Read for Session {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        for last in [false, true] {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // EGD requests and answers state their length, so a missing close alert cannot hide a truncation.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                outcome => return outcome,
            }
            if !last {
                self.take_in()?;
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }
}

/// Sends pending bytes first and accepts new ones only after that.
impl Write for Session {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let count = self.connection.writer().write(&buf[..buf.len().min(MOST_WRITTEN)])?;
        would_block(self.flush())?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Session {
    /// Returns the socket, for the event loop to watch.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        &mut self.socket
    }
}
