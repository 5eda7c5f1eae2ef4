//! A blocking client. Connecting and each answer have a time limit, and an answer has a size limit.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::command::Command;
use super::reply::{GREETING, ReplyLine};
use crate::printable::{printable, printable_columns};
use crate::status::history::History;
use crate::status::{Status, StatusError};

/// The default time limit: for connecting, and then for each whole answer.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// The longest greeting that is read. That of EKEYD/1 has 17 bytes.
const MAX_GREETING: usize = 256;

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The lines, without `*` and tab.
    pub lines: Vec<String>,
    /// What stood after `OK`; mostly empty.
    pub text: String,
}

/// Why a request has no answer. The last words say what to do.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The socket does not exist, or no program listens on it.
    #[error("no daemon at {}: is ekeyd running? Start it (systemctl start ekeyd), or give its socket with --socket", path.display())]
    NoDaemon {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The socket is another user's.
    #[error("not allowed to use {}: join the group of that socket (ls -l shows it), or run this as root", path.display())]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon accepted the connection and did not answer in time.
    #[error("no answer from {} within {} s: is ekeyd stuck? See its log (journalctl -u ekeyd)", path.display(), limit.as_secs_f32())]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// The time that was given.
        limit: Duration,
    },
    /// Another program listens there.
    #[error("another program than ekeyd listens at {} (it said {said:?}): give the control socket of ekeyd with --socket", path.display())]
    NotEkeyd {
        /// The socket.
        path: PathBuf,
        /// The start of what it said.
        said: String,
    },
    /// More than [`MAX_ANSWER`].
    #[error("the answer from {} exceeds {MAX_ANSWER} bytes: another program listens there, check --socket", path.display())]
    TooLong {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon closed the connection before the end of its answer.
    #[error("{} closed the connection: has ekeyd stopped? See its log (journalctl -u ekeyd)", path.display())]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon answered `ERROR`.
    #[error("the daemon refused to {command}: {text}")]
    Refused {
        /// What was asked.
        command: String,
        /// Its reason.
        text: String,
    },
    /// A daemon that does not know `Status`, such as the original.
    #[error("the daemon at {} gives no status, like Simtec's own: use `ekey-ctl list` and `ekey-ctl stats KEY`", path.display())]
    NoStatus {
        /// The socket.
        path: PathBuf,
    },
    /// A daemon that does not know `History`, such as the original.
    #[error("the daemon at {} keeps no history: update it, or restart it if it was updated", path.display())]
    NoHistory {
        /// The socket.
        path: PathBuf,
    },
    /// The status or the history cannot be read.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// Anything else the system reports.
    #[error("cannot talk to {}: {source}; check --socket", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl ClientError {
    /// Whether no daemon listens, as opposed to one that answers badly.
    pub fn is_no_daemon(&self) -> bool {
        matches!(self, Self::NoDaemon { .. })
    }
}

/// A connection to the daemon, its greeting read.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    path: PathBuf,
    limit: Duration,
    /// Read and not used yet.
    rest: Vec<u8>,
}

