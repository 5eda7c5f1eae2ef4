//! Logs to the journal in its native protocol, with fields, so `journalctl KEY=…` finds the lines about one key
//! (systemd.journal-fields(7), and "Native Journal Protocol" in systemd's documentation).
//!
//! `tracing-journald` 0.3 does not fit: the thread that logs waits for the journal, so a hung one would stop the keys; it drops a line that the journal
//! rejects; its message lacks the fields; and a long line takes memfd_create(2), which the sandbox rejects.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::escaped::MOST_TEXT;
use super::line::Line;
use super::plain::Stderr;
use super::queue::Sink;

/// The journal's socket.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends each line to the journal. Waits for a slow one.
pub(super) struct Journal {
    socket: UnixDatagram,
    /// The service manager logs stderr too, without the fields.
    stderr: Stderr,
}

impl Journal {
    /// Connects to the journal at `path`.
    ///
    /// # Errors
    /// This system has no journal, or the process may not use it.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket, stderr: Stderr::open() })
    }
}

impl Sink for Journal {
    fn write(&mut self, line: &Line) {
        if self.socket.send(&datagram(line)).is_err() {
            self.stderr.write(line);
        }
    }
}

fn datagram(line: &Line) -> Vec<u8> {
    let (priority, level) = (line.priority(), line.level);
    let mut out = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=ekeyd\nLEVEL={level}\n").into_bytes();
    put(&mut out, "MESSAGE", &line.message());
    for (name, value) in line.fields() {
        put(&mut out, &name.to_ascii_uppercase(), value);
    }
    out
}

/// Appends `NAME=VALUE`. The value has no line break: a line's texts are escaped.
fn put(out: &mut Vec<u8>, name: &str, value: &str) {
    let end = (0..=value.len().min(MOST_TEXT)).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(&value.as_bytes()[..end]);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::queue::logged;
    use super::*;

    fn sent(log: impl FnOnce()) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        Journal::connect(&path).unwrap().write(&logged(log));
        let mut datagram = vec![0; 65536];
        let count = journal.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..count]).into_owned()
    }

    #[test]
    fn a_line_carries_its_fields_and_repeats_them() {
        let seen = sent(|| tracing::warn!(key = "/dev/ttyACM0", rung = %"usb-reset", bytes = 7, "being revived"));
        assert_eq!(
            seen,
            "PRIORITY=4\nSYSLOG_IDENTIFIER=ekeyd\nLEVEL=WARN\n\
             MESSAGE=being revived key=/dev/ttyACM0 rung=usb-reset bytes=7\n\
             KEY=/dev/ttyACM0\nRUNG=usb-reset\nBYTES=7\n"
        );
    }

    #[test]
    fn a_value_of_two_lines_cannot_forge_a_field() {
        let seen = sent(|| tracing::info!(key = "x\nPRIORITY=0", "opened"));
        assert!(seen.contains("\nKEY=x\\nPRIORITY=0\n"), "{seen:?}");
        let long = sent(|| tracing::info!("{}", "ä".repeat(MOST_TEXT)));
        assert!(long.len() < MOST_TEXT + 100, "{} bytes", long.len());
    }

    #[test]
    fn connecting_fails_without_a_journal() {
        assert!(Journal::connect(Path::new("/nonexistent/socket")).is_err());
    }
}
