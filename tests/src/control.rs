//! A client of the control socket (EKEYD/1), written only from its description.
//!
//! The daemon and its tool share a crate for this language; this client does not use that crate.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::await_until::DEADLINE;

/// One connection. It waits for every answer up to the deadline.
pub struct ControlClient {
    reader: BufReader<UnixStream>,
}

/// The answer to one statement.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The lines between, without their `*` and tab.
    pub lines: Vec<String>,
    /// The last line: `OK…` or `ERROR …`.
    pub verdict: String,
}

impl Reply {
    /// Returns whether the verdict is `OK`.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.verdict.starts_with("OK")
    }
}

impl ControlClient {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// When no daemon listens, or the greeting differs.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut client = Self { reader: BufReader::new(stream) };
        let greeting = client.line()?;
        if greeting == "PROTOCOL EKEYD/1" {
            Ok(client)
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the greeting is {greeting:?}, expected \"PROTOCOL EKEYD/1\""),
            ))
        }
    }

    /// Sends one statement, such as `ListEntropyKeys()`, and reads its answer.
    ///
    /// # Errors
    /// When the daemon hangs up or is silent, or answers out of form.
    pub fn say(&mut self, statement: &str) -> io::Result<Reply> {
        self.reader.get_mut().write_all(format!("{statement}\n").as_bytes())?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if let Some(rest) = line.strip_prefix("*\t") {
                lines.push(rest.to_owned());
            } else if line.starts_with("OK") || line.starts_with("ERROR") {
                return Ok(Reply { lines, verdict: line });
            } else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("an answer's line is {line:?}: neither \"*\\t\", OK nor ERROR"),
                ));
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