impl Client {
    /// Connects within [`DEFAULT_TIMEOUT`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        Self::connect_within(path, DEFAULT_TIMEOUT)
    }

    /// Connects and reads the greeting within `limit`, which then also holds for each answer.
    pub fn connect_within(path: &Path, limit: Duration) -> Result<Self, ClientError> {
        let deadline = Instant::now() + limit;
        let stream = connect(path, limit)?;
        let mut client = Self { stream, path: path.to_owned(), limit, rest: Vec::new() };
        let greeting = match client.read_line(deadline, MAX_GREETING) {
            Err(ClientError::TooLong { .. }) => String::from_utf8_lossy(&client.rest).into_owned(),
            // A daemon that is stopping takes a last connection and closes it.
            other => other?,
        };
        if greeting == GREETING.trim_end() { Ok(client) } else { Err(client.not_ekeyd(&greeting)) }
    }

    /// Sends a command and reads its answer.
    pub fn request(&mut self, command: &Command) -> Result<Answer, ClientError> {
        let deadline = Instant::now() + self.limit;
        self.send(command)?;
        let (mut lines, mut bytes) = (Vec::new(), 0);
        loop {
            let line = self.read_line(deadline, MAX_ANSWER.saturating_sub(bytes))?;
            bytes += line.len() + 1;
            match ReplyLine::parse(&line) {
                Some(ReplyLine::Data(data)) => lines.push(data.to_owned()),
                Some(ReplyLine::Ok(text)) => return Ok(Answer { lines, text: text.to_owned() }),
                Some(ReplyLine::Error(text)) => {
                    return Err(ClientError::Refused { command: command.purpose(), text: reason(text) });
                }
                None => return Err(self.not_ekeyd(&line)),
            }
        }
    }

    /// The status as the daemon's own JSON, with fields that this version does not know.
    pub fn status_json(&mut self) -> Result<String, ClientError> {
        let no_status = ClientError::NoStatus { path: self.path.clone() };
        let answer = match self.request(&Command::Status) {
            Err(ClientError::Refused { .. }) => return Err(no_status),
            other => other?,
        };
        answer.lines.into_iter().next().ok_or(no_status)
    }

    /// The status.
    pub fn status(&mut self) -> Result<Status, ClientError> {
        Ok(Status::from_json(&self.status_json()?)?)
    }

    /// The last day's figures.
    pub fn history(&mut self) -> Result<History, ClientError> {
        let no_history = ClientError::NoHistory { path: self.path.clone() };
        let answer = match self.request(&Command::History) {
            Err(ClientError::Refused { .. }) => return Err(no_history),
            other => other?,
        };
        let json = answer.lines.into_iter().next().ok_or(no_history)?;
        Ok(History::from_json(&json)?)
    }

    /// Asks the daemon to stop and waits until it has closed the connection.
    pub fn shutdown(mut self) -> Result<(), ClientError> {
        match self.request(&Command::Shutdown) {
            // The original closes at once and answers nothing.
            Err(ClientError::Closed { .. }) => return Ok(()),
            other => other?,
        };
        let deadline = Instant::now() + self.limit;
        loop {
            match self.read_line(deadline, MAX_ANSWER) {
                Err(ClientError::Closed { .. }) => return Ok(()),
                other => other?,
            };
        }
    }

    fn send(&mut self, command: &Command) -> Result<(), ClientError> {
        self.stream.set_write_timeout(Some(self.limit)).map_err(|error| self.io(error))?;
        self.stream.write_all(format!("{command}\n").as_bytes()).map_err(|error| self.io(error))
    }

    /// A line without its line end, at most `most` bytes, fit to print: a daemon that was taken over may send anything.
    fn read_line(&mut self, deadline: Instant, most: usize) -> Result<String, ClientError> {
        let mut chunk = [0; 4096];
        let mut searched = 0;
        loop {
            if let Some(end) = self.rest.iter().skip(searched).position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=searched + end).collect();
                if line.len() > most {
                    return Err(ClientError::TooLong { path: self.path.clone() });
                }
                let text = String::from_utf8_lossy(&line);
                return Ok(printable_columns(text.trim_end_matches(['\n', '\r'])));
            }
            searched = self.rest.len();
            if searched > most {
                return Err(ClientError::TooLong { path: self.path.clone() });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ClientError::Timeout { path: self.path.clone(), limit: self.limit });
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| self.io(error))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Closed { path: self.path.clone() }),
                Ok(count) => self.rest.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.io(error)),
            }
        }
    }

    fn io(&self, source: io::Error) -> ClientError {
        sort(&self.path, self.limit, source)
    }

    fn not_ekeyd(&self, said: &str) -> ClientError {
        ClientError::NotEkeyd { path: self.path.clone(), said: shown(said).chars().take(40).collect() }
    }
}

/// Connects within `limit`. The system has no time limit for connecting to a unix socket, and a daemon that is stuck lets its queue
/// run full, so a thread connects. If that takes too long, we leave the thread behind; it ends with the process.
fn connect(path: &Path, limit: Duration) -> Result<UnixStream, ClientError> {
    let (done, result) = mpsc::sync_channel(1);
    let to = path.to_owned();
    thread::Builder::new()
        .name("connect".to_owned())
        .spawn(move || {
            let _ = done.send(UnixStream::connect(to));
        })
        .map_err(|error| sort(path, limit, error))?;
    match result.recv_timeout(limit) {
        Ok(stream) => stream.map_err(|error| sort(path, limit, error)),
        Err(_) => Err(ClientError::Timeout { path: path.to_owned(), limit }),
    }
}

fn sort(path: &Path, limit: Duration, source: io::Error) -> ClientError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
            ClientError::NoDaemon { path }
        }
        io::ErrorKind::PermissionDenied => ClientError::NotPermitted { path },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Timeout { path, limit },
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed { path },
        _ => ClientError::Io { path, source },
    }
}

/// Returns the reason in an answer, without the statement's name at its start: that is the socket's language, not a person's.
fn reason(text: &str) -> String {
    let plain = text.split_once(": ").filter(|(name, _)| super::command::is_name(name)).map_or(text, |(_, rest)| rest);
    shown(plain)
}

/// Shortens what another program sent, and makes it fit to print.
fn shown(text: &str) -> String {
    printable(&text.chars().take(1000).collect::<String>())
}
