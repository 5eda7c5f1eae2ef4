//! One TLS connection that never blocks, from the first byte of the handshake on.
//!
//! What is written is encrypted in the place that it is copied to, so that no plaintext of it stays behind. What is read goes through
//! buffers of the library that it does not wipe: at the server these are requests, at the client the entropy itself.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Source;
use mio::net::TcpStream;
use rustls::Connection;

use super::words::Other;

/// Bytes that may come before the handshake is over: a few certificates of the larger kind.
const MOST_HANDSHAKE: usize = 24 * 1024;
/// Bytes of plaintext that are encrypted before they have gone.
const MOST_WRITTEN: usize = 4096;

/// The connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    socket: TcpStream,
    other: Other,
    /// Bytes that have come in the handshake.
    came: usize,
    /// Why there is none, or none any more.
    refusal: Option<String>,
}

impl Session {
    pub(super) fn new(connection: Connection, socket: TcpStream, other: Other) -> Self {
        Self { connection, socket, other, came: 0, refusal: None }
    }

    /// The TCP connection below it.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether it is not known yet who the other end is.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether there is something to send that the socket has had no room for.
    pub(crate) fn has_unsent(&self) -> bool {
        self.connection.wants_write()
    }

    /// Whether something has come that can be read without the socket.
    pub(crate) fn has_unread(&mut self) -> bool {
        self.connection.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    /// What is wrong with the other end, if that was found out.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Goes on with the handshake as far as that is possible now. Returns whether it is over.
    ///
    /// # Errors
    /// As with reading and writing.
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

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// The other end is gone.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush()?;
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    /// Reads once from the socket. Returns how many bytes that brought, of whatever kind.
    fn take_in(&mut self) -> io::Result<usize> {
        let count = self.connection.read_tls(&mut self.socket)?;
        if self.is_handshaking() {
            self.came += count;
            if self.came > MOST_HANDSHAKE {
                return Err(self.refuse("it sends more than any handshake has; see who it is".to_owned()));
            }
        }
        if let Err(error) = self.connection.process_new_packets() {
            // The other end is told why; whether it gets that is its own affair.
            let _ = self.flush();
            let words = self.other.refused(&error);
            return Err(self.refuse(words));
        }
        would_block(self.flush())?;
        Ok(count)
    }

    fn refuse(&mut self, words: String) -> io::Error {
        self.refusal = Some(words.clone());
        io::Error::new(io::ErrorKind::InvalidData, words)
    }
}

/// Whether it went well at once.
fn would_block(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A farewell, so that the other end can tell it from a connection that was cut.
        if !self.is_handshaking() {
            self.connection.send_close_notify();
        }
        let _ = self.flush();
    }
}

/// Gives up after one look at the socket that brought no plaintext, with [`io::ErrorKind::Interrupted`]: whoever sends much that
/// means nothing must not hold up the others.
impl Read for Session {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        for last in [false, true] {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Requests and answers of EGD have a length, so that an end without a farewell cuts nothing unseen.
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

/// What was written and has found no room goes before anything else; until then nothing more is taken.
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
    /// What the event loop watches.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        &mut self.socket
    }
}
