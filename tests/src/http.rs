//! A client of HTTP, written only from its description: it sends the given bytes and reads until the end. And a daemon
//! for it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::await_until::{DEADLINE, await_until};
use crate::daemon::{Daemon, DaemonPlan};
use crate::ports::free_port;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};

/// An answer, split into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code, such as 200.
    pub code: u16,
    /// Everything before the empty line.
    pub head: String,
    /// Everything after it.
    pub body: String,
}

/// A daemon with one key, an EGD server, and HTTP.
pub struct Observed {
    /// The daemon.
    pub daemon: Daemon,
    /// Where it listens.
    pub address: SocketAddr,
    /// The key.
    pub key: SoftwareKey,
}

impl Observed {
    /// Starts it with this key and what `more` adds to the daemon's plan, and waits until HTTP answers.
    ///
    /// # Panics
    /// When it never answers.
    #[must_use]
    pub fn start(scratch: &Scratch, plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let key = plan.plug_in(scratch);
        let section = format!("[http]\nlisten = \"{address}\"\n");
        let daemon = more(DaemonPlan::default().key(plan, &key).egd().extra(&section)).start(scratch);
        await_until("HTTP", || connect(address).ok());
        Self { daemon, address, key }
    }
}

/// Connects to a daemon.
///
/// # Errors
/// When nothing listens.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Requests a path.
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
/// When the connection breaks, or the answer is not HTTP.
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
    let broken = || io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP answer: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    Ok(Answer { code, head: head.to_owned(), body: body.to_owned() })
}
