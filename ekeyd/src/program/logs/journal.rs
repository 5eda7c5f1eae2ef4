//! Logs to the journal in its native protocol, with fields, so `journalctl KEY=…` finds the lines about one key
//! (systemd.journal-fields(7), and "Native Journal Protocol" in systemd's documentation).
//!
//! The message repeats the fields, because `journalctl` shows only the message by default.
//!
//! `tracing-journald` 0.3 does not fit: its socket blocks, so a hung journal would stop the keys; it drops a line that the journal
//! rejects; its message lacks the fields; and a long line takes memfd_create(2), which the sandbox rejects.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The journal's socket.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// Limit of a value in bytes, so that a line fits into one datagram.
const MOST_VALUE: usize = 8192;

/// Sends each event to the journal.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Connects to the journal at `path`.
    ///
    /// # Errors
    /// This system has no journal, or the process may not use it.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A hung journal must not stop a key.
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let priority = super::priority(*event.metadata().level());
        if self.socket.send(&line.datagram(priority, *event.metadata().level())).is_err() {
            // The service manager logs stderr too, without the fields.
            let _ = writeln!(io::stderr(), "<{priority}>{}", line.message());
        }
    }
}

/// Collects the parts of one line.
#[derive(Default)]
struct Line {
    text: String,
    fields: Vec<(String, String)>,
}

impl Line {
    /// Returns the text with the fields after it, for people.
    fn message(&self) -> String {
        let mut out = self.text.clone();
        for (name, value) in &self.fields {
            // Writing into a String cannot fail.
            let _ = write!(out, " {name}={value}");
        }
        out
    }

    fn datagram(&self, priority: u8, level: Level) -> Vec<u8> {
        let mut out = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=ekeyd\nLEVEL={level}\n").into_bytes();
        put(&mut out, "MESSAGE", &self.message());
        for (name, value) in &self.fields {
            put(&mut out, &name.to_ascii_uppercase(), value);
        }
        out
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        if field.name() == "message" {
            self.text = value;
        } else {
            self.fields.push((field.name().to_owned(), value));
        }
    }
}

/// Appends `NAME=VALUE`, or the form with a length if the value has several lines.
fn put(out: &mut Vec<u8>, name: &str, value: &str) {
    let end = (0..=value.len().min(MOST_VALUE)).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    let value = &value[..end];
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn logged(log: impl FnOnce()) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Journal::connect(&path).unwrap()), log);
        let mut datagram = vec![0; 65536];
        let count = journal.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..count]).into_owned()
    }

    #[test]
    fn a_line_carries_its_fields_and_repeats_them() {
        let seen = logged(|| tracing::warn!(key = "/dev/ttyACM0", rung = %"usb-reset", bytes = 7, "being revived"));
        assert_eq!(
            seen,
            "PRIORITY=4\nSYSLOG_IDENTIFIER=ekeyd\nLEVEL=WARN\n\
             MESSAGE=being revived key=/dev/ttyACM0 rung=usb-reset bytes=7\n\
             KEY=/dev/ttyACM0\nRUNG=usb-reset\nBYTES=7\n"
        );
    }

    #[test]
    fn a_value_of_two_lines_cannot_forge_a_field() {
        let seen = logged(|| tracing::info!(key = "x\nPRIORITY=0", "opened"));
        assert!(seen.contains("KEY\n\u{c}\0\0\0\0\0\0\0x\nPRIORITY=0\n"), "{seen:?}");
        let long = logged(|| tracing::info!("{}", "ä".repeat(MOST_VALUE)));
        assert!(long.len() < MOST_VALUE + 100, "{} bytes", long.len());
    }

    #[test]
    fn connecting_fails_without_a_journal() {
        assert!(Journal::connect(Path::new("/nonexistent/socket")).is_err());
    }
}
