//! A client of HTTP, written from its description alone: it sends what it is told to and reads until the end.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// An answer, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Such as 200.
    pub code: u16,
    /// Everything before the empty line.
    pub head: String,
    /// Everything after it.
    pub body: String,
}

/// A port of this machine that nobody listens on just now.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("this machine has a free port");
    listener.local_addr().expect("a listener has an address")
}

/// The lines of a configuration that turn HTTP on.
#[must_use]
pub fn section(address: SocketAddr) -> String {
    format!("[http]\nlisten = \"{address}\"\n")
}

/// Connects.
///
/// # Errors
/// When nobody listens there.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

/// Asks for a path.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    send(address, request.as_bytes()).unwrap_or_else(|error| panic!("GET {path} of {address}: {error}"))
}

/// Sends bytes and reads the answer to its end.
///
/// # Errors
/// When the connection breaks, or what comes is no answer of HTTP.
pub fn send(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    answer(&mut stream)
}

/// Reads an answer to the end of the connection.
///
/// # Errors
/// As [`send`].
pub fn answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let broken = || io::Error::new(io::ErrorKind::InvalidData, format!("this is no answer: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    Ok(Answer { code, head: head.to_owned(), body: body.to_owned() })
}
