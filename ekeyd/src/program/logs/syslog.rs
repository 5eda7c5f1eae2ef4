//! Logs to syslog, syslog(3).

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::line::Line;
use super::queue::Sink;

/// The socket of the system's log.
pub(super) const SOCKET: &str = "/dev/log";

/// Sends each line to syslog. Connects for each, because syslog may restart.
pub(super) struct Syslog {
    socket: PathBuf,
    name: &'static str,
}

impl Syslog {
    /// Sends to `socket` under `name`.
    pub(super) fn at(socket: &Path, name: &'static str) -> Self {
        Self { socket: socket.to_owned(), name }
    }
}

impl Sink for Syslog {
    fn write(&mut self, line: &Line) {
        let message = message(self.name, line.priority(), &line.message());
        // If there is no syslog, no place is left to say so.
        let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(message.as_bytes(), &self.socket));
    }
}

fn message(name: &str, priority: u8, text: &str) -> String {
    /// `LOG_DAEMON` of syslog(3).
    const DAEMON: u8 = 24;
    format!("<{}>{name}[{}]: {text}", DAEMON + priority, std::process::id())
}

#[cfg(test)]
mod tests {
    use super::super::queue::logged;
    use super::*;

    #[test]
    fn a_syslog_line_has_its_level_name_and_process() {
        let pid = std::process::id();
        for (priority, text, expected) in [
            (4, "it closed", format!("<28>client[{pid}]: it closed")),
            (6, "up", format!("<30>client[{pid}]: up")),
            (6, "", format!("<30>client[{pid}]: ")),
        ] {
            assert_eq!(message("client", priority, text), expected);
        }
    }

    #[test]
    fn a_line_reaches_syslog_and_its_absence_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut syslog = Syslog::at(&path, "client");
        let line = logged(|| tracing::info!(bytes = 7, "up"));
        syslog.write(&line);
        let log = UnixDatagram::bind(&path).unwrap();
        syslog.write(&line);
        let mut datagram = [0; 1024];
        let count = log.recv(&mut datagram).unwrap();
        assert!(String::from_utf8_lossy(&datagram[..count]).ends_with("]: up bytes=7"));
    }
}
