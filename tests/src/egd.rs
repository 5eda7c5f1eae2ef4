//! A client of the EGD byte protocol, as the programs that read entropy from a socket speak it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::await_until::DEADLINE;

/// One connection to an EGD server on a unix socket. It waits for every answer up to the deadline.
pub struct EgdClient {
    stream: UnixStream,
}

impl EgdClient {
    /// Connects to a server.
    ///
    /// # Errors
    /// When no server listens.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream })
    }

    /// Asks how many bits the server has (command 0x00).
    ///
    /// # Errors
    /// When the server hangs up or is silent.
    pub fn available_bits(&mut self) -> io::Result<u32> {
        self.stream.write_all(&[0x00])?;
        let mut answer = [0; 4];
        self.stream.read_exact(&mut answer)?;
        Ok(u32::from_be_bytes(answer))
    }

    /// Takes at most `count` bytes of what is available (command 0x01).
    ///
    /// # Errors
    /// When the server hangs up or is silent.
    pub fn take_available(&mut self, count: u8) -> io::Result<Vec<u8>> {
        self.stream.write_all(&[0x01, count])?;
        let mut given = [0; 1];
        self.stream.read_exact(&mut given)?;
        let mut bytes = vec![0; usize::from(given[0])];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes exactly `count` bytes, waiting for them (command 0x02).
    ///
    /// # Errors
    /// When the server hangs up or is silent.
    pub fn take(&mut self, count: u8) -> io::Result<Vec<u8>> {
        self.stream.write_all(&[0x02, count])?;
        let mut bytes = vec![0; usize::from(count)];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Sends `times` requests for 255 bytes (command 0x02) and reads no answer.
    ///
    /// # Errors
    /// When the server hangs up, or takes no more requests.
    pub fn ask_without_reading(&mut self, times: usize) -> io::Result<()> {
        self.stream.write_all(&[0x02, 0xff].repeat(times))
    }

    /// Asks for the server's process id (command 0x04).
    ///
    /// # Errors
    /// When the server hangs up or is silent, or the text is not UTF-8.
    pub fn process(&mut self) -> io::Result<String> {
        self.stream.write_all(&[0x04])?;
        let mut length = [0; 1];
        self.stream.read_exact(&mut length)?;
        let mut text = vec![0; usize::from(length[0])];
        self.stream.read_exact(&mut text)?;
        String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
